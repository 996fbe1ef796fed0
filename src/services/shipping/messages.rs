//! What shipping can be asked, what it answers, and what it tells.

use crate::{
    mesh::{events, requests},
    types::{Address, Country, Money, OrderId, Service, ShipmentId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Shipping, ShippingError,
    query anyone                  QuoteParcel        "shipping.quote"                    -> Vec<Quote>,
    keyed owner                   BookShipment       "shipping.book" by order_id         -> Shipment,
    keyed owner                   CancelShipment     "shipping.cancel" by order_id       -> (),
    keyed staff(ShipmentNotFound) HandOver           "shipping.hand_over" by order_id    -> Shipment,
    query owner                   GetShipment        "shipping.get"                      -> Shipment,
    query owner                   GetShipmentOfOrder "shipping.get_of_order" by order_id -> Shipment,
    query owner                   DrawLabel          "shipping.draw_label"               -> Label,
    query anyone                  Track              "shipping.track"                    -> Tracking,
    query anyone                  GetNetwork         "shipping.get_network"              -> Vec<Hub>,
    query staff(ShipmentNotFound) ReconcileShipments "shipping.reconcile"                -> Vec<ShipmentReconciliation>,
}

#[rustfmt::skip]
events! { Service::Shipping,
    ShipmentMoved     "shipping.moved",
    ShipmentDelivered "shipping.delivered",
}

/// Three ways to be served; none is cheaper than the one before it, none slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShippingService {
    /// The cheapest route.
    Economy,
    /// Between the two.
    Standard,
    /// The fastest route.
    Express,
}

impl ShippingService {
    /// In that order.
    pub const ALL: [Self; 3] = [Self::Economy, Self::Standard, Self::Express];
}

/// What it would cost to send so much weight there, by each service, cheapest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QuoteParcel {
    pub country: Country,
    pub postal_code: String,
    pub city: String,
    /// Nothing counts as 1.
    pub weight_grams: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    pub service: ShippingService,
    pub cost: Money,
    /// When it is with the customer if it leaves within a day.
    pub delivery_by: Timestamp,
    /// The cities of the hubs on the way, from the warehouse's to the customer's.
    pub route: Vec<String>,
}

/// Books a parcel for the order, once: asking again gives the first answer; asking after a [`CancelShipment`] is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BookShipment {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub address: Address,
    pub weight_grams: u64,
    pub service: ShippingService,
}

/// Takes the booking back, also one that has not been made yet: then a late [`BookShipment`] is refused. Not once the carrier has the parcel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelShipment {
    pub order_id: OrderId,
}

/// The parcel is given to the carrier, which moves it along its route from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HandOver {
    pub order_id: OrderId,
}

/// A shipment of the principal's own (or anybody's, for staff).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetShipment {
    pub shipment_id: ShipmentId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetShipmentOfOrder {
    pub order_id: OrderId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shipment {
    pub id: ShipmentId,
    pub order_id: OrderId,
    pub user_id: UserId,
    pub status: ShipmentStatus,
    pub service: ShippingService,
    pub cost: Money,
    pub weight_grams: u64,
    /// Two letters, eight digits, a check digit, two letters (UPU S10).
    pub tracking_number: String,
    pub address: Address,
    /// As promised when it was booked.
    pub delivery_by: Timestamp,
    /// From the warehouse's hub to the customer's; planned anew when the carrier gets the parcel.
    pub route: Vec<Stop>,
    pub events: Vec<TrackingEvent>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    LabelCreated,
    PickedUp,
    InTransit,
    AtHub,
    OutForDelivery,
    Delivered,
    Exception,
    Returned,
    Cancelled,
}

/// A hub on a route, and when the parcel is planned to be there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stop {
    pub hub: Hub,
    pub planned_at: Timestamp,
    /// What brings it there; nothing at the first.
    pub by: Option<Ride>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ride {
    pub carrier: String,
    pub mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Road,
    Rail,
    Air,
    Sea,
}

/// A city where parcels change vehicles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hub {
    /// Such as `BER`.
    pub code: String,
    pub city: String,
    pub country: Country,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackingEvent {
    pub status: ShipmentStatus,
    /// The city, where it happened at a hub.
    pub hub: Option<String>,
    pub at: Timestamp,
}

/// The label of a shipment of the principal's own: an SVG with a Code 128 barcode of the tracking number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DrawLabel {
    pub shipment_id: ShipmentId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Label {
    pub svg: String,
}

/// Where the parcel of that number is, for anybody who has the number: no personal data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Track {
    pub tracking_number: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tracking {
    pub tracking_number: String,
    pub status: ShipmentStatus,
    pub service: ShippingService,
    pub events: Vec<TrackingEvent>,
    pub route: Vec<Stop>,
    pub delivery_by: Timestamp,
}

/// All hubs of the network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetNetwork {}

/// For the audit: shipments in the order of their orders' ids, from after `after`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileShipments {
    pub after: Option<OrderId>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentReconciliation {
    pub order_id: OrderId,
    pub status: ShipmentStatus,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShippingError {
    #[error("we do not deliver there: {reason}")]
    Undeliverable { reason: String },
    #[error("there is no such shipment")]
    ShipmentNotFound,
    #[error("the shipment was cancelled")]
    AlreadyCancelled,
    #[error("the carrier has the parcel already")]
    AlreadyHandedOver,
}

/// The parcel was scanned on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentMoved {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub shipment_id: ShipmentId,
    pub tracking_number: String,
    pub event: TrackingEvent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentDelivered {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub shipment_id: ShipmentId,
    pub at: Timestamp,
}
