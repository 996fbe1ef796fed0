//! The actor: its handler table, one short handler per request, and `launch`.

use super::{
    carrier::{Carrier, DueScan, make_due_scans, next_scan},
    label,
    messages::*,
    network::NETWORK,
    records::ShipmentRecord,
    routes, rules,
    store::Store,
    tariff,
    tracking_number::TrackingNumber,
};
use crate::{
    env::Env,
    mesh::{Context, Failure, HandlerResult, service},
    services::ServiceDeps,
    storage::{Decision, StorageError},
    types::{OrderId, Service},
};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc::UnboundedSender};

/// The state that every instance shares.
#[derive(Clone)]
struct Shipping {
    env: Env,
    store: Store,
    /// Tells the carrier about the next scan of a parcel that it got.
    carrier: UnboundedSender<DueScan>,
    carrier_speed: f64,
}

service! { Shipping,
    handles {
        QuoteParcel        => quote,
        BookShipment       => book,
        CancelShipment     => cancel,
        HandOver           => hand_over,
        GetShipment        => get,
        GetShipmentOfOrder => get_of_order,
        DrawLabel          => draw_label,
        Track              => track,
        GetNetwork         => get_network,
        ReconcileShipments => reconcile,
    }
}

/// `carrier_speed`: how many times faster than real time parcels travel; 3600 is one hour per
/// second.
pub fn launch(deps: ServiceDeps, carrier_speed: f64) -> Result<(), StorageError> {
    let store = Store::new(&deps.tree);
    let (carrier, tell) = Carrier::new(deps.env.clone(), store.clone())?;
    let carrier = Arc::new(Mutex::new(carrier));
    let tables = store.outbox_tables();
    let shipping = Shipping { env: deps.env.clone(), store, carrier: tell, carrier_speed };
    deps.mesh.launch(Service::Shipping, deps.instances, move |on| start(&shipping, on));
    let env = deps.env.clone();
    deps.mesh.background(Service::Shipping, move || {
        let carrier = carrier.clone();
        async move { carrier.lock().await.run().await }
    });
    deps.mesh.background(Service::Shipping, move || {
        let env = env.clone();
        async move { routes::prepare(&env).await }
    });
    deps.mesh.relay(Service::Shipping, deps.tree, tables);
    Ok(())
}

impl Shipping {
    async fn quote(&self, _: Context, request: QuoteParcel) -> HandlerResult<QuoteParcel> {
        let QuoteParcel { country, postal_code, weight_grams, .. } = request;
        routes::prepare(&self.env).await;
        let now = self.env.now();
        let offer = |service| tariff::offer(service, country, &postal_code, weight_grams, now);
        let quotes = ShippingService::ALL.into_iter().map(|service| offer(service).map(Quote::from));
        Ok(quotes.collect::<Result<_, _>>()?)
    }

    async fn book(&self, _: Context, request: BookShipment) -> HandlerResult<BookShipment> {
        routes::prepare(&self.env).await;
        let found = match self.store.get(request.order_id)? {
            Some(record) => record,
            None => self.create(&request)?,
        };
        // The request that made the record may not have committed yet.
        self.store.commit().await?;
        let live = found.shipment.filter(|shipment| shipment.status != ShipmentStatus::Cancelled);
        Ok(live.ok_or(ShippingError::AlreadyCancelled)?)
    }

    /// The order's record: a new one, unless another request has made one meanwhile.
    fn create(&self, parcel: &BookShipment) -> Result<ShipmentRecord, Failure<ShippingError>> {
        let now = self.env.now();
        let address = &parcel.address;
        let offer = tariff::offer(parcel.service, address.country, &address.postal_code, parcel.weight_grams, now)?;
        let number = self.new_number(parcel.order_id)?;
        let shipment = rules::book(parcel, offer, &number, now);
        let fresh = ShipmentRecord { shipment: Some(shipment), ..ShipmentRecord::default() };
        Ok(self.store.get_or_create(parcel.order_id, &fresh)?)
    }

    fn new_number(&self, order: OrderId) -> Result<TrackingNumber, StorageError> {
        loop {
            let number = TrackingNumber::from_serial(self.env.below(0..TrackingNumber::SERIALS));
            if self.store.claim(&number, order)? {
                return Ok(number);
            }
        }
    }

