//! The rules of an order: allowed transitions, allowed lines, and amounts. Pure functions.

use super::messages::{OrderItem, OrderStatus, OrdersError, TimelineEntry};
use crate::{
    services::products::messages::{Product, Shortage, StockLine},
    types::{Currency, Money, ProductId},
};
use std::collections::HashSet;

/// The most different products in one order: as many as a cart holds.
pub const MOST_LINES: usize = 50;

/// The order's state machine. Every other change of status is refused.
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

pub fn check_transition(from: OrderStatus, to: OrderStatus) -> Result<(), OrdersError> {
    let allowed = TRANSITIONS.iter().any(|(status, next)| *status == from && next.contains(&to));
    if allowed { Ok(()) } else { Err(OrdersError::IllegalTransition { from: from.to_string(), to: to.to_string() }) }
}

/// Number of steps in the timeline that [`TRANSITIONS`] does not allow. The first entry must be
/// `pending`.
pub fn illegal_steps(timeline: &[TimelineEntry]) -> usize {
    let first = timeline.first().is_none_or(|entry| entry.status != OrderStatus::Pending);
    let steps = timeline.windows(2).map(|pair| (pair[0].status, pair[1].status));
    usize::from(first) + steps.filter(|(from, to)| from != to && check_transition(*from, *to).is_err()).count()
}

/// At least one line, each product once, at most [`MOST_LINES`].
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

/// The lines of an order, with a copy of each product as it is now.
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

/// Weight of the whole parcel in grams.
pub fn weight_grams(items: &[OrderItem]) -> u64 {
    items.iter().map(|item| u64::from(item.weight_grams) * u64::from(item.quantity.get())).sum()
}

pub fn lines_of(items: &[OrderItem]) -> Vec<StockLine> {
    items.iter().map(|item| StockLine { product_id: item.product_id, quantity: item.quantity }).collect()
}

/// The lines that ask for more than is available. Of a product that is no longer sold, 0 are
/// available.
pub fn shortages(lines: &[StockLine], products: &[Product]) -> Vec<Shortage> {
    let available = |product_id| {
        let sold = products.iter().find(|product| product.id == product_id && !product.retired);
        sold.map_or(0, |product| product.stock.available)
    };
    let short = lines.iter().filter_map(|line| {
        let (product_id, requested, available) = (line.product_id, line.quantity.get(), available(line.product_id));
        (requested > available).then_some(Shortage { product_id, requested, available })
    });
    short.collect()
}

/// The refund for these pieces: the price that was paid for each. Shipping is not refunded.
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

/// Records that these pieces came back; `true` if all pieces of the order have.
pub fn take_back(items: &mut [OrderItem], lines: &[StockLine]) -> bool {
    for item in items.iter_mut() {
        if let Some(line) = lines.iter().find(|line| line.product_id == item.product_id) {
            item.returned += line.quantity.get();
        }
    }
    items.iter().all(|item| item.returned == item.quantity.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use OrderStatus::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn an_order_can_only_make_the_transitions_of_the_drawn_state_machine() {
        let all = [Pending, Confirmed, Packed, Shipped, Delivered, Rejected, Cancelled, Returned];
        let drawn = [
            (Pending, Confirmed),
            (Pending, Rejected),
            (Confirmed, Packed),
            (Confirmed, Cancelled),
            (Packed, Shipped),
            (Packed, Cancelled),
            (Shipped, Delivered),
            (Delivered, Returned),
        ];
        for from in all {
            for to in all {
                assert_eq!(check_transition(from, to).is_ok(), drawn.contains(&(from, to)), "{from} → {to}");
            }
        }
    }

    fn bought(n: u128, cents: i64, pieces: u32) -> OrderItem {
        let unit_price = Money::new(cents, Currency::EUR).unwrap();
        OrderItem {
            product_id: ProductId::from_uuid(Uuid::from_u128(n)),
            name: "Thing".into(),
            image: String::new(),
            unit_price,
            quantity: pieces.try_into().unwrap(),
            line_total: unit_price.times(pieces).unwrap(),
            weight_grams: 700,
            returned: 0,
        }
    }

    proptest! {
        #[test]
        fn returns_in_any_parts_add_up_to_the_price_and_never_more(
            bought_pieces in prop::collection::vec((1i64..100_000, 1u32..=20), 1..5),
            returns in prop::collection::vec((0usize..5, 1u32..=20), 0..40),
        ) {
            let mut items: Vec<OrderItem> =
                bought_pieces.iter().enumerate().map(|(n, (cents, pieces))| bought(n as u128, *cents, *pieces)).collect();
            let paid = subtotal(&items).unwrap().amount();
            let (mut paid_back, mut all_back) = (0, false);
            let rest = (0..items.len()).flat_map(|n| std::iter::repeat_n((n, 1), 20));
            for (n, pieces) in returns.into_iter().chain(rest) {
                let product_id = ProductId::from_uuid(Uuid::from_u128(n as u128));
                let lines = [StockLine { product_id, quantity: pieces.try_into().unwrap() }];
                let left = items.get(n).map_or(0, |item| item.quantity.get() - item.returned);
                match refund_for(&items, &lines) {
                    Ok(amount) => {
                        prop_assert!(pieces <= left);
                        paid_back += amount.amount();
                        all_back = take_back(&mut items, &lines);
                    }
                    Err(refused) => {
                        prop_assert!(pieces > left);
                        prop_assert_eq!(refused, OrdersError::TooManyReturned { product_id, left });
                    }
                }
                prop_assert_eq!(all_back, paid_back == paid);
            }
            prop_assert!(all_back);
        }
    }
}
