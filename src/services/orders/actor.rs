//! The actor: one short handler per request.

use super::{
    draft::Drafting, driver::Driver, messages::*, record::OrderRecord, saga::Refusal, store::Store, watch::News,
};
use crate::{
    env::Env,
    mesh::{Context, Failure, HandlerResult, Mesh, MeshError, ProcessedEvents, service},
    services::{ServiceDeps, payments::messages::RefundFailed, shipping::messages::ShipmentDelivered},
    storage::StorageError,
    types::{Cursor, OrderId, Page, Service},
};
use std::time::Duration;

/// What every instance shares.
#[derive(Clone)]
struct Orders {
    env: Env,
    mesh: Mesh,
    store: Store,
    driver: Driver,
    heard: ProcessedEvents,
}

service! { Orders,
    handles {
        PlaceOrder            => place,
        GetOrder              => get,
        AwaitChange           => await_change,
        ListOrders            => list,
        CancelOrder           => cancel,
        ReturnItems           => take_back,
        FulfilOrder           => fulfil,
        ReconcileOrders       => tally,
        CountUnfinished       => count_unfinished,
        CountNeedingAttention => count_needing_attention,
    }
    subscribes {
        ShipmentDelivered     => shipment_delivered,
        RefundFailed          => refund_failed,
    }
}

/// Who waits for a saga is answered so long before nobody waits for the answer any more.
const ANSWER_BEFORE_DEADLINE: Duration = Duration::from_millis(50);
const MOST_TALLIES: usize = 1000;

/// Starts the service, and goes on with every saga that was under way when the program last ended.
pub fn launch(deps: ServiceDeps) -> Result<(), StorageError> {
    let ServiceDeps { env, mesh, tree, instances } = deps;
    let store = Store::new(&tree);
    let open = store.open()?;
    if !open.is_empty() {
        log::info!(open = open.len(); "orders had something unfinished when the program ended");
    }
    let left_behind = store.under_way(open)?;
    let driver = Driver::new(env.clone(), mesh.clone(), store.clone(), left_behind);
    let heard = ProcessedEvents::in_tree(&tree);
    let orders = Orders { env, mesh: mesh.clone(), store: store.clone(), driver: driver.clone(), heard };
    mesh.launch(Service::Orders, instances, move |on| start(&orders, on));
    mesh.relay(Service::Orders, tree, vec![store.owing()]);
    mesh.background(Service::Orders, move || driver.clone().sweep());
    Ok(())
}

impl Orders {
    async fn place(&self, context: Context, request: PlaceOrder) -> HandlerResult<PlaceOrder> {
        if !context.principal.may_see(request.user_id) {
            return Err(OrdersError::Forbidden.into());
        }
        let record = match self.store.placed_before(&request).await? {
            Some(record) => record,
            None => {
                let is_of_cart = request.items.is_none();
                let turn = is_of_cart.then(|| self.store.cart_turn(&request, self.env.now())).transpose()?;
                let drafting = Drafting { env: &self.env, mesh: &self.mesh, context: &context };
                let order = drafting.draft(&request).await?;
                self.store.place(&request, OrderRecord::placed(order, is_of_cart), turn).await?
            }
        };
        match record.order.status {
            OrderStatus::Pending => Ok(self.finish(&context, record).await?.into_view()),
            // Placed long ago: whatever is under way now is another matter.
            _ => Ok(record.into_view()),
        }
    }

    async fn get(&self, context: Context, request: GetOrder) -> HandlerResult<GetOrder> {
        Ok(self.visible(&context, request.order_id)?.into_view())
    }

    async fn await_change(&self, context: Context, request: AwaitChange) -> HandlerResult<AwaitChange> {
        self.visible(&context, request.order_id)?;
        let record = self.wait(&context, request.order_id, |news| news.version > request.after).await?;
        Ok(record.into_view())
    }

    async fn list(&self, context: Context, request: ListOrders) -> HandlerResult<ListOrders> {
        let ListOrders { user_id, status, limit, cursor } = request;
        let may = user_id.map_or(context.principal.is_staff(), |user| context.principal.may_see(user));
        if !may {
            return Err(OrdersError::Forbidden.into());
        }
        let name = format!("orders of {user_id:?}, {status:?}");
        let after = cursor.map(|cursor| cursor.position::<OrderId>(&name)).transpose().map_err(OrdersError::from)?;
        let found = self.store.list(user_id, status, after).take(limit.get() + 1).collect::<Result<Vec<_>, _>>()?;
        let items: Vec<Order> = found.into_iter().map(OrderRecord::into_view).collect();
        Ok(Page::cut(items, limit.get(), |last| Cursor::after(&name, &last.id)))
    }

    async fn cancel(&self, context: Context, request: CancelOrder) -> HandlerResult<CancelOrder> {
        self.visible(&context, request.order_id)?;
        let (return_id, now) = (self.env.id(), self.env.now());
        let record = self.store.change(request.order_id, |record| record.cancel(return_id, now)).await?;
        Ok(self.finish(&context, record).await?.into_view())
    }