    async fn cancel(&self, _: Context, request: CancelShipment) -> HandlerResult<CancelShipment> {
        let now = self.env.now();
        let cancelled: HandlerResult<CancelShipment> = self.store.change(request.order_id, |found| {
            let mut record = found.unwrap_or_default();
            if let Some(shipment) = &mut record.shipment {
                rules::cancel(shipment, now)?;
            }
            Ok(Decision::Save(record, ()))
        });
        // Also for a refusal, because it depends on a record that may not be on disk yet.
        self.store.commit().await?;
        cancelled
    }

    async fn hand_over(&self, _: Context, request: HandOver) -> HandlerResult<HandOver> {
        let changed = self.store.change(request.order_id, |found| self.handed_over(found));
        // Nothing is awaited between the change of the record and this, so no crash of an instance
        // comes in between.
        if let Some(at) = changed.as_ref().ok().and_then(next_scan) {
            // The carrier stops only with the whole pool. The next carrier finds the parcel in the
            // store.
            let _ = self.carrier.send((at, request.order_id));
        }
        self.store.commit().await?;
        Ok(changed?.shipment.ok_or(ShippingError::AlreadyCancelled)?)
    }

    fn handed_over(
        &self,
        found: Option<ShipmentRecord>,
    ) -> Result<Decision<ShipmentRecord, ShipmentRecord>, Failure<ShippingError>> {
        let mut record = found.ok_or(ShippingError::ShipmentNotFound)?;
        let shipment = record.shipment.as_mut().ok_or(ShippingError::AlreadyCancelled)?;
        let now = self.env.now();
        let scans = rules::hand_over(shipment, now, self.carrier_speed)?;
        if scans.is_empty() {
            return Ok(Decision::Keep(record));
        }
        record.to_come = scans;
        make_due_scans(&mut record, now);
        Ok(Decision::Save(record.clone(), record))
    }

    async fn get(&self, context: Context, request: GetShipment) -> HandlerResult<GetShipment> {
        self.visible(&context, rules::order_of(request.shipment_id))
    }

    async fn get_of_order(&self, context: Context, request: GetShipmentOfOrder) -> HandlerResult<GetShipmentOfOrder> {
        self.visible(&context, request.order_id)
    }

    async fn draw_label(&self, context: Context, request: DrawLabel) -> HandlerResult<DrawLabel> {
        let shipment = self.visible(&context, rules::order_of(request.shipment_id))?;
        if shipment.status == ShipmentStatus::Cancelled {
            return Err(ShippingError::AlreadyCancelled.into());
        }
        Ok(Label { svg: label::draw(&shipment) })
    }

    async fn track(&self, _: Context, request: Track) -> HandlerResult<Track> {
        let number = request.tracking_number.parse().map_err(|_| ShippingError::ShipmentNotFound)?;
        let shipment = self.store.by_number(&number)?.ok_or(ShippingError::ShipmentNotFound)?;
        Ok(shipment.into())
    }

    async fn get_network(&self, _: Context, _: GetNetwork) -> HandlerResult<GetNetwork> {
        Ok(NETWORK.hubs.clone())
    }

    async fn reconcile(&self, _: Context, request: ReconcileShipments) -> HandlerResult<ReconcileShipments> {
        let tally = |(order_id, record): (OrderId, ShipmentRecord)| {
            let status = record.shipment.map_or(ShipmentStatus::Cancelled, |shipment| shipment.status);
            ShipmentReconciliation { order_id, status }
        };
        let all = self.store.all(request.after).take(request.limit);
        Ok(all.map(|found| found.map(tally)).collect::<Result<_, _>>()?)
    }

    /// The order's shipment, if the principal may see it. Otherwise it looks as if it did not
    /// exist.
    fn visible(&self, context: &Context, order: OrderId) -> Result<Shipment, Failure<ShippingError>> {
        let shipment = self.store.get(order)?.and_then(|record| record.shipment);
        let own = shipment.filter(|shipment| context.principal.may_see(shipment.user_id));
        Ok(own.ok_or(ShippingError::ShipmentNotFound)?)
    }
}
