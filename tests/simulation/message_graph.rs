//! The graph of messages between services: every allowed call and every subscription is used, and
//! nothing else is sent.
//!
//! A customer makes one purchase of each kind in a shop without faults. The spans of that run name
//! the caller and the service of each call, and the event and the subscriber of each delivery.

use galleria::{
    app::Shop,
    config::Settings,
    env::Env,
    mesh::{Context, Request, TraceId},
    services::{
        ALLOWED_CALLS, SUBSCRIPTIONS,
        carts::messages::{CartOwner, SetItem},
        orders::messages::*,
        payments::messages::{AddMethod, Card},
        products::messages::{CreateProduct, StockLine},
        shipping::messages::ShippingService,
        users::messages::{AddAddress, RegisterUser},
    },
    storage::Storage,
    telemetry::{SpanKind, Tracer},
    types::{Currency, Money, PaymentMethodId, Principal, ProductId, Role, Secret, Service, Timestamp, UserId},
};
use std::{collections::BTreeSet, time::Duration};

type Edges = BTreeSet<(&'static str, String)>;

#[test]
fn the_observed_graph_of_messages_is_the_declared_one() {
    let folder = crate::folder();
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let (calls, deliveries) = actix::System::with_tokio_rt(runtime).block_on(async {
        let env = Env::simulated(1, Timestamp::from_second(1_800_000_000).expect("a moment"));
        let storage = Storage::open(folder.path(), &env).expect("a data folder");
        let settings = Settings { carrier_speed: 36_000.0, demo: false, ..Settings::default() };
        let tracer = Tracer::new(&env, 256 << 20, Duration::from_secs(24 * 3600), None);
        let shop = Shop::over(storage, &settings, env, tracer.clone(), &[]).expect("a shop");
        Customer::new(&shop).await.makes_one_purchase_of_each_kind().await;
        shop.mesh.stop();
        observed(&tracer)
    });
    let declared_calls: Edges = ALLOWED_CALLS
        .iter()
        .flat_map(|(caller, services)| services.iter().map(|service| (caller.name(), service.name().to_owned())))
        .collect();
    let declared_deliveries: Edges = SUBSCRIPTIONS
        .iter()
        .flat_map(|(subscriber, events)| events.iter().map(|event| (subscriber.name(), (*event).to_owned())))
        .collect();
    assert_eq!(calls, declared_calls, "calls: observed, then declared");
    assert_eq!(deliveries, declared_deliveries, "deliveries: observed, then declared");
}

/// From the spans: which service calls which, and which service receives which event.
fn observed(tracer: &Tracer) -> (Edges, Edges) {
    let (mut calls, mut deliveries) = (Edges::new(), Edges::new());
    for span in tracer.ring().expect("a tracer that is on").all() {
        match &span.what {
            SpanKind::Call { caller, service, .. } if Service::ALL.iter().any(|service| service.name() == *caller) => {
                calls.insert((caller, service.name().to_owned()));
            }
            SpanKind::Delivery { subscriber, event, .. } => {
                deliveries.insert((subscriber.name(), event.to_string()));
            }
            _ => {}
        }
    }
    (calls, deliveries)
}

struct Customer<'a> {
    shop: &'a Shop,
    user_id: UserId,
    product_id: ProductId,
}

impl<'a> Customer<'a> {
    /// A registered customer of a shop with one product.
    async fn new(shop: &'a Shop) -> Self {
        let kettle = CreateProduct {
            slug: "kettle".parse().expect("a slug"),
            name: "Kettle".parse().expect("a name"),
            description: None,
            category: "kitchen".parse().expect("a slug"),
            category_name: None,
            price: Money::new(4900, Currency::EUR).expect("a price"),
            image: None,
            weight_grams: 900,
            tags: Vec::new(),
            featured: false,
            on_hand: 40,
        };
        let product = shop.mesh.call(&shop.context(), kettle).await.expect("a product");
        let register = RegisterUser {
            email: "ada@example.com".parse().expect("an address"),
            password: Secret::new("a long walk at dawn".into()),
            name: "Ada".parse().expect("a name"),
            key: None,
            from: None,
        };
        let registered = shop.mesh.call(&shop.context(), register).await.expect("an account");
        Self { shop, user_id: registered.signed_in.user.id, product_id: product.id }
    }

    async fn makes_one_purchase_of_each_kind(&self) {
        let good = self.card("4242 4242 4242 4242").await;
        let declined = self.card("4000 0000 0000 0002").await;
        let fails_refunds = self.card("4000 0000 0000 5126").await;

        let quantity = Some(1.try_into().expect("a quantity"));
        self.ask(SetItem { owner: CartOwner::User(self.user_id), product_id: self.product_id, quantity }).await;
        let of_cart = self.order("of the cart", None, good).await;
        assert_eq!(of_cart.status, OrderStatus::Confirmed);
        let cancelled = self.ask(CancelOrder { order_id: of_cart.id }).await;
        assert_eq!(cancelled.status, OrderStatus::Cancelled);

        let rejected = self.order("declined", Some(self.two_kettles()), declined).await;
        assert_eq!(rejected.status, OrderStatus::Rejected);

        let order_id = self.order("returned", Some(self.two_kettles()), fails_refunds).await.id;
        for to in [Fulfilment::Packed, Fulfilment::Shipped] {
            self.shop.mesh.call(&self.shop.context(), FulfilOrder { order_id, to }).await.expect("fulfilled");
        }
        // At this speed a day of the carrier takes 2.4 seconds.
        self.sleep(120).await;
        assert_eq!(self.ask(GetOrder { order_id }).await.status, OrderStatus::Delivered);
        let (key, reason) = ("key".to_owned(), "too loud".parse().expect("a reason"));
        self.ask(ReturnItems { order_id, key, lines: self.two_kettles(), reason }).await;
        // Until the provider has reported the failed refund, and every event is delivered.
        self.sleep(60).await;
    }

    async fn card(&self, number: &str) -> PaymentMethodId {
        let card = Card {
            number: Secret::new(number.into()),
            exp_month: 12,
            exp_year: 2040,
            cvc: Secret::new("123".into()),
            name: "Ada".parse().expect("a name"),
        };
        self.ask(AddMethod { user_id: self.user_id, card }).await.id
    }

    async fn order(&self, key: &str, items: Option<Vec<StockLine>>, payment_method_id: PaymentMethodId) -> Order {
        let address = crate::people::address();
        let saved = self.ask(AddAddress { user_id: self.user_id, address }).await;
        self.ask(PlaceOrder {
            user_id: self.user_id,
            key: key.into(),
            items,
            destination: Destination::Saved(saved.id),
            shipping_service: ShippingService::Standard,
            payment_method_id,
        })
        .await
    }

    fn two_kettles(&self) -> Vec<StockLine> {
        vec![StockLine { product_id: self.product_id, quantity: 2.try_into().expect("a quantity") }]
    }

    async fn ask<R: Request>(&self, request: R) -> R::Reply {
        let principal = Principal::User { id: self.user_id, role: Role::Customer };
        let context = Context::new(principal, Duration::from_secs(30), TraceId(self.shop.env.bytes()));
        match self.shop.mesh.call(&context, request).await {
            Ok(reply) => reply,
            Err(error) => panic!("{}: {error}", R::NAME),
        }
    }

    async fn sleep(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}