    async fn take_back(&self, context: Context, request: ReturnItems) -> HandlerResult<ReturnItems> {
        self.visible(&context, request.order_id)?;
        let (return_id, now) = (self.env.id(), self.env.now());
        let record = self.store.change(request.order_id, |record| record.take_back(&request, return_id, now)).await?;
        if let Some(refund) = record.refund_under(&request.key) {
            return Ok(refund.clone());
        }
        let record = self.finish(&context, record).await?;
        // Not done in time: the same key will find it done, or going on.
        Ok(record.refund_under(&request.key).ok_or(OrdersError::Busy)?.clone())
    }

    async fn fulfil(&self, context: Context, request: FulfilOrder) -> HandlerResult<FulfilOrder> {
        let now = self.env.now();
        let changed = self.store.change(request.order_id, |record| match request.to {
            Fulfilment::Packed => record.pack(now),
            Fulfilment::Shipped => record.ship(now),
        });
        let record = changed.await?;
        Ok(self.finish(&context, record).await?.into_view())
    }

    async fn tally(&self, _: Context, request: ReconcileOrders) -> HandlerResult<ReconcileOrders> {
        let records = self.store.all(request.after).take(request.limit.min(MOST_TALLIES));
        records.map(|record| Ok(record?.tally().map_err(|_| OrdersError::TooExpensive)?)).collect()
    }

    async fn count_unfinished(&self, _: Context, _: CountUnfinished) -> HandlerResult<CountUnfinished> {
        Ok(self.store.open()?.len() as u64)
    }

    async fn count_needing_attention(
        &self,
        _: Context,
        _: CountNeedingAttention,
    ) -> HandlerResult<CountNeedingAttention> {
        Ok(self.store.count_needing_attention()?)
    }

    async fn shipment_delivered(&self, _: Context, event: ShipmentDelivered) -> Result<(), MeshError> {
        let now = self.env.now();
        // An order that is only just being handed over refuses: the relay brings the event again.
        let delivered = self.store.change(event.order_id, |record| record.deliver(now)).await;
        delivered.map(|_| ()).map_err(Failure::into_mesh)
    }

    async fn refund_failed(&self, _: Context, event: RefundFailed) -> Result<(), MeshError> {
        let now = self.env.now();
        let noted = self.store.change(event.order_id, |record| record.fail_refund(&event.refund, now)).await;
        noted.map(|_| ()).map_err(Failure::into_mesh)
    }

    fn processed_events(&self) -> &ProcessedEvents {
        &self.heard
    }

    /// The order, if it exists and the principal may see it.
    fn visible(&self, context: &Context, id: OrderId) -> Result<OrderRecord, Failure<OrdersError>> {
        let found = self.store.order(id)?.filter(|record| context.principal.may_see(record.order.user_id));
        found.ok_or_else(|| OrdersError::OrderNotFound.into())
    }

    /// Drives the saga that is under way, if any, and gives the order as it is when that is over, or shortly before the deadline;
    /// or why the saga came to nothing.
    async fn finish(&self, context: &Context, record: OrderRecord) -> Result<OrderRecord, Failure<OrdersError>> {
        let Some(saga) = record.saga.as_ref().map(|saga| saga.number) else { return Ok(record) };
        let id = record.order.id;
        self.driver.drive(record, context.trace);
        let record = self.wait(context, id, |news| news.concluded >= saga).await?;
        match record.refusal_of(saga) {
            None => Ok(record),
            Some(refusal) => Err(OrdersError::from(refusal).into()),
        }
    }

    /// The order when there are such news of it, or shortly before the deadline.
    async fn wait(
        &self,
        context: &Context,
        id: OrderId,
        wanted: impl Fn(&News) -> bool,
    ) -> Result<OrderRecord, Failure<OrdersError>> {
        // First the ear, then the eye: nothing falls in between.
        let mut listener = self.store.listen(id);
        let look = || self.store.order(id)?.ok_or_else(|| Failure::from(OrdersError::OrderNotFound));
        let record = look()?;
        if wanted(&News::of(&record)) {
            // Whoever wrote it may be about to commit it; what is answered is on disk.
            self.store.commit().await?;
            return Ok(record);
        }
        let until = context.deadline.checked_sub(ANSWER_BEFORE_DEADLINE).unwrap_or(context.deadline);
        // In time or not, the order is as it is.
        let _ = tokio::time::timeout_at(until, listener.wait_for(wanted)).await;
        let record = look()?;
        if News::of(&record) != listener.told() {
            // Changed again, or never told of: what is answered is on disk.
            self.store.commit().await?;
        }
        Ok(record)
    }
}

impl From<&Refusal> for OrdersError {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::HandedOver => Self::NotCancellable { status: "with the carrier".into() },
            Refusal::RefundTooLarge { left } => Self::RefundTooLarge { left: *left },
            // Of placing, which answers with the order, rejected.
            Refusal::Rejected(_) => Self::Busy,
        }
    }
}
