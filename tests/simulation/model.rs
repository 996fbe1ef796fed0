//! The model of the expected state: a small shop that is given the requests of the customers and
//! the answers to them.

use galleria::{
    services::{
        orders::messages::{Order, OrderStatus, Reason},
        payments::messages::{Payment, Refund, RefundStatus},
        products::messages::StockReconciliation,
    },
    types::{OrderId, ProductId, UserId},
};
use std::collections::BTreeMap;

/// The behaviour of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    Good,
    Declined,
    /// Refunds to the card fail in the end.
    LosesRefunds,
}

pub type Lines = BTreeMap<ProductId, u32>;

/// An order, as far as its customer knows it.
#[derive(Debug)]
pub struct Sale {
    pub user: UserId,
    pub card: Card,
    pub lines: Lines,
    pub total: i64,
    pub state: State,
    pub returned: Lines,
    /// The amount that an operator refunded, without returns.
    pub refunded: i64,
    /// The number of returns.
    pub returns: usize,
    /// The amount refunded for returns.
    pub given_back: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Rejected,
    Confirmed,
    Packed,
    Shipped,
    Cancelled,
}

#[derive(Debug, Default)]
pub struct Model {
    pub prices: BTreeMap<ProductId, i64>,
    pub sales: BTreeMap<OrderId, Sale>,
    /// The order of each user and key.
    placed: BTreeMap<(UserId, String), OrderId>,
}

type Check = Result<(), String>;

fn must(is_so: bool, what: impl FnOnce() -> String) -> Check {
    if is_so { Ok(()) } else { Err(what()) }
}

impl Model {
    /// Records the answer to a placed order. `Ok(false)` while the result is not known.
    pub fn placed(&mut self, key: &str, card: Card, wanted: Option<&Lines>, order: &Order) -> Result<bool, String> {
        let id = *self.placed.entry((order.user_id, key.to_owned())).or_insert(order.id);
        must(id == order.id, || format!("{key} has two orders: {id} and {}", order.id))?;
        let lines: Lines = order.items.iter().map(|item| (item.product_id, item.quantity.get())).collect();
        must(wanted.is_none_or(|wanted| *wanted == lines), || format!("{id} is of {lines:?}, not of {wanted:?}"))?;
        let subtotal: i64 = lines.iter().map(|(product, pieces)| self.prices[product] * i64::from(*pieces)).sum();
        let total = subtotal + order.shipping_cost.amount();
        must(order.total.amount() == total, || format!("{id} costs {}, not {total}", order.total))?;
        if order.status == OrderStatus::Pending {
            return Ok(false);
        }
        let state = match order.status {
            OrderStatus::Rejected => State::Rejected,
            _ => State::Confirmed,
        };
        let declined = matches!(order.reason, Some(Reason::PaymentDeclined { .. }));
        must(card != Card::Declined || state == State::Rejected, || {
            format!("{id} was bought with a card that is declined")
        })?;
        must(card == Card::Declined || !declined, || format!("{id}: a good card was declined"))?;
        let user = order.user_id;
        self.sales.entry(id).or_insert(Sale {
            user,
            card,
            lines,
            total,
            state,
            returned: Lines::new(),
            refunded: 0,
            returns: 0,
            given_back: 0,
        });
        Ok(true)
    }

    /// The order of this key, where it is known.
    pub fn order_of(&self, user: UserId, key: &str) -> Option<OrderId> {
        self.placed.get(&(user, key.to_owned())).copied()
    }

    pub fn sale(&mut self, id: OrderId) -> &mut Sale {
        self.sales.get_mut(&id).expect("people know of their own orders only")
    }

    pub fn returned(&mut self, id: OrderId, lines: &Lines, refund: &Refund) -> Check {
        let amount: i64 = lines.iter().map(|(product, pieces)| self.prices[product] * i64::from(*pieces)).sum();
        let sale = self.sale(id);
        for (product, pieces) in lines {
            *sale.returned.entry(*product).or_default() += pieces;
        }
        must(sale.returned.iter().all(|(product, back)| *back <= sale.lines[product]), || {
            format!("{id}: more came back than was bought")
        })?;
        must(refund.amount.amount() == amount, || format!("{id}: {} for pieces that cost {amount}", refund.amount))?;
        sale.returns += 1;
        sale.given_back += if refund.status == RefundStatus::Succeeded { amount } else { 0 };
        Ok(())
    }

