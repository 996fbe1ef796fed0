//! The users, products and orders of the tests.

use super::{
    doubles::Stage,
    world::{World, euro},
};
use crate::{
    services::{
        orders::{messages::*, rules},
        payments::messages::PaymentMethod,
        products::messages::{Availability, Product, StockLine},
        shipping::messages::ShippingService,
        users::messages::SavedAddress,
    },
    types::{Address, AddressId, Id, PaymentMethodId, Principal, ProductId, Role, Timestamp},
};
use uuid::Uuid;

pub fn new_stage() -> Stage {
    let stage = Stage::default();
    {
        let mut props = stage.lock();
        props.world = World::with_stock([(kettle(), 10), (cup(), 10)]);
        props.catalogue = vec![sold(kettle(), 4900, 1200), sold(cup(), 900, 300), sold(egg_timer(), 100, 1)];
        props.addresses = vec![SavedAddress { id: home(), address: address("DE") }];
        props.methods = vec![PaymentMethod {
            id: visa(),
            brand: "visa".into(),
            last4: "4242".into(),
            exp_month: 12,
            exp_year: 2030,
        }];
    }
    stage
}

pub fn id<I: Id>(n: u128) -> I {
    I::from_uuid(Uuid::from_u128(n))
}

pub fn ada() -> Principal {
    Principal::User { id: id(1), role: Role::Customer }
}

pub fn bob() -> Principal {
    Principal::User { id: id(2), role: Role::Customer }
}

pub fn operator() -> Principal {
    Principal::User { id: id(3), role: Role::Operator }
}

pub fn kettle() -> ProductId {
    id(1)
}

pub fn cup() -> ProductId {
    id(2)
}

/// No longer on sale.
pub fn egg_timer() -> ProductId {
    id(3)
}

pub fn home() -> AddressId {
    id(4)
}

pub fn visa() -> PaymentMethodId {
    id(5)
}

pub fn sold(id: ProductId, cents: i64, weight_grams: u32) -> Product {
    Product {
        id,
        slug: "thing".parse().unwrap(),
        name: "Thing".parse().unwrap(),
        description: "".parse().unwrap(),
        category: "things".parse().unwrap(),
        price: euro(cents),
        image: "/thing.svg".into(),
        stock: Availability { available: 10 },
        weight_grams,
        tags: Vec::new(),
        featured: false,
        retired: id == egg_timer(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 1,
    }
}

pub fn address(country: &str) -> Address {
    Address {
        name: "Ada Lovelace".parse().unwrap(),
        line1: "1 St James's Square".parse().unwrap(),
        line2: None,
        city: "Ulm".parse().unwrap(),
        postal_code: "89073".parse().unwrap(),
        country: country.parse().unwrap(),
        phone: None,
    }
}

pub fn line(product_id: ProductId, pieces: u32) -> StockLine {
    StockLine { product_id, quantity: pieces.try_into().unwrap() }
}

/// An order of Ada: two kettles and a cup for 107.00, and 5.00 for shipping.
pub fn order(key: &str) -> PlaceOrder {
    PlaceOrder {
        user_id: id(1),
        key: key.into(),
        items: Some(vec![line(kettle(), 2), line(cup(), 1)]),
        destination: Destination::Saved(home()),
        shipping_service: ShippingService::Economy,
        payment_method_id: visa(),
    }
}

/// A pending order.
pub fn pending(pieces: u32) -> Order {
    let items = rules::items(&[line(kettle(), pieces), line(cup(), 1)], &new_stage().lock().catalogue).unwrap();
    let subtotal = rules::subtotal(&items).unwrap();
    Order {
        id: id(77),
        user_id: id(1),
        status: OrderStatus::Pending,
        reason: None,
        items,
        subtotal,
        shipping_cost: euro(500),
        total: rules::total(subtotal, euro(500)).unwrap(),
        address: address("DE"),
        shipping_service: ShippingService::Economy,
        payment_method_id: visa(),
        placed_at: Timestamp::UNIX_EPOCH,
        timeline: Vec::new(),
        returns: Vec::new(),
        in_progress: None,
        version: 1,
    }
}
