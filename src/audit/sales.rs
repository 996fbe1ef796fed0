//! What was sold, as the orders themselves say: the same right after a restart.

use super::books::{PAGE, pages};
use crate::{
    mesh::{CallError, Context, Mesh, MeshError},
    services::{
        carts::messages::{CartCounts, CountCarts},
        orders::messages::{OrderReconciliation, OrderStatus, ReconcileOrders},
    },
    types::{Id, Money, MoneyError, OrderId, ProductId, Timestamp},
};
use jiff::{civil::Date, tz::TimeZone};
use serde::Serialize;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};
use utoipa::ToSchema;
use uuid::Uuid;

/// What was sold since a moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Sales {
    pub since: Timestamp,
    /// Orders that were paid for.
    pub orders: u64,
    /// And those that came to nothing.
    pub rejected: u64,
    /// By day (UTC) and currency, the newest first; days on which nothing was sold are left out.
    pub days: Vec<Day>,
    /// The most bought, by pieces that have not come back.
    pub products: Vec<ProductSales>,
    pub conversion: Conversion,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Day {
    #[schema(value_type = String, format = "date", example = "2026-11-24")]
    pub day: Date,
    pub orders: u64,
    /// What was paid, less what was given back for these orders.
    pub revenue: Money,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProductSales {
    pub product_id: ProductId,
    pub pieces: u64,
}

/// From cart to order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Conversion {
    /// Carts that something was put in,
    pub carts: u64,
    /// and those of them that became an order.
    pub ordered: u64,
    /// The one by the other; `null` where there was no cart.
    pub rate: Option<f64>,
}

const TOP: usize = 10;

impl Sales {
    /// Of orders that were placed since then.
    pub async fn since(mesh: &Mesh, context: &Context, since: Timestamp) -> Result<Self, MeshError> {
        let carts = mesh.call(context, CountCarts { since }).await.map_err(CallError::into_mesh)?;
        let first = first_id_after(since);
        let ask = |after: Option<OrderId>| ReconcileOrders { after: Some(after.unwrap_or(first)), limit: PAGE };
        let orders = pages(mesh, context, ask, |tally: &OrderReconciliation| tally.order_id).await?;
        Self::of(since, &orders, carts).map_err(|error| MeshError::Failed(error.to_string()))
    }

    fn of(since: Timestamp, orders: &[OrderReconciliation], carts: CartCounts) -> Result<Self, MoneyError> {
        let mut days: BTreeMap<(Date, String), Day> = BTreeMap::new();
        let mut pieces: HashMap<ProductId, u64> = HashMap::new();
        let (mut paid, mut rejected) = (0, 0);
        for order in orders {
            match order.status {
                OrderStatus::Pending => continue,
                OrderStatus::Rejected => {
                    rejected += 1;
                    continue;
                }
                _ => paid += 1,
            }
            let day = placed_at(order.order_id).to_zoned(TimeZone::UTC).date();
            let currency = order.total.currency();
            let empty = || Day { day, orders: 0, revenue: Money::zero(currency) };
            let day = days.entry((day, currency.code().to_owned())).or_insert_with(empty);
            day.orders += 1;
            day.revenue = day.revenue.plus(order.total.minus(order.refunded)?)?;
            for (product, count) in &order.pieces {
                *pieces.entry(*product).or_default() += u64::from(*count);
            }
        }
        let mut products: Vec<_> =
            pieces.into_iter().map(|(product_id, pieces)| ProductSales { product_id, pieces }).collect();
        products.retain(|product| product.pieces > 0);
        products.sort_by_key(|product| (Reverse(product.pieces), product.product_id));
        products.truncate(TOP);
        let CartCounts { filled, ordered } = carts;
        let rate = (filled > 0).then(|| ordered as f64 / filled as f64);
        Ok(Self {
            since,
            orders: paid,
            rejected,
            days: days.into_values().rev().collect(),
            products,
            conversion: Conversion { carts: filled, ordered, rate },
        })
    }
}

/// Ids sort by the time at which they were made (UUIDv7, RFC 9562).
fn first_id_after(since: Timestamp) -> OrderId {
    let millis = since.as_millisecond().max(0) as u128;
    OrderId::from_uuid(Uuid::from_u128((millis << 80).saturating_sub(1)))
}

fn placed_at(order: OrderId) -> Timestamp {
    let millis = (order.uuid().as_u128() >> 80) as i64;
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{env::Env, types::Currency};

    const AT: Timestamp = Timestamp::constant(1_700_000_000, 0);
    const CARTS: CartCounts = CartCounts { filled: 4, ordered: 3 };

    fn order(day: i64, status: OrderStatus, total: i64, refunded: i64, pieces: u32) -> OrderReconciliation {
        let at = AT.as_millisecond() + day * 86_400_000;
        let product = ProductId::from_uuid(Uuid::from_u128(7));
        let euros = |amount| Money::new(amount, Currency::EUR).unwrap();
        OrderReconciliation {
            order_id: OrderId::from_uuid(Uuid::from_u128((at as u128) << 80 | 5)),
            status,
            total: euros(total),
            lines: total,
            shipping: 0,
            illegal_steps: 0,
            needs_attention: false,
            refunded: euros(refunded),
            pieces: vec![(product, pieces)],
            asked_for: vec![(product, pieces)],
            version: 1,
            changed_at: AT,
            unfinished_since: None,
        }
    }

    #[test]
    fn what_was_paid_counts_on_its_day_less_what_was_given_back() {
        use OrderStatus::*;
        let orders = [
            order(0, Delivered, 1000, 0, 2),
            order(0, Returned, 500, 500, 0),
            order(1, Confirmed, 700, 100, 1),
            order(1, Rejected, 9999, 0, 9),
            order(1, Pending, 9999, 0, 9),
            order(1, Cancelled, 300, 300, 0),
        ];
        let sales = Sales::of(AT, &orders, CARTS).unwrap();
        assert_eq!((sales.orders, sales.rejected), (4, 1));
        let days: Vec<_> =
            sales.days.iter().map(|day| (day.day.to_string(), day.orders, day.revenue.amount())).collect();
        assert_eq!(days, [("2023-11-15".to_owned(), 2, 600), ("2023-11-14".to_owned(), 2, 1000)]);
        assert_eq!(sales.products.iter().map(|it| it.pieces).collect::<Vec<_>>(), [3]);
        assert_eq!(sales.conversion.rate, Some(0.75));
        assert_eq!(Sales::of(AT, &[], CartCounts { filled: 0, ordered: 0 }).unwrap().conversion.rate, None);
    }

    #[test]
    fn an_id_says_when_it_was_made_and_which_come_after() {
        let env = Env::system();
        let before = env.now();
        let id: OrderId = env.id();
        assert!(placed_at(id) >= before && first_id_after(before) < id);
        assert!(first_id_after(Timestamp::from_millisecond(placed_at(id).as_millisecond() + 1).unwrap()) > id);
    }
}
