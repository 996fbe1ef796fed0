//! The public face of shipping: its requests, replies, events and errors.
#![deny(missing_docs)]

use crate::{
    mesh::{events, requests},
    types::{Address, Country, Money, OrderId, Service, ShipmentId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Shipping, ShippingError,
    query anyone                  QuoteParcel        "shipping.quote"                    -> Vec<Quote>,
    keyed staff(ShipmentNotFound) BookShipment       "shipping.book" by order_id         -> Shipment,
    keyed staff(ShipmentNotFound) CancelShipment     "shipping.cancel" by order_id       -> (),
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

/// The three shipping services. Each costs more and is faster than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShippingService {
    /// The cheapest route.
    Economy,
    /// A balance of price and time.
    Standard,
    /// The fastest route.
    Express,
}

impl ShippingService {
    /// All services, cheapest first.
    pub const ALL: [Self; 3] = [Self::Economy, Self::Standard, Self::Express];
}

/// What a parcel costs with each service, cheapest first. Errors: `Undeliverable`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QuoteParcel {
    /// The destination's country.
    pub country: Country,
    /// The destination's postal code; it decides which hub serves the address.
    pub postal_code: String,
    /// The destination's city; not used for the price.
    pub city: String,
    /// The weight of the parcel in grams; 0 counts as 1.
    pub weight_grams: u64,
}

/// What one service costs, and when it delivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    /// The service.
    pub service: ShippingService,
    /// The price, in euro.
    pub cost: Money,
    /// When the parcel is delivered if it leaves the warehouse within a day.
    pub delivery_by: Timestamp,
    /// The cities of the hubs on the route, from the warehouse to the customer.
    pub route: Vec<String>,
}

/// Books a parcel for an order.
///
/// One shipment per order: a repeated request gets the first answer; a request after
/// [`CancelShipment`] is refused. Errors: `Undeliverable`, `AlreadyCancelled`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BookShipment {
    /// The order that the parcel is for.
    pub order_id: OrderId,
    /// The customer, who may see the shipment.
    pub user_id: UserId,
    /// The destination.
    pub address: Address,
    /// The weight of the parcel in grams.
    pub weight_grams: u64,
    /// The service that the customer chose.
    pub service: ShippingService,
}

/// Cancels a booking, also one that has not been made yet: a late [`BookShipment`] is then refused.
/// Errors: `AlreadyHandedOver`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelShipment {
    /// The order that the parcel was for.
    pub order_id: OrderId,
}

/// Hands the parcel to the carrier, which moves it along its route from now on. Repeating it
/// changes nothing. Errors: `ShipmentNotFound`, `AlreadyCancelled`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HandOver {
    /// The order that the parcel is for.
    pub order_id: OrderId,
}

/// One shipment. Errors: `ShipmentNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetShipment {
    /// Which shipment.
    pub shipment_id: ShipmentId,
}

/// The shipment of an order. Errors: `ShipmentNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetShipmentOfOrder {
    /// Which order.
    pub order_id: OrderId,
}

/// A parcel on its way to a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shipment {
    /// The id of the shipment.
    pub id: ShipmentId,
    /// The order that the parcel is for.
    pub order_id: OrderId,
    /// The customer.
    pub user_id: UserId,
    /// Where the parcel is.
    pub status: ShipmentStatus,
    /// The service that the customer chose.
    pub service: ShippingService,
    /// The price, in euro.
    pub cost: Money,
    /// The weight in grams.
    pub weight_grams: u64,
    /// Two letters, eight digits, a check digit and two letters (UPU standard S10).
    pub tracking_number: String,
    /// The destination.
    pub address: Address,
    /// The delivery time that was promised when the parcel was booked.
    pub delivery_by: Timestamp,
    /// From the warehouse's hub to the customer's. Planned again when the carrier gets the parcel.
    pub route: Vec<Stop>,
    /// What happened so far, oldest first.
    pub events: Vec<TrackingEvent>,
    /// When the parcel was booked.
    pub created_at: Timestamp,
}

