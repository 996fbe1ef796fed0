//! The actor of orders: one short handler per request and event.

use super::{
    draft::OrderDraft, messages::*, orchestrator::Orchestrator, records::OrderRecord, saga::StepRefusal, store::Store,
    watch::OrderNews,
};
use crate::{
    env::Env,
    mesh::{Context, Failure, HandlerResult, Mesh, MeshError, ProcessedEvents, service},
    services::{ServiceDeps, payments::messages::RefundFailed, shipping::messages::ShipmentDelivered},
    storage::StorageError,
    types::{Cursor, OrderId, Page, Service},
};
use std::time::Duration;

/// What all instances share.
#[derive(Clone)]
struct Orders {
    env: Env,
    mesh: Mesh,
    store: Store,
    orchestrator: Orchestrator,
    processed_events: ProcessedEvents,
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
        ReconcileOrders       => reconcile,
        CountUnfinished       => count_unfinished,
        CountNeedingAttention => count_needing_attention,
    }
    subscribes {
        ShipmentDelivered     => mark_delivered,
        RefundFailed          => note_failed_refund,
    }
}

/// A request that waits for a saga is answered this long before its deadline.
const ANSWER_BEFORE_DEADLINE: Duration = Duration::from_millis(50);
/// The most orders in one reply to the audit.
const MOST_RECONCILED: usize = 1000;

/// Starts the service, and continues the sagas that were running when the program last ended.
///
/// Errors: the tree cannot be read.
pub fn launch(deps: ServiceDeps) -> Result<(), StorageError> {
    let ServiceDeps { env, mesh, tree, instances } = deps;
    let store = Store::new(&tree);
    let open = store.open_orders()?;
    if !open.is_empty() {
        log::info!(open = open.len(); "continuing orders that were unfinished when the program ended");
    }
    let left_behind = store.with_running_saga(open)?;
    let orchestrator = Orchestrator::new(env.clone(), mesh.clone(), store.clone(), left_behind);
    let processed_events = ProcessedEvents::in_tree(&tree);
    let orders =
        Orders { env, mesh: mesh.clone(), store: store.clone(), orchestrator: orchestrator.clone(), processed_events };
    mesh.launch(Service::Orders, instances, move |on| start(&orders, on));
    mesh.relay(Service::Orders, tree, store.outbox_tables());
    mesh.background(Service::Orders, move || orchestrator.clone().sweep_forever());
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
                let free_cart =
                    is_of_cart.then(|| self.store.check_cart_is_free(&request, self.env.now())).transpose()?;
                let draft = OrderDraft { env: &self.env, mesh: &self.mesh, context: &context };
                let order = draft.build(&request).await?;
                self.store.place(&request, OrderRecord::placed(order, is_of_cart), free_cart).await?
            }
        };
        match record.order.status {
            OrderStatus::Pending => Ok(self.finish(&context, record).await?.into_view()),
            // Placing has ended before. A saga that runs now is another one.
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
        // Not completed in time: the same key will find it completed, or still running.
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

    async fn reconcile(&self, _: Context, request: ReconcileOrders) -> HandlerResult<ReconcileOrders> {
        let records = self.store.all(request.after).take(request.limit.min(MOST_RECONCILED));
        records.map(|record| Ok(record?.reconciliation().map_err(|_| OrdersError::TooExpensive)?)).collect()
    }

    async fn count_unfinished(&self, _: Context, _: CountUnfinished) -> HandlerResult<CountUnfinished> {
        Ok(self.store.open_orders()?.len() as u64)
    }

    async fn count_needing_attention(
        &self,
        _: Context,
        _: CountNeedingAttention,
    ) -> HandlerResult<CountNeedingAttention> {
        Ok(self.store.count_needing_attention()?)
    }

    async fn mark_delivered(&self, _: Context, event: ShipmentDelivered) -> Result<(), MeshError> {
        let now = self.env.now();
        // Fails while the order is still being handed over; the relay then delivers the event
        // again.
        let delivered = self.store.change(event.order_id, |record| record.deliver(now)).await;
        delivered.map(|_| ()).map_err(Failure::into_mesh)
    }

    async fn note_failed_refund(&self, _: Context, event: RefundFailed) -> Result<(), MeshError> {
        let now = self.env.now();
        let noted = self.store.change(event.order_id, |record| record.fail_refund(&event.refund, now)).await;
        noted.map(|_| ()).map_err(Failure::into_mesh)
    }

    fn processed_events(&self) -> &ProcessedEvents {
        &self.processed_events
    }

    /// The order, if it exists and the principal may see it.
    fn visible(&self, context: &Context, id: OrderId) -> Result<OrderRecord, Failure<OrdersError>> {
        let found = self.store.order(id)?.filter(|record| context.principal.may_see(record.order.user_id));
        found.ok_or_else(|| OrdersError::OrderNotFound.into())
    }

    /// Executes the running saga, if there is one, and gives the order when the saga has ended or
    /// shortly before the deadline. `Err` if the saga was refused.
    async fn finish(&self, context: &Context, record: OrderRecord) -> Result<OrderRecord, Failure<OrdersError>> {
        let Some(saga) = record.saga.as_ref().map(|saga| saga.number) else { return Ok(record) };
        let id = record.order.id;
        self.orchestrator.execute(record, context.trace);
        let record = self.wait(context, id, |news| news.concluded >= saga).await?;
        match record.refusal_of(saga) {
            None => Ok(record),
            Some(refusal) => Err(OrdersError::from(refusal).into()),
        }
    }

    /// The order when it is as wanted, or shortly before the deadline.
    async fn wait(
        &self,
        context: &Context,
        id: OrderId,
        wanted: impl Fn(&OrderNews) -> bool,
    ) -> Result<OrderRecord, Failure<OrdersError>> {
        // Subscribe before reading, so that no change between the two is missed.
        let mut listener = self.store.listen(id);
        let read = || self.store.order(id)?.ok_or_else(|| Failure::from(OrdersError::OrderNotFound));
        let record = read()?;
        if wanted(&OrderNews::of(&record)) {
            // Another task may have written it and not committed yet. A reply must be on disk.
            self.store.commit().await?;
            return Ok(record);
        }
        let until = context.deadline.checked_sub(ANSWER_BEFORE_DEADLINE).unwrap_or(context.deadline);
        // After the timeout the reply is the order as it is.
        let _ = tokio::time::timeout_at(until, listener.wait_for(wanted)).await;
        let record = read()?;
        if OrderNews::of(&record) != listener.latest() {
            // A later change, or one without a notification, may not be committed yet.
            self.store.commit().await?;
        }
        Ok(record)
    }
}

impl From<&StepRefusal> for OrdersError {
    fn from(refusal: &StepRefusal) -> Self {
        match refusal {
            StepRefusal::HandedOver => Self::NotCancellable { status: "with the carrier".into() },
            StepRefusal::RefundTooLarge { left } => Self::RefundTooLarge { left: *left },
            // Only a saga of placing, whose reply is the rejected order.
            StepRefusal::Rejected(_) => Self::Busy,
        }
    }
}
