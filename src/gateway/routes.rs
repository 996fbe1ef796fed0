//! The route table: the whole API on one page. The router, `galleria routes`, the OpenAPI document
//! and the tests are derived from it.
//!
//! The columns, which are the fields of [`Route`]:
//!
//! - method: the HTTP method. The row of `GET` serves `HEAD`, too.
//! - path: a template in the syntax of actix-web. Its only parameter is `{id}`.
//! - access: `Public` needs no sign-in, `SignedIn` any user, `Operator` an operator.
//! - class: the class of the request for rate limits and admission. `Free` has neither.
//! - `Idempotency-Key`: with `Optional` and `Required` the gateway stores the response and sends it
//!   again for the same key; with `Own` the service stores what it needs; with `Ignored` the key is
//!   not read.
//! - cache: for how many seconds the gateway caches the response, as one copy for all callers
//!   (`Shared`) or one for each user (`Private`). `Never` for routes that are not `GET`.
//! - s: the deadline in seconds, from the moment when the body has arrived. A call to a service
//!   that does not end in this time gives 504.
//! - handler: the function in [`api`](super::api). Its name is the id of the route: `products.get`.

use super::{
    api::{
        analytics, carts, composed, controls, events, lab, notifications, operation, order_events, orders, payments,
        products, shipping, traces, users,
    },
    filters::rate_limit::policy::Class::{self, *},
    routing::{
        Accepts,
        Access::{self, *},
        CachePolicy::{self, *},
        Handler,
        KeyUse::{self, *},
        Route, Signature,
    },
};
use actix_web::{http::Method, web};
use std::time::Duration;