    pub fn refunded(&mut self, id: OrderId, refund: &Refund) {
        if refund.status == RefundStatus::Succeeded {
            self.sale(id).refunded += refund.amount.amount();
        }
    }

    /// Checks an order after all work has ended: it must equal the sum of the answers.
    pub fn check_order(&self, order: &Order, payment: Option<&Payment>, told: &[String]) -> Check {
        let id = order.id;
        let sale = self.sales.get(&id).ok_or_else(|| format!("no customer ordered {id}"))?;
        let status = sale.status();
        must(order.status == status, || format!("{id} is {}, not {status}", order.status))?;
        must(order.in_progress.is_none(), || format!("{id}: {:?}", order.in_progress))?;
        let (captured, back) = payment.map_or((0, 0), |it| (it.captured.amount(), it.refunded.amount()));
        let paid = match sale.state {
            State::Rejected => 0,
            _ => sale.total,
        };
        let expected_back = match sale.state {
            State::Rejected => 0,
            State::Cancelled => sale.total,
            _ => sale.given_back + sale.refunded,
        };
        // A refund that the bank did not accept stays with the shop.
        let expected_back = if sale.card == Card::LosesRefunds { back.min(expected_back) } else { expected_back };
        must(captured - back == paid - expected_back, || {
            format!("{id}: {captured} taken and {back} given back, not {paid} and {expected_back}: {sale:#?}")
        })?;
        let mut expected = sale.news();
        let mut told = told.to_vec();
        expected.sort_unstable();
        told.sort_unstable();
        must(told == expected, || format!("{id}: the customer was told {told:?}, not {expected:?}"))
    }

    pub fn check_stock(&self, tally: &StockReconciliation) -> Check {
        let id = tally.product_id;
        let of = |lines: &Lines| i64::from(lines.get(&id).copied().unwrap_or_default());
        let with_customers: i64 = self
            .sales
            .values()
            .map(|sale| match sale.state {
                State::Rejected | State::Cancelled => 0,
                _ => of(&sale.lines) - of(&sale.returned),
            })
            .sum();
        must(tally.sold - tally.returned == with_customers, || {
            format!("{id}: {} sold, {} came back, and {with_customers} are with customers", tally.sold, tally.returned)
        })?;
        must(tally.reserved == 0, || format!("{id}: {} are reserved, and for no order", tally.reserved))
    }
}

impl Sale {
    /// An answer may come when the order has already reached a later state, or is cancelled.
    pub fn reaches(&mut self, state: State) {
        self.state = match (self.state, state) {
            (State::Confirmed, _) | (State::Packed, State::Shipped) => state,
            (later, _) => later,
        };
    }

    fn is_all_back(&self) -> bool {
        self.lines == self.returned
    }

    /// The final status.
    fn status(&self) -> OrderStatus {
        match self.state {
            State::Rejected => OrderStatus::Rejected,
            State::Confirmed => OrderStatus::Confirmed,
            State::Packed => OrderStatus::Packed,
            State::Shipped if self.is_all_back() => OrderStatus::Returned,
            State::Shipped => OrderStatus::Delivered,
            State::Cancelled => OrderStatus::Cancelled,
        }
    }

    /// The notifications in the customer's inbox, once each.
    fn news(&self) -> Vec<String> {
        let confirmed = "Your order is confirmed";
        let mut news = match self.state {
            State::Rejected => vec!["Your order could not be placed"],
            State::Confirmed | State::Packed => vec![confirmed],
            State::Shipped => vec![confirmed, "Your order is on its way", "Your order was delivered"],
            State::Cancelled => vec![confirmed, "Your order was cancelled"],
        };
        news.extend(std::iter::repeat_n("We have received your return", self.returns));
        news.into_iter().map(str::to_owned).collect()
    }
}
