//! How the status of a shipment may change, and when and where its parcel is scanned.

use super::{
    messages::{ShipmentStatus::*, *},
    routes::HUB_HOURS,
    tariff::{Offer, ROUND_HOURS, hours},
    tracking_number::TrackingNumber,
};
use crate::{
    env::{later, since},
    types::{Id, OrderId, ShipmentId, Timestamp},
};
use std::time::Duration;

/// A new shipment, with its label printed.
pub fn book(parcel: &BookShipment, offer: Offer, number: &TrackingNumber, now: Timestamp) -> Shipment {
    Shipment {
        id: ShipmentId::from_uuid(parcel.order_id.uuid()),
        order_id: parcel.order_id,
        user_id: parcel.user_id,
        status: LabelCreated,
        service: parcel.service,
        cost: offer.cost,
        weight_grams: parcel.weight_grams,
        tracking_number: number.to_string(),
        address: parcel.address.clone(),
        delivery_by: offer.delivery_by,
        route: offer.route,
        events: vec![TrackingEvent { status: LabelCreated, hub: None, at: now }],
        created_at: now,
    }
}

/// An order has at most one shipment. Both ids contain the same UUID, so that no index is needed.
pub fn order_of(shipment: ShipmentId) -> OrderId {
    OrderId::from_uuid(shipment.uuid())
}

/// Whether status `to` may come directly after `from`.
pub fn may_follow(from: ShipmentStatus, to: ShipmentStatus) -> bool {
    let next: &[ShipmentStatus] = match from {
        LabelCreated => &[PickedUp, Cancelled],
        PickedUp => &[InTransit, OutForDelivery],
        InTransit => &[AtHub, Exception],
        AtHub => &[InTransit, OutForDelivery, Exception],
        OutForDelivery => &[Delivered, AtHub, Exception],
        Exception => &[InTransit, AtHub, OutForDelivery, Returned],
        Delivered | Returned | Cancelled => &[],
    };
    next.contains(&to)
}

/// Applies a scan; `false` if the status cannot change like that.
pub fn scan(shipment: &mut Shipment, scan: &TrackingEvent) -> bool {
    let possible = may_follow(shipment.status, scan.status);
    if possible {
        shipment.status = scan.status;
        shipment.events.push(scan.clone());
    }
    possible
}

/// Cancels the booking. Repeating it changes nothing. Errors: `AlreadyHandedOver`.
pub fn cancel(shipment: &mut Shipment, now: Timestamp) -> Result<(), ShippingError> {
    let cancelled = TrackingEvent { status: Cancelled, hub: None, at: now };
    if shipment.status == Cancelled || scan(shipment, &cancelled) {
        Ok(())
    } else {
        Err(ShippingError::AlreadyHandedOver)
    }
}

/// Plans all scans of the parcel from `now` on, for a carrier that is `speed` times faster than
/// real ones. The first scan is due at once. Empty if the carrier has the parcel already. Errors:
/// `AlreadyCancelled`.
pub fn hand_over(shipment: &mut Shipment, now: Timestamp, speed: f64) -> Result<Vec<TrackingEvent>, ShippingError> {
    if shipment.status == Cancelled {
        return Err(ShippingError::AlreadyCancelled);
    }
    if !may_follow(shipment.status, PickedUp) {
        return Ok(Vec::new());
    }
    let start = shipment.route.first().map_or(now, |stop| stop.planned_at);
    let real = |planned: Timestamp| later(now, at_speed(since(planned, start), speed));
    let scans = itinerary(shipment).map(|scan| TrackingEvent { at: real(scan.at), ..scan }).collect();
    for stop in &mut shipment.route {
        stop.planned_at = real(stop.planned_at);
    }
    Ok(scans)
}

/// The scans as they were planned when the shipment was booked. They are computed from the shipment
/// alone, so that a change of the network moves no parcel that is on its way.
fn itinerary(shipment: &Shipment) -> impl Iterator<Item = TrackingEvent> {
    let scan = |status, stop: &Stop, at| TrackingEvent { status, hub: Some(stop.hub.city.clone()), at };
    let picked_up = shipment.route.first().map(|stop| scan(PickedUp, stop, stop.planned_at));
    let between = shipment.route.windows(2).flat_map(move |hubs| {
        let leaves = later(hubs[0].planned_at, hours(HUB_HOURS));
        [scan(InTransit, &hubs[0], leaves), scan(AtHub, &hubs[1], hubs[1].planned_at)]
    });
    let out = shipment.route.last().map(|stop| {
        let waiting = since(shipment.delivery_by, stop.planned_at).saturating_sub(hours(ROUND_HOURS));
        scan(OutForDelivery, stop, later(stop.planned_at, waiting))
    });
    let delivered = TrackingEvent { status: Delivered, hub: None, at: shipment.delivery_by };
    picked_up.into_iter().chain(between).chain(out).chain([delivered])
}

/// In whole milliseconds, like all timestamps. A speed that is not positive counts as 1.
fn at_speed(span: Duration, speed: f64) -> Duration {
    let speed = if speed > 0.0 { speed } else { 1.0 };
    Duration::from_millis((span.as_millis() as f64 / speed) as u64)
}

impl From<Shipment> for Tracking {
    /// What everyone may see who knows the tracking number.
    fn from(shipment: Shipment) -> Self {
        let Shipment { tracking_number, status, service, events, route, delivery_by, .. } = shipment;
        Self { tracking_number, status, service, events, route, delivery_by }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tariff, *};
    use crate::types::{Address, UserId};
    use proptest::prelude::*;
    use uuid::Uuid;