/// A handler with everything that follows from its types.
macro_rules! to {
    ($handler:path) => {
        Handler {
            name: stringify!($handler),
            route: || web::to($handler),
            accepts: || Accepts::by(&$handler),
            signature: || Signature::of(&$handler),
        }
    };
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// A row of the table. A row without an access policy does not compile.
#[expect(clippy::too_many_arguments, reason = "each argument is a column of the table")]
const fn row(
    method: Method,
    path: &'static str,
    access: Access,
    class: Class,
    key: KeyUse,
    cache: CachePolicy,
    seconds: u64,
    handler: Handler,
) -> Route {
    Route { method, path, access, class, key, cache, deadline: Duration::from_secs(seconds), handler }
}

/// All routes. Paths are matched in this order: the catalogue is first, because most requests are
/// for the catalogue.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
// method  path                                          access    class     Idempotency-Key  cache
// s   handler
    row(GET,    "/api/v1/products",                           Public,   Browse,   Ignored,         Shared(60),  10, to!(products::find)),
    row(POST,   "/api/v1/products",                           Operator, Write,    Optional,        Never,       10, to!(products::create)),
    row(GET,    "/api/v1/products/{id}",                      Public,   Browse,   Ignored,         Shared(60),  10, to!(products::get)),
    row(PATCH,  "/api/v1/products/{id}",                      Operator, Write,    Ignored,         Never,       10, to!(products::update)),
    row(DELETE, "/api/v1/products/{id}",                      Operator, Write,    Ignored,         Never,       10, to!(products::retire)),
    row(PUT,    "/api/v1/products/{id}/stock",                Operator, Write,    Ignored,         Never,       10, to!(products::set_stock)),
    row(GET,    "/api/v1/categories",                         Public,   Browse,   Ignored,         Shared(60),  10, to!(products::list_categories)),

    row(POST,   "/api/v1/users",                              Public,   SignIn,   Own,             Never,       10, to!(users::register)),
    row(POST,   "/api/v1/sessions",                           Public,   SignIn,   Ignored,         Never,       10, to!(users::sign_in)),
    row(POST,   "/api/v1/sessions/refresh",                   Public,   SignIn,   Ignored,         Never,       10, to!(users::refresh)),
    row(DELETE, "/api/v1/sessions/current",                   SignedIn, Write,    Ignored,         Never,       10, to!(users::sign_out)),
    row(GET,    "/api/v1/users/me",                           SignedIn, Browse,   Ignored,         Never,       10, to!(users::get_me)),
    row(PATCH,  "/api/v1/users/me",                           SignedIn, Write,    Ignored,         Never,       10, to!(users::update_me)),
    row(POST,   "/api/v1/users/me/password",                  SignedIn, SignIn,   Ignored,         Never,       10, to!(users::change_password)),
    row(GET,    "/api/v1/users/me/sessions",                  SignedIn, Browse,   Ignored,         Never,       10, to!(users::list_sessions)),
    row(DELETE, "/api/v1/users/me/sessions",                  SignedIn, Write,    Ignored,         Never,       10, to!(users::end_all_sessions)),
    row(DELETE, "/api/v1/users/me/sessions/{id}",             SignedIn, Write,    Ignored,         Never,       10, to!(users::end_session)),
    row(GET,    "/api/v1/users/me/addresses",                 SignedIn, Browse,   Ignored,         Never,       10, to!(users::list_addresses)),
    row(POST,   "/api/v1/users/me/addresses",                 SignedIn, Write,    Optional,        Never,       10, to!(users::add_address)),
    row(GET,    "/api/v1/users/me/addresses/{id}",            SignedIn, Browse,   Ignored,         Never,       10, to!(users::get_address)),
    row(PUT,    "/api/v1/users/me/addresses/{id}",            SignedIn, Write,    Ignored,         Never,       10, to!(users::replace_address)),
    row(DELETE, "/api/v1/users/me/addresses/{id}",            SignedIn, Write,    Ignored,         Never,       10, to!(users::remove_address)),
    row(GET,    "/api/v1/users/me/payment_methods",           SignedIn, Browse,   Ignored,         Never,       10, to!(payments::list_methods)),
    row(POST,   "/api/v1/users/me/payment_methods",           SignedIn, Write,    Optional,        Never,       10, to!(payments::add_method)),
    row(DELETE, "/api/v1/users/me/payment_methods/{id}",      SignedIn, Write,    Ignored,         Never,       10, to!(payments::remove_method)),
    row(POST,   "/api/v1/setup",                              Public,   SignIn,   Ignored,         Never,       10, to!(users::redeem_setup)),

    row(GET,    "/api/v1/cart",                               Public,   Browse,   Ignored,         Never,       10, to!(carts::get)),
    row(DELETE, "/api/v1/cart",                               Public,   Write,    Ignored,         Never,       10, to!(carts::clear)),
    row(PUT,    "/api/v1/cart/items/{id}",                    Public,   Write,    Ignored,         Never,       10, to!(carts::set_item)),
    row(DELETE, "/api/v1/cart/items/{id}",                    Public,   Write,    Ignored,         Never,       10, to!(carts::remove_item)),

    row(POST,   "/api/v1/orders",                             SignedIn, Checkout, Required,        Never,       15, to!(orders::place)),
    row(GET,    "/api/v1/orders",                             SignedIn, Browse,   Ignored,         Never,       10, to!(orders::list)),
    row(GET,    "/api/v1/orders/{id}",                        SignedIn, Browse,   Ignored,         Never,       10, to!(orders::get)),
    row(POST,   "/api/v1/orders/{id}/cancel",                 SignedIn, Write,    Ignored,         Never,       15, to!(orders::cancel)),
    row(POST,   "/api/v1/orders/{id}/returns",                SignedIn, Write,    Optional,        Never,       15, to!(orders::return_items)),
    row(POST,   "/api/v1/orders/{id}/fulfil",                 Operator, Write,    Ignored,         Never,       15, to!(orders::fulfil)),
    row(GET,    "/api/v1/orders/{id}/events",                 SignedIn, Browse,   Ignored,         Never,       20, to!(order_events::follow)),

    row(GET,    "/api/v1/payments/{id}",                      SignedIn, Browse,   Ignored,         Never,       10, to!(payments::get)),
    row(POST,   "/api/v1/payments/{id}/refunds",              Operator, Write,    Optional,        Never,       10, to!(payments::refund)),

    row(POST,   "/api/v1/shipping/quotes",                    Public,   Browse,   Ignored,         Never,       10, to!(shipping::quote)),
    row(GET,    "/api/v1/shipping/network",                   Public,   Browse,   Ignored,         Shared(300), 10, to!(shipping::network)),
    row(GET,    "/api/v1/shipments/{id}",                     SignedIn, Browse,   Ignored,         Never,       10, to!(shipping::get)),
    row(GET,    "/api/v1/shipments/{id}/label.svg",           SignedIn, Browse,   Ignored,         Private(300),10, to!(shipping::label)),
    row(GET,    "/api/v1/tracking/{id}",                      Public,   Browse,   Ignored,         Never,       10, to!(shipping::track)),

    row(GET,    "/api/v1/storefront",                         Public,   Browse,   Ignored,         Never,        5, to!(composed::storefront)),
    row(GET,    "/api/v1/account",                            SignedIn, Browse,   Ignored,         Never,        5, to!(composed::account)),
    row(GET,    "/api/v1/notifications",                      SignedIn, Browse,   Ignored,         Never,       10, to!(notifications::list)),
    row(POST,   "/api/v1/notifications/{id}/read",            SignedIn, Write,    Ignored,         Never,       10, to!(notifications::mark_read)),

    row(GET,    "/api/v1/audit",                              Operator, Lab,      Ignored,         Never,       60, to!(operation::audit)),
    row(GET,    "/api/v1/analytics",                          Operator, Lab,      Ignored,         Never,       60, to!(analytics::analytics)),
    row(GET,    "/api/v1/events/dead",                        Operator, Lab,      Ignored,         Never,       10, to!(events::list_dead)),
    row(POST,   "/api/v1/events/dead/{id}/replay",            Operator, Lab,      Ignored,         Never,       10, to!(events::replay_dead)),
    row(GET,    "/api/v1/traces",                             Operator, Lab,      Ignored,         Never,       10, to!(traces::list)),
    row(GET,    "/api/v1/traces/{id}",                        Operator, Lab,      Ignored,         Never,       10, to!(traces::get)),
    row(GET,    "/api/v1/gateway/routes",                     Operator, Lab,      Ignored,         Never,       10, to!(controls::list_routes)),
    row(PATCH,  "/api/v1/gateway/routes/{id}",                Operator, Lab,      Ignored,         Never,       10, to!(controls::change_route)),
    row(GET,    "/api/v1/gateway/services",                   Operator, Lab,      Ignored,         Never,       10, to!(controls::list_services)),
    row(PATCH,  "/api/v1/gateway/services/{id}",              Operator, Lab,      Ignored,         Never,       10, to!(controls::change_service)),
    row(PATCH,  "/api/v1/gateway/instances/{id}",             Operator, Lab,      Ignored,         Never,       10, to!(controls::change_instance)),
    row(GET,    "/api/v1/gateway/breakers",                   Operator, Lab,      Ignored,         Never,       10, to!(controls::list_breakers)),
    row(GET,    "/api/v1/gateway/limits",                     Operator, Lab,      Ignored,         Never,       10, to!(controls::list_limits)),
    row(PATCH,  "/api/v1/gateway/limits/{id}",                Operator, Lab,      Ignored,         Never,       10, to!(controls::change_limit)),
    row(PATCH,  "/api/v1/gateway/breakers/{id}",              Operator, Lab,      Ignored,         Never,       10, to!(controls::change_breaker)),
    row(GET,    "/api/v1/lab/services",                       Operator, Lab,      Ignored,         Never,       10, to!(lab::services)),
    row(POST,   "/api/v1/lab/instances/{id}/crash",           Operator, Lab,      Ignored,         Never,       10, to!(lab::crash)),
    row(POST,   "/api/v1/lab/instances/{id}/pause",           Operator, Lab,      Ignored,         Never,       10, to!(lab::pause)),
    row(PUT,    "/api/v1/lab/links/{id}",                     Operator, Lab,      Ignored,         Never,       10, to!(lab::set_link)),
    row(DELETE, "/api/v1/lab/links/{id}",                     Operator, Lab,      Ignored,         Never,       10, to!(lab::clear_link)),

    row(GET,    "/livez",                                     Public,   Free,     Ignored,         Never,        5, to!(operation::livez)),
    row(GET,    "/readyz",                                    Public,   Free,     Ignored,         Never,        5, to!(operation::readyz)),
    row(GET,    "/metrics",                                   Public,   Free,     Ignored,         Never,        5, to!(operation::metrics)),
    row(GET,    "/.well-known/jwks.json",                     Public,   Browse,   Ignored,         Never,        5, to!(operation::jwks)),
    row(GET,    "/api/openapi.json",                          Public,   Browse,   Ignored,         Never,        5, to!(operation::openapi)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_are_the_same_and_no_template_hides_a_later_path() {
        for (at, route) in ROUTES.iter().enumerate() {
            assert!(
                !ROUTES[..at].iter().any(|other| other.method == route.method && other.path == route.path),
                "{}",
                route.path
            );
            // actix-web uses the first match: a literal path must stand before a template that
            // matches it, too.
            let hidden =
                ROUTES[..at].iter().find(|earlier| earlier.path != route.path && hides(earlier.path, route.path));
            assert!(hidden.is_none(), "{} is hidden by {}", route.path, hidden.map_or("", |route| route.path));
        }
    }

    fn hides(earlier: &str, later: &str) -> bool {
        let (earlier, later): (Vec<_>, Vec<_>) = (earlier.split('/').collect(), later.split('/').collect());
        earlier.len() == later.len() && earlier.iter().zip(&later).all(|(a, b)| a == b || a.starts_with('{'))
    }

    #[test]
    fn a_route_that_changes_something_does_not_count_as_browsing() {
        for route in ROUTES.iter().filter(|route| !route.method.is_safe() && route.path != "/api/v1/shipping/quotes") {
            assert!(!matches!(route.class, Browse | Free), "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn a_route_with_a_key_and_a_secret_keeps_no_response_and_leaves_the_secret_out_of_the_fingerprint() {
        use crate::gateway::filters::idempotency::fingerprint::SECRET_MEMBERS;
        let mut with_secrets = 0;
        for route in ROUTES.iter().filter(|route| route.key != KeyUse::Ignored) {
            let Some(body) = (route.handler.signature)().body else { continue };
            let schema = serde_json::to_value(&body.schema).unwrap();
            let members = schema["properties"].as_object().cloned().unwrap_or_default();
            for (name, _) in members.iter().filter(|(_, member)| member.to_string().contains("/Secret\"")) {
                assert!(route.key == KeyUse::Own && SECRET_MEMBERS.contains(&name.as_str()), "{}: {name}", route.path);
                with_secrets += 1;
            }
        }
        assert_eq!(with_secrets, 1);
    }
}
