//! What may happen to an order, what it may hold, and what it costs.

use super::messages::{OrderItem, OrderStatus, OrdersError};
use crate::{
    services::products::messages::{Product, StockLine},
    types::{Currency, Money, ProductId},
};
use std::collections::HashSet;

/// Different products in one order: as many as a cart holds.
pub const MOST_LINES: usize = 50;

/// The order state machine: every other change of status is refused.
#[rustfmt::skip]
const TRANSITIONS: &[(OrderStatus, &[OrderStatus])] = {
    use OrderStatus::*;
    &[
        (Pending,   &[Confirmed, Rejected]),
        (Confirmed, &[Packed, Cancelled]),
        (Packed,    &[Shipped, Cancelled]),
        (Shipped,   &[Delivered]),
        (Delivered, &[Returned]),
        (Rejected,  &[]),
        (Cancelled, &[]),
        (Returned,  &[]),
    ]
};

pub fn may_become(from: OrderStatus, to: OrderStatus) -> Result<(), OrdersError> {
    let allowed = TRANSITIONS.iter().any(|(status, next)| *status == from && next.contains(&to));
    if allowed { Ok(()) } else { Err(OrdersError::IllegalTransition { from: from.to_string(), to: to.to_string() }) }
}

/// Something, each product once, and not too many of them.
pub fn check_lines(lines: &[StockLine]) -> Result<(), OrdersError> {
    if lines.is_empty() {
        return Err(OrdersError::EmptyOrder);
    }
    let different: HashSet<ProductId> = lines.iter().map(|line| line.product_id).collect();
    if different.len() < lines.len() || lines.len() > MOST_LINES {
        return Err(OrdersError::BadLines { most: MOST_LINES });
    }
    Ok(())
}

/// The lines with the products as they are now: what the order keeps, whatever becomes of the products.
pub fn items(lines: &[StockLine], products: &[Product]) -> Result<Vec<OrderItem>, OrdersError> {
    lines.iter().map(|line| item(*line, products)).collect()
}

fn item(line: StockLine, products: &[Product]) -> Result<OrderItem, OrdersError> {
    let StockLine { product_id, quantity } = line;
    let product = products
        .iter()
        .find(|product| product.id == product_id && !product.retired)
        .ok_or(OrdersError::ProductNotFound { product_id })?;
    Ok(OrderItem {
        product_id,
        name: product.name.to_string(),
        image: product.image.clone(),
        unit_price: product.price,
        quantity,
        line_total: product.price.times(quantity.get()).map_err(|_| OrdersError::TooExpensive)?,
        weight_grams: product.weight_grams,
        returned: 0,
    })
}

pub fn subtotal(items: &[OrderItem]) -> Result<Money, OrdersError> {
    sum(&items.iter().map(|item| item.line_total).collect::<Vec<_>>())
}

fn sum(parts: &[Money]) -> Result<Money, OrdersError> {
    let currency = parts.first().map_or(Currency::EUR, |part| part.currency());
    Money::sum(parts.iter().copied(), currency).map_err(|_| OrdersError::TooExpensive)
}

pub fn total(subtotal: Money, shipping_cost: Money) -> Result<Money, OrdersError> {
    subtotal.plus(shipping_cost).map_err(|_| OrdersError::TooExpensive)
}

/// Of the whole parcel.
pub fn weight_grams(items: &[OrderItem]) -> u64 {
    items.iter().map(|item| u64::from(item.weight_grams) * u64::from(item.quantity.get())).sum()
}

pub fn lines_of(items: &[OrderItem]) -> Vec<StockLine> {
    items.iter().map(|item| StockLine { product_id: item.product_id, quantity: item.quantity }).collect()
}

/// What is given back for these pieces: the price that was paid for each. What it cost to send them is not.
pub fn refund_for(items: &[OrderItem], lines: &[StockLine]) -> Result<Money, OrdersError> {
    check_lines(lines)?;
    let worth = lines.iter().map(|line| worth(items, *line)).collect::<Result<Vec<_>, _>>()?;
    sum(&worth)
}

fn worth(items: &[OrderItem], StockLine { product_id, quantity }: StockLine) -> Result<Money, OrdersError> {
    let bought = items.iter().find(|item| item.product_id == product_id);
    let left = bought.map_or(0, |item| item.quantity.get().saturating_sub(item.returned));
    match bought {
        Some(item) if quantity.get() <= left => {
            item.unit_price.times(quantity.get()).map_err(|_| OrdersError::TooExpensive)
        }
        _ => Err(OrdersError::TooManyReturned { product_id, left }),
    }
}

/// Writes down that these pieces came back; says whether all have.
pub fn take_back(items: &mut [OrderItem], lines: &[StockLine]) -> bool {
    for item in items.iter_mut() {
        if let Some(line) = lines.iter().find(|line| line.product_id == item.product_id) {
            item.returned += line.quantity.get();
        }
    }
    items.iter().all(|item| item.returned == item.quantity.get())
}
