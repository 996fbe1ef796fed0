//! The texts of the OpenAPI document for each operation. Everything else in the document follows
//! from the route table and from the types of the handlers.

/// The texts of one operation.
pub struct OperationDoc {
    /// The name of the handler, as in the route table: `products::get`.
    pub handler: &'static str,
    /// What the operation does, in a few words without a full stop.
    pub summary: &'static str,
    /// The problem codes of the handler, without those of the gateway. Each is in
    /// [`super::problems::CODES`].
    pub refusals: &'static [&'static str],
    /// What the summary leaves out; empty if nothing.
    pub description: &'static str,
    /// Header fields of its replies that do not follow from the route table.
    pub headers: &'static [&'static str],
}

const fn of(handler: &'static str, summary: &'static str, refusals: &'static [&'static str]) -> OperationDoc {
    OperationDoc { handler, summary, refusals, description: "", headers: &[] }
}

impl OperationDoc {
    /// For a handler without texts. A test finds such a handler.
    pub const NONE: Self = of("", "", &[]);

    const fn more(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    const fn with(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }
}

/// The groups of operations, by the modules of their handlers: which service serves them, and how.
#[rustfmt::skip]
pub const TAGS: &[(&str, &str)] = &[
    ("users",         "Served by the `users` service, which owns accounts, sessions and address books. Passwords are stored as argon2id hashes. An access token is a JWT, signed with EdDSA and valid for 15 minutes; the gateway checks it with public keys only. A refresh token is opaque and can be used once; a second use ends its session."),
    ("products",      "Served by the `products` service: the catalogue and the stock. The gateway caches reads. A change of a product removes its cached responses before the change is acknowledged. Stock is reserved for an order, and then sold or released."),
    ("carts",         "Served by the `carts` service, which asks `products` for current prices and stock at each read. A signed cookie identifies the cart of a guest. The cart is merged into the account's cart at sign-in."),
    ("orders",        "Served by the `orders` service, which runs each order as a saga: reserve the stock, authorize the payment, book the parcel, capture the payment, confirm. Each step is stored before it is sent, so a crash leaves no order half done. If a step fails, the completed steps are compensated in reverse order."),
    ("payments",      "Served by the `payments` service, in front of a sandbox of a payment provider with its own ledger. A card number is never stored: it exists only while the card becomes a payment method. Only test cards are accepted."),
    ("shipping",      "Served by the `shipping` service: a network of hubs, in which a parcel takes the cheapest or the fastest route; labels with a barcode; and a carrier that moves the parcels."),
    ("notifications", "Served by the `notifications` service, which subscribes to the events of orders, payments and shipments, and writes messages to the users' inboxes."),
    ("composed",      "Served by the gateway, which asks several services in parallel, under one deadline. A part that fails is `null` and named in `degraded`; the other parts are there."),
    ("operation",     "For operators and monitoring: probes, metrics, public keys, this document, and the reconciliation of all services."),
    ("events",        "Dead letters: events that a subscriber has refused too often. They are set aside so that later events are delivered."),
    ("analytics",     "Sales and traffic."),
    ("traces",        "The requests of the last minutes, message by message."),
    ("controls",      "Settings that an operator can read and change while the shop runs: routes, services and their instances, circuit breakers, rate limits. A change is a merge patch (RFC 7396). It is stored, and stays in force after a restart."),
    ("lab",           "Fault injection: disturb the running shop, and see how it recovers."),
];

/// The code of operations that check a password: 503 while all checks are in use.
const PASSWORDS: &str = "busy";

/// The texts of all operations, in the order of the route table.
#[rustfmt::skip]
pub const OPERATIONS: &[OperationDoc] = &[
    of("users::register",               "Create an account, and sign in",                          &["email_taken", PASSWORDS]).with(&["Set-Cookie"])
        .more("If a request is sent again with its `Idempotency-Key`, it signs in again. Browsers (clients that send `Sec-Fetch-Site`) get their tokens only as cookies. Other clients get them in the body, too."),
    of("users::sign_in",                "Sign in",                                                 &["invalid_credentials", "too_many_guesses", PASSWORDS]).with(&["Set-Cookie"])
        .more("A wrong password and an unknown e-mail address give the same response after the same time. Repeated failed attempts must wait longer and longer. The cart of the guest is merged into the cart of the account."),
    of("users::refresh",                "Exchange a refresh token for new tokens",                 &["refresh_token_invalid", "refresh_token_reused"]).with(&["Set-Cookie"])
        .more("The token is in the body, or in the browser's cookie. A second use of one token ends its session, because one of the two users may be a thief (RFC 9700 §4.14)."),
    of("users::sign_out",               "End this session",                                        &[]).with(&["Set-Cookie", "Clear-Site-Data"]),
    of("users::get_me",                 "The profile of the signed-in user",                       &["not_found"]),
    of("users::update_me",              "Change the name or the e-mail address",                   &["not_found", "email_taken"]),
    of("users::change_password",        "Change the password",                                     &["not_found", "too_many_guesses", PASSWORDS]).more("All other sessions end."),
    of("users::list_sessions",          "The sessions of the user, newest first",                  &[]),
    of("users::end_all_sessions",       "End all sessions of the user",                            &[]).with(&["Set-Cookie", "Clear-Site-Data"]),
    of("users::end_session",            "End one session",                                         &[]).with(&["Set-Cookie", "Clear-Site-Data"]),
    of("users::list_addresses",         "The saved addresses",                                     &[]),
    of("users::add_address",            "Add an address",                                          &["address_book_full"]),
    of("users::get_address",            "One saved address",                                       &[]),
    of("users::replace_address",        "Replace an address",                                      &[]),
    of("users::remove_address",         "Remove an address",                                       &[]),
    of("payments::list_methods",        "The saved payment methods",                               &[]),
    of("payments::add_method",          "Add a card as a payment method",                          &["too_many_methods"]).more("Only published test cards are accepted, such as 4242 4242 4242 4242. If the card is invalid, `errors` and `card_code` say why."),
    of("payments::remove_method",       "Remove a payment method",                                 &[]),
    of("users::redeem_setup",           "Create the first operator account",                       &["setup_token_invalid", "email_taken", PASSWORDS]).with(&["Set-Cookie"])
        .more("The token is part of the link that the program prints when it starts and there is no operator yet."),
    of("products::find",                "Search the catalogue",                                    &[]).more("Each word of `q` must be the beginning of a word in the product's name, description, tags or category."),
    of("products::create",              "Add a product",                                           &["slug_taken"]).with(&["ETag"]),
    of("products::get",                 "One product, by its id or its slug",                      &[]),
    of("products::update",              "Change a product",                                        &["slug_taken", "stale"]).with(&["ETag"]).more("With `If-Match`, the product is changed only if it is still the version that you have read."),
    of("products::retire",              "Remove a product from sale",                              &["stale"]).more("Existing orders keep the product."),
    of("products::set_stock",           "Set or adjust the stock of a product",                    &["below_reserved", "stale"]).more("Give either `on_hand` or `adjust_by`."),
    of("products::list_categories",     "Categories with products on sale",                        &[]),
    of("carts::get",                    "The cart, with current prices",                           &[]),
    of("carts::clear",                  "Empty the cart",                                          &[]).with(&["Set-Cookie"]),
    of("carts::set_item",               "Set the quantity of a product in the cart",               &["cart_full", "too_expensive"]).with(&["Set-Cookie"]),
    of("carts::remove_item",            "Remove a product from the cart",                          &["cart_full", "too_expensive"]).with(&["Set-Cookie"]),
    of("orders::place",                 "Place an order",                                          &["payment_declined", "cart_in_checkout", "out_of_stock", "empty_order", "undeliverable", "too_expensive", "order_not_possible"])
        .more("The response is sent when the saga has ended: 201 with the confirmed order. If the saga takes longer, 202 with the order still `pending`: follow the order. If the order is rejected, all completed steps are compensated, and the problem document names the order in `order_id`."),
    of("orders::list",                  "The orders of the user, newest first",                    &["forbidden"]).more("Operators can read the orders of another user with `user_id`, and those of all users with `all`."),
    of("orders::get",                   "One order with its payment and its shipment",             &[]),
    of("orders::cancel",                "Cancel an order that has not been shipped",               &["not_cancellable", "busy"]).more("The parcel is cancelled, the payment is refunded, and the items go back to stock. 202 means that this is still in progress."),
    of("orders::return_items",          "Return items of a delivered order",                       &["not_returnable", "too_many_returned", "refund_too_large", "empty_order", "busy"]),
    of("orders::fulfil",                "Mark an order as packed, or hand it to the carrier",      &["illegal_transition", "busy"]),
    of("order_events::follow",          "Follow the status of an order, live",                     &["too_many_streams"])
        .more("Server-sent events: one `status` event for each entry of the order's timeline, until the order is in a final state. The data of an event is `{order_id, status, at, note}`; its id is the position in the timeline, from 1. With `Last-Event-ID` the stream continues after that event. 204 means that no more events will come: do not connect again."),
    of("payments::get",                 "One payment",                                             &[]),
    of("payments::refund",              "Refund a payment",                                        &["not_captured", "refund_too_large", "already_voided"]).more("Without an amount, the rest of the payment is refunded."),
    of("shipping::quote",               "Shipping prices for products to an address",              &["undeliverable"]),
    of("shipping::network",             "The hubs of the carriers' network",                       &[]),
    of("shipping::get",                 "One shipment, with its route",                            &[]),
    of("shipping::label",               "The label of a shipment",                                 &["already_cancelled"]).more("An SVG image with a Code 128 barcode of the tracking number."),
    of("shipping::track",               "Track a parcel",                                          &[]).more("Anyone with the tracking number (UPU S10) can track the parcel. The response has no personal data."),
    of("composed::storefront",          "The data of the home page",                               &[]),
    of("composed::account",             "The data of the account page",                            &["not_found"]),
    of("notifications::list",           "The inbox, newest first",                                 &[]),
    of("notifications::mark_read",      "Mark a message as read",                                  &[]),
    of("operation::metrics",            "Metrics for Prometheus",                                  &[]).more("The text format of Prometheus, version 0.0.4: requests by route, calls by service, breakers, cache, events, sagas, commits, the process."),
    of("operation::audit",              "The reconciliation of all services",                      &[]).more("Compares the records of all services. `balanced` is `true` if all equations hold."),
    of("traces::list",                  "The traces of the last minutes",                          &[]).more("All requests, newest first, without sampling. `--trace-memory` sets how much memory the traces may use; the oldest are dropped first."),
    of("traces::get",                   "All spans of one trace",                                  &[]).more("The request, each call between services with its payload and reply, each commit, each delivered event, and each step of a saga. Passwords, tokens and card numbers are replaced by `•••`."),
    of("analytics::analytics",          "Sales and traffic of the shop",                           &[]).more("Sales are computed from the orders. Traffic is computed from the traces of the last minutes."),
    of("events::list_dead",             "Dead letters: events that could not be delivered",        &[]),
    of("events::replay_dead",           "Deliver a dead letter again",                             &["not_delivered"]),
    of("controls::list_routes",         "The route table, with the settings of each route",        &[]),
    of("controls::change_route",        "Change the settings of a route",                          &[]).more("Disable the route with a message, or change its deadline or how long its responses are cached."),
    of("controls::list_services",       "The services and their instances",                        &[]),
    of("controls::change_service",      "Change the settings of a service",                        &[]).more("Change the number of instances, the load balancing, or when an instance is ejected."),
    of("controls::change_instance",     "Drain, eject or weight an instance",                      &["last_instance"]),
    of("controls::list_breakers",       "The circuit breakers",                                    &[]),
    of("controls::list_limits",         "The rate limits",                                         &[]),
    of("controls::change_limit",        "Change a rate limit",                                     &[]).more("If the rate changes, all clients start again with a full quota."),
    of("controls::change_breaker",      "Force a circuit breaker, or change when it opens",        &[]),
    of("lab::services",                 "The services and their instances",                        &[]),
    of("lab::crash",                    "Make an instance panic",                                  &[]),
    of("lab::pause",                    "Pause an instance",                                       &[]),
    of("lab::set_link",                 "Add latency or loss between two services",                &[]).more("The id names the caller and the service: `gateway.products`, `carts.products`. `any` stands for all: `any.products` is each link to `products`, and `any.any` is each link. `GET /api/v1/gateway/breakers` shows the state of each link."),
    of("lab::clear_link",               "Remove the faults between two services",                  &[]),
    of("operation::livez",              "Liveness: whether the process runs",                      &[]),
    of("operation::readyz",             "Readiness: whether the shop can serve",                   &[]).more("The shop is ready if each service has a ready instance, the disk accepts writes, and the shop is not shutting down."),
    of("operation::jwks",               "The public keys of access tokens",                        &[]).more("A JSON Web Key Set (RFC 7517). A new key is published one hour before it signs the first token."),
    of("operation::openapi",            "This document",                                           &[]),
];
