//! Test doubles of the services that orders calls, on a real mesh: one actor answers for all of
//! them from one [`World`], with faults that the test injects.

use super::world::{World, euro};
use crate::{
    env::{Env, later},
    mesh::{Context, Failure, HandlerResult, Handlers, MeshError, ProcessedEvents, Request, service},
    services::{
        carts::messages::*,
        orders::messages::{
            OrderCancelled, OrderConfirmed, OrderDelivered, OrderRejected, OrderReturned, OrderShipped,
        },
        payments::messages::*,
        products::messages::*,
        shipping::messages::*,
        users::messages::{GetAddress, SavedAddress, UsersError},
    },
    storage::Tree,
    types::{CartId, Id, OrderId, PaymentId, ProductId, Quantity, ShipmentId, Timestamp, UserId},
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;

/// The state that the test and all doubles share. It survives a crash of the shop.
#[derive(Clone, Default)]
pub struct Stage(Arc<Mutex<Props>>);

#[derive(Default)]
pub struct Props {
    pub world: World,
    pub catalogue: Vec<Product>,
    pub cart: Vec<(ProductId, Quantity)>,
    pub addresses: Vec<SavedAddress>,
    pub methods: Vec<PaymentMethod>,
    /// The names of the sagas' requests, in the order of arrival.
    pub calls: Vec<&'static str>,
    /// The names of the events, in the order of delivery.
    pub events: Vec<&'static str>,
    pub last_tracking_number: String,
    /// The faults of the next requests with a name.
    faults: HashMap<&'static str, VecDeque<Fault>>,
    /// The fault of all further requests with a name.
    lasting: HashMap<&'static str, Fault>,
    /// The shop stops after this many further calls of sagas.
    stop: Option<Stop>,
    pub stopped: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Done and answered.
    Healthy,
    /// Fails at once, and is not done.
    Down,
    /// Not done; no reply.
    RequestLost,
    /// Done; no reply.
    ReplyLost,
    /// Done after this time.
    Late(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Stop {
    calls_left: u32,
    after_it_is_done: bool,
}

impl Stage {
    pub fn lock(&self) -> MutexGuard<'_, Props> {
        self.0.lock()
    }

    pub fn next(&self, request: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.entry(request).or_default().extend(faults);
    }

    /// From now on, until [`Fault::Healthy`].
    pub fn always(&self, request: &'static str, fault: Fault) {
        self.lock().lasting.insert(request, fault);
    }

    /// From the n-th call on, nothing is done or answered; the n-th call itself is done if
    /// `after_it_is_done`.
    pub fn stop_at(&self, call: u32, after_it_is_done: bool) -> Arc<Notify> {
        let mut props = self.lock();
        props.stop = Some(Stop { calls_left: call, after_it_is_done });
        props.stopped = Arc::default();
        props.stopped.clone()
    }

    pub fn go_on(&self) {
        self.lock().stop = None;
    }

    /// The sagas' calls since the last call of this function.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.lock().calls)
    }
}

impl Props {
    fn fault(&mut self, request: &'static str) -> Fault {
        if let Some(stop) = &mut self.stop {
            stop.calls_left = stop.calls_left.saturating_sub(1);
            if stop.calls_left == 0 {
                self.stopped.notify_one();
                let done = std::mem::take(&mut stop.after_it_is_done);
                return if done { Fault::ReplyLost } else { Fault::RequestLost };
            }
        }
        let next = self.faults.get_mut(request).and_then(VecDeque::pop_front);
        next.or_else(|| self.lasting.get(request).copied()).unwrap_or(Fault::Healthy)
    }
}

#[derive(Clone)]
pub struct Doubles {
    env: Env,
    stage: Stage,
    processed_events: ProcessedEvents,
}

service! { Doubles,
    handles {
        GetProducts    => get_products,
        GetCart        => get_cart,
        GetAddress     => get_address,
        ListMethods    => list_methods,
        QuoteParcel    => quote_parcel,
        ReserveStock   => reserve_stock,
        ReleaseStock   => release_stock,
        CommitStock    => commit_stock,
        ReturnStock    => return_stock,
        Authorize      => authorize,
        Void           => void,
        Capture        => capture,
        IssueRefund    => refund,
        BookShipment   => book_shipment,
        CancelShipment => cancel_shipment,
        HandOver       => hand_over,
        CheckOut       => check_out,
    }
    subscribes {
        OrderConfirmed => confirmed,
        OrderRejected  => rejected,
        OrderShipped   => shipped,
        OrderDelivered => delivered,
        OrderCancelled => cancelled,
        OrderReturned  => returned,
    }
}

/// Starts one more instance on this thread. `tree` keeps its processed events.
pub fn double(env: &Env, stage: &Stage, tree: &Tree) -> Handlers {
    let doubles = Doubles { env: env.clone(), stage: stage.clone(), processed_events: ProcessedEvents::in_tree(tree) };
    start(&doubles, &actix::Arbiter::current())
}

/// Queries.
impl Doubles {
    async fn get_products(&self, _: Context, request: GetProducts) -> HandlerResult<GetProducts> {
        let catalogue = self.stage.lock().catalogue.clone();
        Ok(catalogue.into_iter().filter(|product| request.ids.contains(&product.id)).collect())
    }

    async fn get_cart(&self, _: Context, _: GetCart) -> HandlerResult<GetCart> {
        let lines = self.stage.lock().cart.clone();
        let items = lines.into_iter().map(|(product_id, quantity)| CartItem {
            product_id,
            name: String::new(),
            image: String::new(),
            unit_price: euro(0),
            quantity,
            line_total: euro(0),
            available: 0,
        });
        let id = CartId::from_uuid(uuid::Uuid::nil());
        Ok(Cart { id, items: items.collect(), subtotal: euro(0), item_count: 0 })
    }

    async fn get_address(&self, _: Context, request: GetAddress) -> HandlerResult<GetAddress> {
        let addresses = self.stage.lock().addresses.clone();
        let found = addresses.into_iter().find(|saved| saved.id == request.address_id);
        Ok(found.ok_or(UsersError::AddressNotFound)?)
    }

    async fn list_methods(&self, _: Context, _: ListMethods) -> HandlerResult<ListMethods> {
        Ok(self.stage.lock().methods.clone())
    }

    async fn quote_parcel(&self, _: Context, request: QuoteParcel) -> HandlerResult<QuoteParcel> {
        if request.country.code() == "AQ" {
            return Err(ShippingError::Undeliverable { reason: "no carrier goes there".into() }.into());
        }
        let now = self.env.now();
        let quote = |service, cost| Quote { service, cost: euro(cost), delivery_by: now, route: Vec::new() };
        Ok(vec![quote(ShippingService::Economy, 500), quote(ShippingService::Express, 1500)])
    }
}

/// Commands of sagas.
impl Doubles {
    async fn act<R: Request>(
        &self,
        effect: impl FnOnce(&mut Props, Timestamp) -> Result<R::Reply, R::Error>,
    ) -> HandlerResult<R> {
        let fault = {
            let mut props = self.stage.lock();
            props.calls.push(R::NAME);
            props.fault(R::NAME)
        };
        match fault {
            Fault::Down => return Err(MeshError::Failed("down".into()).into()),
            Fault::RequestLost => std::future::pending().await,
            Fault::Late(by) => tokio::time::sleep(by).await,
            Fault::Healthy | Fault::ReplyLost => {}
        }
        let now = self.env.now();
        let answer = {
            let mut props = self.stage.lock();
            props.world.lapse(now);
            effect(&mut props, now)
        };
        if fault == Fault::ReplyLost {
            std::future::pending().await
        }
        answer.map_err(Failure::Domain)
    }

    async fn reserve_stock(&self, _: Context, request: ReserveStock) -> HandlerResult<ReserveStock> {
        let ReserveStock { order_id, lines, until } = request;
        self.act::<ReserveStock>(|props, _| props.world.reserve(order_id, &lines, until)).await
    }

    async fn release_stock(&self, _: Context, request: ReleaseStock) -> HandlerResult<ReleaseStock> {
        self.act::<ReleaseStock>(|props, _| props.world.release(request.order_id)).await
    }

    async fn commit_stock(&self, _: Context, request: CommitStock) -> HandlerResult<CommitStock> {
        self.act::<CommitStock>(|props, _| props.world.commit(request.order_id)).await
    }

    async fn return_stock(&self, _: Context, request: ReturnStock) -> HandlerResult<ReturnStock> {
        self.act::<ReturnStock>(|props, _| props.world.put_back(request.return_id, &request.lines)).await
    }

    async fn authorize(&self, _: Context, request: Authorize) -> HandlerResult<Authorize> {
        self.act::<Authorize>(|props, now| {
            props.world.authorize(request.order_id, request.amount)?;
            Ok(payment(request.order_id, request.user_id, now))
        })
        .await
    }

    async fn void(&self, _: Context, request: Void) -> HandlerResult<Void> {
        self.act::<Void>(|props, _| props.world.void(request.order_id)).await
    }

    async fn capture(&self, _: Context, request: Capture) -> HandlerResult<Capture> {
        self.act::<Capture>(|props, now| {
            props.world.capture(request.order_id)?;
            Ok(payment(request.order_id, UserId::from_uuid(request.order_id.uuid()), now))
        })
        .await
    }

    async fn refund(&self, _: Context, request: IssueRefund) -> HandlerResult<IssueRefund> {
        let PaymentRef::OfOrder(order_id) = request.payment else { panic!("sagas know the order") };
        self.act::<IssueRefund>(|props, _| props.world.refund(order_id, &request.key, request.amount)).await
    }

    async fn book_shipment(&self, _: Context, request: BookShipment) -> HandlerResult<BookShipment> {
        self.act::<BookShipment>(|props, now| {
            props.world.book(request.order_id)?;
            Ok(shipment(request, now))
        })
        .await
    }

    async fn cancel_shipment(&self, _: Context, request: CancelShipment) -> HandlerResult<CancelShipment> {
        self.act::<CancelShipment>(|props, _| props.world.cancel_shipment(request.order_id)).await
    }

    async fn hand_over(&self, _: Context, request: HandOver) -> HandlerResult<HandOver> {
        self.act::<HandOver>(|props, now| {
            props.world.hand_over(request.order_id)?;
            let booked = BookShipment {
                order_id: request.order_id,
                user_id: UserId::from_uuid(request.order_id.uuid()),
                address: super::fixtures::address("DE"),
                weight_grams: 1,
                service: ShippingService::Economy,
            };
            Ok(shipment(booked, now))
        })
        .await
    }

    async fn check_out(&self, _: Context, request: CheckOut) -> HandlerResult<CheckOut> {
        self.act::<CheckOut>(|props, _| {
            props.world.empty_cart(request.order_id);
            Ok(())
        })
        .await
    }
}

/// Events.
impl Doubles {
    async fn confirmed(&self, _: Context, _: OrderConfirmed) -> Result<(), MeshError> {
        self.record("confirmed")
    }

    async fn rejected(&self, _: Context, _: OrderRejected) -> Result<(), MeshError> {
        self.record("rejected")
    }

    async fn shipped(&self, _: Context, event: OrderShipped) -> Result<(), MeshError> {
        self.stage.lock().last_tracking_number = event.tracking_number;
        self.record("shipped")
    }

    async fn delivered(&self, _: Context, _: OrderDelivered) -> Result<(), MeshError> {
        self.record("delivered")
    }

    async fn cancelled(&self, _: Context, _: OrderCancelled) -> Result<(), MeshError> {
        self.record("cancelled")
    }

    async fn returned(&self, _: Context, _: OrderReturned) -> Result<(), MeshError> {
        self.record("returned")
    }

    fn record(&self, event: &'static str) -> Result<(), MeshError> {
        self.stage.lock().events.push(event);
        Ok(())
    }

    fn processed_events(&self) -> &ProcessedEvents {
        &self.processed_events
    }
}

fn payment(order_id: OrderId, user_id: UserId, now: Timestamp) -> Payment {
    Payment {
        id: PaymentId::from_uuid(order_id.uuid()),
        order_id,
        user_id,
        amount: euro(0),
        captured: euro(0),
        refunded: euro(0),
        status: PaymentStatus::Authorized,
        decline_code: None,
        method: MethodSummary { brand: "visa".into(), last4: "4242".into() },
        refunds: Vec::new(),
        events: Vec::new(),
        created_at: now,
    }
}

fn shipment(booked: BookShipment, now: Timestamp) -> Shipment {
    let BookShipment { order_id, user_id, address, weight_grams, service } = booked;
    Shipment {
        id: ShipmentId::from_uuid(order_id.uuid()),
        order_id,
        user_id,
        status: ShipmentStatus::LabelCreated,
        service,
        cost: euro(500),
        weight_grams,
        tracking_number: "GA473124829DE".into(),
        address,
        delivery_by: later(now, Duration::from_secs(86_400)),
        route: Vec::new(),
        events: Vec::new(),
        created_at: now,
    }
}