    const ALL: [ShipmentStatus; 9] =
        [LabelCreated, PickedUp, InTransit, AtHub, OutForDelivery, Delivered, Exception, Returned, Cancelled];

    fn shipment(service: ShippingService, country: &str) -> Shipment {
        let parcel = BookShipment {
            order_id: OrderId::from_uuid(Uuid::from_u128(1)),
            user_id: UserId::from_uuid(Uuid::from_u128(2)),
            address: Address {
                name: "Ada Lovelace".parse().unwrap(),
                line1: "1 St James's Square".parse().unwrap(),
                line2: None,
                city: "Anywhere".parse().unwrap(),
                postal_code: "1".parse().unwrap(),
                country: country.parse().unwrap(),
                phone: None,
            },
            weight_grams: 1_000,
            service,
        };
        let now = Timestamp::UNIX_EPOCH;
        let offer = tariff::offer(service, parcel.address.country, "1", parcel.weight_grams, now).unwrap();
        book(&parcel, offer, &TrackingNumber::from_serial(1), now)
    }

    fn scan_at(status: ShipmentStatus, at: Timestamp) -> TrackingEvent {
        TrackingEvent { status, hub: None, at }
    }

    #[test]
    fn a_parcel_is_picked_up_carried_from_hub_to_hub_and_delivered() {
        let mut parcel = shipment(ShippingService::Express, "FR");
        let now = later(parcel.created_at, hours(7));
        let scans = hand_over(&mut parcel, now, 1.0).unwrap();
        let seen: Vec<_> = scans.iter().map(|scan| (scan.status, scan.hub.as_deref().unwrap_or("the door"))).collect();
        let expected = [
            (PickedUp, "Rotterdam"),
            (InTransit, "Rotterdam"),
            (AtHub, "Brussels"),
            (InTransit, "Brussels"),
            (AtHub, "Paris"),
            (OutForDelivery, "Paris"),
            (Delivered, "the door"),
        ];
        assert_eq!(seen, expected);
        let after: Vec<_> = scans.iter().map(|scan| since(scan.at, now).as_secs() / 3_600).collect();
        assert_eq!(after, [0, 3, 6, 9, 15, 16, 21]);
        assert_eq!(parcel.route[2].planned_at, scans[4].at);
    }

    #[test]
    fn a_faster_carrier_makes_the_same_scans_in_less_time() {
        let hour = |speed| {
            let scans = hand_over(&mut shipment(ShippingService::Economy, "JP"), Timestamp::UNIX_EPOCH, speed).unwrap();
            since(scans.last().unwrap().at, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(hour(3_600.0).as_millis(), hour(1.0).as_millis() / 3_600);
        assert_eq!(hour(f64::INFINITY), Duration::ZERO);
        for nonsense in [0.0, -1.0, f64::NAN] {
            assert_eq!(hour(nonsense), hour(1.0), "{nonsense}");
        }
        assert!(hour(1e-300) > hour(1.0));
    }

    #[test]
    fn a_shipment_is_handed_over_once_and_cancelled_only_before() {
        let now = Timestamp::UNIX_EPOCH;
        let mut parcel = shipment(ShippingService::Standard, "DE");
        let scans = hand_over(&mut parcel, now, 1.0).unwrap();
        assert!(scan(&mut parcel, &scans[0]));
        assert_eq!(hand_over(&mut parcel, now, 1.0), Ok(vec![]));
        assert_eq!(cancel(&mut parcel, now), Err(ShippingError::AlreadyHandedOver));

        let mut parcel = shipment(ShippingService::Standard, "DE");
        assert_eq!((cancel(&mut parcel, now), cancel(&mut parcel, now)), (Ok(()), Ok(())));
        assert_eq!(parcel.events.len(), 2);
        assert_eq!(hand_over(&mut parcel, now, 1.0), Err(ShippingError::AlreadyCancelled));
    }

    #[test]
    fn no_status_follows_a_final_one() {
        for end in [Delivered, Returned, Cancelled] {
            assert!(ALL.iter().all(|next| !may_follow(end, *next)), "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_scanned_the_events_are_a_possible_sequence(tried in prop::collection::vec(prop::sample::select(&ALL), 0..40)) {
            let mut parcel = shipment(ShippingService::Economy, "NL");
            for status in tried {
                let before = parcel.clone();
                if !scan(&mut parcel, &scan_at(status, Timestamp::UNIX_EPOCH)) {
                    prop_assert_eq!(&parcel, &before);
                }
            }
            prop_assert_eq!(parcel.events[0].status, LabelCreated);
            prop_assert!(parcel.events.windows(2).all(|two| may_follow(two[0].status, two[1].status)));
            prop_assert_eq!(parcel.events.last().unwrap().status, parcel.status);
        }

        #[test]
        fn every_planned_scan_is_possible_when_it_is_due(
            service in prop::sample::select(&ShippingService::ALL),
            country in prop::sample::select(&["NL", "DE", "GB", "IS", "GR", "US", "JP", "AU"]),
            speed in 0.5..1e9f64,
        ) {
            let mut parcel = shipment(service, country);
            let scans = hand_over(&mut parcel, Timestamp::UNIX_EPOCH, speed).unwrap();
            prop_assert!(scans.is_sorted_by_key(|scan| scan.at));
            prop_assert!(scans.iter().all(|made| scan(&mut parcel, made)));
            prop_assert_eq!(parcel.status, Delivered);
        }
    }
}