/// Where a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// It is in the warehouse, and its label is printed.
    LabelCreated,
    /// The carrier has it.
    PickedUp,
    /// It travels from one hub to the next.
    InTransit,
    /// It has arrived at a hub.
    AtHub,
    /// It is in the van that drives to the customer.
    OutForDelivery,
    /// The customer has it.
    Delivered,
    /// Something went wrong on the way.
    Exception,
    /// It went back to the shop.
    Returned,
    /// It was cancelled before the carrier had it.
    Cancelled,
}

/// A hub on a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stop {
    /// The hub.
    pub hub: Hub,
    /// When the parcel is planned to arrive there.
    pub planned_at: Timestamp,
    /// How the parcel gets there; `null` at the first hub.
    pub by: Option<Ride>,
}

/// How a parcel travels between two hubs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ride {
    /// The name of the company.
    pub carrier: String,
    /// The kind of vehicle.
    pub mode: Mode,
}

/// A kind of transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By lorry.
    Road,
    /// By train.
    Rail,
    /// By plane.
    Air,
    /// By ship.
    Sea,
}

/// A city where parcels change vehicles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hub {
    /// Three capital letters, such as `BER`.
    pub code: String,
    /// The name of the city, in English.
    pub city: String,
    /// The country of the city (ISO 3166-1 alpha-2).
    pub country: Country,
    /// Degrees north: −90 to 90.
    pub latitude: f64,
    /// Degrees east: −180 to 180.
    pub longitude: f64,
}

/// One scan of a parcel, or another change of its status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackingEvent {
    /// The status from then on.
    pub status: ShipmentStatus,
    /// The city of the hub; `null` where it did not happen at a hub.
    pub hub: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}

/// The label of a shipment. Errors: `ShipmentNotFound`, `AlreadyCancelled`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DrawLabel {
    /// Which shipment.
    pub shipment_id: ShipmentId,
}

/// The reply to [`DrawLabel`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Label {
    /// An SVG of 4 × 6 inches with a Code 128 barcode (ISO/IEC 15417) of the tracking number.
    pub svg: String,
}

/// Where a parcel is, for everyone who knows its tracking number. The reply has no personal data.
/// Errors: `ShipmentNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Track {
    /// With or without spaces, in upper or lower case.
    pub tracking_number: String,
}

/// What everyone may know of a shipment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tracking {
    /// The number of the parcel (UPU standard S10).
    pub tracking_number: String,
    /// Where the parcel is.
    pub status: ShipmentStatus,
    /// The service that the customer chose.
    pub service: ShippingService,
    /// What happened so far, oldest first.
    pub events: Vec<TrackingEvent>,
    /// From the warehouse's hub to the customer's.
    pub route: Vec<Stop>,
    /// The delivery time that was promised when the parcel was booked.
    pub delivery_by: Timestamp,
}

/// All hubs of the network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetNetwork {}

/// For the audit: all shipments, sorted by order id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileShipments {
    /// Only shipments after this order.
    pub after: Option<OrderId>,
    /// How many shipments at most.
    pub limit: usize,
}

/// The status of the shipment of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentReconciliation {
    /// The order.
    pub order_id: OrderId,
    /// `Cancelled` also where the order was cancelled before a shipment was booked.
    pub status: ShipmentStatus,
}

/// Why a request to shipping failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShippingError {
    /// No carrier takes this parcel to this address.
    #[error("we do not deliver there: {reason}")]
    Undeliverable {
        /// The reason, for the customer.
        reason: String,
    },
    /// There is no such shipment, or the principal may not see it.
    #[error("there is no such shipment")]
    ShipmentNotFound,
    /// The shipment was cancelled, or the order was cancelled before the shipment was booked.
    #[error("the shipment was cancelled")]
    AlreadyCancelled,
    /// The carrier has the parcel, so the shipment cannot be cancelled.
    #[error("the carrier has the parcel already")]
    AlreadyHandedOver,
}

/// The status of a parcel changed after the carrier got it. Published for every scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentMoved {
    /// The order that the parcel is for.
    pub order_id: OrderId,
    /// The customer.
    pub user_id: UserId,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// The number of the parcel (UPU standard S10).
    pub tracking_number: String,
    /// The scan.
    pub event: TrackingEvent,
}

/// A parcel was delivered. Published once per shipment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentDelivered {
    /// The order that the parcel was for.
    pub order_id: OrderId,
    /// The customer.
    pub user_id: UserId,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// When it was delivered.
    pub at: Timestamp,
}
