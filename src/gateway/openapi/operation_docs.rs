//! The texts of the OpenAPI document for each operation: what does not follow from the route table and the handler's types.

/// The texts of one operation.
pub struct OperationDoc {
    pub handler: &'static str,
    pub summary: &'static str,
    /// The codes of refusals beside those of the gateway: of [`super::problems::CODES`].
    pub refusals: &'static [&'static str],
    /// What happens behind it, if the summary does not say everything.
    pub description: &'static str,
    /// Headers of its replies that other operations do not have.
    pub headers: &'static [&'static str],
}

const fn of(handler: &'static str, summary: &'static str, refusals: &'static [&'static str]) -> OperationDoc {
    OperationDoc { handler, summary, refusals, description: "", headers: &[] }
}

impl OperationDoc {
    pub const NONE: Self = of("", "", &[]);

    const fn more(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    const fn with(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }
}

/// The parts of the API, by the modules of their handlers: who answers, and what happens behind.
#[rustfmt::skip]
pub const TAGS: &[(&str, &str)] = &[
    ("users",         "Answered by the `users` actor, which owns accounts, sessions and address books. Passwords are kept as argon2id hashes; an access token is a JWT signed with EdDSA that lives for 15 minutes and that the gateway checks with public keys alone; a refresh token is opaque, good for one use, and using it twice ends its session."),
    ("products",      "Answered by the `products` actor: the catalogue and the stock. Reading is cached at the gateway; whoever changes a product purges what was kept of it before he is answered. Pieces are reserved for an order, then sold or given back."),
    ("carts",         "Answered by the `carts` actor, which asks `products` for prices and stock at each look. A guest's cart hangs on a signed cookie and is merged into the account's at sign-in."),
    ("orders",        "Answered by the `orders` actor, which runs each order as a saga: reserve the stock, authorize the payment, book the parcel, capture the payment, confirm. Each step is written down before it is sent, so that a crash in between leaves nothing half done: what cannot be finished is undone, step by step."),
    ("payments",      "Answered by the `payments` actor, in front of a sandbox of a payment provider with a ledger of its own. A card number exists only while it is turned into a payment method; test cards alone are taken."),
    ("shipping",      "Answered by the `shipping` actor: a network of hubs in which parcels take the cheapest or the fastest route, labels with a barcode, and a carrier that moves parcels along."),
    ("notifications", "Answered by the `notifications` actor, which nobody tells what to write: it hears the events of orders, payments and parcels."),
    ("composed",      "Answered by the gateway, which asks several services side by side, under one deadline. A part that fails is `null` and named in `degraded`; the rest is served."),
    ("operation",     "For whoever runs the shop: probes, public keys, this document, the books."),
    ("events",        "Events that a subscriber would not take, put aside so that the later ones go on."),
    ("analytics",     "What was sold, and what came to the door."),
    ("traces",        "What was done in the last minutes, message by message."),
    ("controls",      "What runs behind the door, to look at and to change while it runs: routes, services and their instances, circuit breakers, limits. A change is a merge patch (RFC 7396); it is kept, and stays in force after a restart."),
    ("lab",           "To disturb the running shop, and see that it takes no harm."),
];

const PASSWORDS: &str = "busy";

#[rustfmt::skip]
pub const OPERATIONS: &[OperationDoc] = &[
    of("users::register",            "Open an account, and sign in",                    &["email_taken", PASSWORDS]).with(&["Set-Cookie"])
        .more("The same request with the same `Idempotency-Key` signs in again, with fresh tokens. Browsers (whoever sends `Sec-Fetch-Site`) get their tokens as cookies alone, programs in the body too."),
    of("users::sign_in",             "Sign in",                                         &["invalid_credentials", "too_many_guesses", PASSWORDS]).with(&["Set-Cookie"])
        .more("An address without an account is told from a wrong password neither by words nor by time. Who guesses waits longer and longer. The guest's cart is merged into the account's."),
    of("users::refresh",             "Trade a refresh token for fresh tokens",          &["refresh_token_invalid", "refresh_token_reused"]).with(&["Set-Cookie"])
        .more("The token comes in the body, or in the browser's cookie. Using one twice ends its session (RFC 9700 §4.14): one of the two was a thief."),
    of("users::sign_out",            "End this session",                                &[]).with(&["Set-Cookie", "Clear-Site-Data"]),
    of("users::get_me",              "Who is signed in",                                &["not_found"]),
    of("users::update_me",           "Change one's name or e-mail address",             &["not_found", "email_taken"]),
    of("users::change_password",     "Change one's password",                           &["not_found", "too_many_guesses", PASSWORDS]).more("All other sessions end."),
    of("users::list_sessions",       "One's sessions, the newest first",                &[]),
    of("users::end_all_sessions",    "End all of one's sessions",                       &[]).with(&["Set-Cookie", "Clear-Site-Data"]),
    of("users::end_session",         "End one session",                                 &[]).with(&["Set-Cookie", "Clear-Site-Data"]),
    of("users::list_addresses",      "The address book",                                &[]),
    of("users::add_address",         "Add an address",                                  &["address_book_full"]),
    of("users::get_address",         "One address",                                     &[]),
    of("users::replace_address",     "Replace an address",                              &[]),
    of("users::remove_address",      "Remove an address",                               &[]),
    of("payments::list_methods",     "One's payment methods",                           &[]),
    of("payments::add_method",       "Turn a card into a payment method",               &["too_many_methods"]).more("Only published test cards are taken, such as 4242 4242 4242 4242. What is wrong with a card is told by `errors` and `card_code`."),
    of("payments::remove_method",    "Remove a payment method",                         &[]),
    of("users::redeem_setup",        "Make the first operator's account",               &["setup_token_invalid", "email_taken", PASSWORDS]).with(&["Set-Cookie"])
        .more("With the token of the link that the program prints when it starts without an operator."),
    of("products::find",             "Search the catalogue",                            &[]).more("Every word of `q` must begin a word of a product's name, description, tags or category."),
    of("products::create",           "Put a product on sale",                           &["slug_taken"]).with(&["ETag"]),
    of("products::get",              "One product, by its id or its slug",              &[]),
    of("products::update",           "Change a product",                                &["slug_taken", "stale"]).with(&["ETag"]).more("With `If-Match`, only if it is as you have read it."),
    of("products::retire",           "Take a product off sale",                         &["stale"]).more("Orders keep what they bought."),
    of("products::set_stock",        "Count a product's stock, or correct it",          &["below_reserved", "stale"]).more("Either `on_hand` or `adjust_by`."),
    of("products::list_categories",  "Categories that have products on sale",           &[]),
    of("carts::get",                 "The cart, with the prices of now",                &[]),
    of("carts::clear",               "Empty the cart",                                  &[]).with(&["Set-Cookie"]),
    of("carts::set_item",            "So many pieces of a product are in the cart",     &["cart_full", "too_expensive"]).with(&["Set-Cookie"]),
    of("carts::remove_item",         "Take a product out of the cart",                  &["cart_full", "too_expensive"]).with(&["Set-Cookie"]),
    of("orders::place",              "Place an order",                                  &["payment_declined", "cart_in_checkout", "out_of_stock", "empty_order", "undeliverable", "too_expensive", "order_not_possible"])
        .more("Answers when the saga is at rest: 201 with the confirmed order. Where it takes longer, 202 with the order still `pending`: follow it. A refusal undoes whatever was done, and names the order in `order_id`."),
    of("orders::list",               "One's orders, the newest first",                  &["forbidden"]).more("Operators may look at others' with `user_id`, and at everybody's with `all`."),
    of("orders::get",                "One order with its payment and its parcel",       &[]),
    of("orders::cancel",             "Cancel an order that has not been shipped",       &["not_cancellable", "busy"]).more("The parcel is cancelled, the money given back, the pieces put back: 202 while that goes on."),
    of("orders::return_items",       "Send pieces of a delivered order back",           &["not_returnable", "too_many_returned", "refund_too_large", "empty_order", "busy"]),
    of("orders::fulfil",             "Pack an order, or hand it to the carrier",        &["illegal_transition", "busy"]),
    of("order_events::follow",       "Follow an order, live",                           &["too_many_streams"])
        .more("Server-sent events: one `status` event for each entry of the order's timeline until it is at rest. Its data is `{order_id, status, at, note}`, its id the place in the timeline; `Last-Event-ID` goes on from there. 204: there is nothing to come back for."),
    of("payments::get",              "One payment",                                     &[]),
    of("payments::refund",           "Give money back",                                 &["not_captured", "refund_too_large", "already_voided"]).more("All that is left, where no amount is given."),
    of("shipping::quote",            "What it costs to send products there",            &["undeliverable"]),
    of("shipping::network",          "The hubs of the carriers' network",               &[]),
    of("shipping::get",              "One parcel, with its route",                      &[]),
    of("shipping::label",            "A parcel's label",                                &["already_cancelled"]).more("An SVG with a Code 128 barcode of the tracking number."),
    of("shipping::track",            "Where a parcel is",                               &[]).more("For anybody who has its tracking number (UPU S10), and without personal data."),
    of("composed::storefront",       "What the first page of the shop shows",           &[]),
    of("composed::account",          "Everything on the account's page",                &["not_found"]),
    of("notifications::list",        "One's inbox, the newest first",                   &[]),
    of("notifications::mark_read",   "Mark a message as read",                          &[]),
    of("operation::metrics",         "Counters, for Prometheus",                        &[]).more("Prometheus' text format, version 0.0.4: requests by route, calls by service, breakers, cache, events, sagas, commits, the process."),
    of("operation::audit",           "The books of the whole shop",                     &[]).more("Every service is asked for its side; `balanced` where all equations hold."),
    of("traces::list",               "What was done in the last minutes",               &[]).more("Every request, unsampled, the newest first, as far back as there is memory for (`--trace-memory`)."),
    of("traces::get",                "Every message of one trace",                      &[]).more("The request, each call of the mesh with what was sent and answered, each commit, each event that was delivered and each step of a saga. Passwords, tokens and cards are shown as `•••`."),
    of("analytics::analytics",       "How the shop does",                               &[]).more("What was sold, by the orders themselves; and what came to the door in the last minutes, by the spans that are kept."),
    of("events::list_dead",          "Events that were put aside",                      &[]),
    of("events::replay_dead",        "Deliver such an event once more",                 &["not_delivered"]),
    of("controls::list_routes",      "The route table, and how each route is served",   &[]),
    of("controls::change_route",     "Change how a route is served",                    &[]).more("Disable it with a message of your own, give it another deadline, keep its answers for longer."),
    of("controls::list_services",    "The services and their instances",                &[]),
    of("controls::change_service",   "Change how a service runs",                       &[]).more("Scale it, spread its calls in another way, say when an instance is ejected."),
    of("controls::change_instance",  "Drain, eject or weigh an instance",               &["last_instance"]),
    of("controls::list_breakers",    "The circuit breakers",                            &[]),
    of("controls::list_limits",      "How often a client may call",                     &[]),
    of("controls::change_limit",     "Change how often a client may call",              &[]).more("Everybody begins anew with a full quota."),
    of("controls::change_breaker",   "Force a breaker, or change when it opens",        &[]),
    of("lab::services",              "What runs",                                       &[]),
    of("lab::crash",                 "Make an instance panic",                          &[]),
    of("lab::pause",                 "Make an instance do nothing for a while",         &[]),
    of("lab::set_link",              "Make a way between two services slow or lossy",   &[]).more("Named by its ends: `gateway.products`, `carts.products`; `any` stands for all, so that `any.products` is every way to it and `any.any` is every way. `GET /api/v1/gateway/breakers` shows how each is."),
    of("lab::clear_link",            "Make that way good again",                        &[]),
    of("operation::livez",           "Whether the process turns",                       &[]),
    of("operation::readyz",          "Whether the shop can serve",                      &[]).more("Each service has an instance that is ready, the disk takes writes, and the shop is not closing."),
    of("operation::jwks",            "The public keys of access tokens",                &[]).more("RFC 7517. A new key is here an hour before it signs."),
    of("operation::openapi",         "This document",                                   &[]),
];
