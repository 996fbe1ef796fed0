//! The customers and the operator of the simulated shop. Each of them repeats a request until it is
//! answered.
//!
//! The intent is stored before the request is sent: the end of the process loses the answer, and
//! not the intent.

use crate::{
    model::{Card, Lines, State},
    world::{Life, Person, World},
};
use galleria::{
    mesh::{CallError, Context, MeshError, Request, TraceId},
    services::{
        carts::messages::{CartOwner, SetItem},
        orders::messages::*,
        payments::messages::{IssueRefund, PaymentRef},
        products::messages::{ReserveStock, SetStock, StockChange, StockLine},
        shipping::messages::ShippingService,
    },
    types::{Currency, Money, OrderId, PaymentMethodId, Principal, ProductId},
};
use rand::{RngExt, seq::IndexedRandom};
use std::time::Duration;

/// A request that is repeated until it is answered.
#[derive(Debug, Clone)]
pub enum Intent {
    Place {
        key: String,
        card: Card,
        method: PaymentMethodId,
        lines: Option<Lines>,
    },
    PutInCart {
        product: ProductId,
        pieces: u32,
    },
    Cancel {
        order: OrderId,
    },
    Return {
        order: OrderId,
        key: String,
        lines: Lines,
    },
    Fulfil {
        order: OrderId,
        to: Fulfilment,
    },
    Refund {
        order: OrderId,
        key: String,
        amount: i64,
    },
    Restock {
        product: ProductId,
        pieces: i64,
    },
    /// Reserves stock for an order that is never placed. The reservation must expire.
    Abandon {
        order: OrderId,
        product: ProductId,
    },
}

/// The result of one request.
enum Answered {
    /// The request is done.
    Done,
    /// The request was refused. A copy of it may still be on its way, and may be answered
    /// differently: the request is sent once more in the end.
    Refused,
    /// The result is not known: send the request again.
    Unknown,
}

/// Runs until the person has no more intents, or the process ends.
pub async fn send_intents(life: Life, who: usize) {
    while let Some(intent) = life.world(|world| world.next_intent(who)) {
        let answered = ask(&life, who, intent).await;
        let pause = life.world(|world| {
            world.record_result(who, answered);
            Duration::from_millis(world.plan.random_range(1..1500))
        });
        tokio::time::sleep(pause).await;
    }
}

/// Sends the request once. An error is a violation of the model.
async fn ask(life: &Life, who: usize, intent: Intent) -> Result<Answered, String> {
    let (user, principal, patience) = life.world(|world| {
        world.note(format!("{} {intent:?}", world.people[who].name));
        let Person { user, principal, .. } = &world.people[who];
        (*user, *principal, Duration::from_millis(world.plan.random_range(200..15_000)))
    });
    let context = Context::new(principal, patience, TraceId(life.shop.env.bytes()));
    match intent {
        Intent::Place { key, card, method, lines } => {
            let items = lines.as_ref().map(stock_lines);
            let (destination, shipping_service) = (Destination::Given(address()), ShippingService::Standard);
            let request = PlaceOrder {
                user_id: user,
                key: key.clone(),
                items,
                destination,
                shipping_service,
                payment_method_id: method,
            };
            match call(life, &context, request).await {
                CallOutcome::Reply(order) => {
                    let settled = life.world(|world| world.model.placed(&key, card, lines.as_ref(), &order))?;
                    Ok(if settled { Answered::Done } else { Answered::Unknown })
                }
                CallOutcome::Error(OrdersError::CartInCheckout { .. }) | CallOutcome::Unknown => Ok(Answered::Unknown),
                CallOutcome::Error(OrdersError::EmptyOrder) if lines.is_none() => Ok(Answered::Refused),
                CallOutcome::Error(error) => Err(format!("an order is refused: {error}")),
            }
        }
        Intent::PutInCart { product, pieces } => {
            let owner = CartOwner::User(user);
            let request = SetItem { owner, product_id: product, quantity: pieces.try_into().ok() };
            match call(life, &context, request).await {
                CallOutcome::Reply(_) => Ok(Answered::Done),
                CallOutcome::Error(error) => Err(format!("the cart refuses: {error}")),
                CallOutcome::Unknown => Ok(Answered::Unknown),
            }
        }
        Intent::Cancel { order } => match call(life, &context, CancelOrder { order_id: order }).await {
            CallOutcome::Reply(order) if order.status == OrderStatus::Cancelled => {
                life.world(|world| world.model.sale(order.id).state = State::Cancelled);
                Ok(Answered::Done)
            }
            CallOutcome::Reply(_) | CallOutcome::Unknown | CallOutcome::Error(OrdersError::Busy) => {
                Ok(Answered::Unknown)
            }
            CallOutcome::Error(OrdersError::NotCancellable { .. }) => Ok(Answered::Refused),
            CallOutcome::Error(error) => Err(format!("{order} cannot be cancelled: {error}")),
        },
        Intent::Return { order, key, lines } => {
            let reason = "It is too loud.".parse().expect("a reason");
            let request = ReturnItems { order_id: order, key, lines: stock_lines(&lines), reason };
            match call(life, &context, request).await {
                CallOutcome::Reply(refund) => {
                    life.world(|world| world.model.returned(order, &lines, &refund)).map(|()| Answered::Done)
                }
                CallOutcome::Error(OrdersError::Busy) | CallOutcome::Unknown => Ok(Answered::Unknown),
                CallOutcome::Error(
                    OrdersError::NotReturnable { .. }
                    | OrdersError::TooManyReturned { .. }
                    | OrdersError::RefundTooLarge { .. },
                ) => Ok(Answered::Refused),
                CallOutcome::Error(error) => Err(format!("{order} cannot be returned: {error}")),
            }
        }
        Intent::Fulfil { order, to } => match call(life, &context, FulfilOrder { order_id: order, to }).await {
            CallOutcome::Reply(answer) => {
                let wanted = match to {
                    Fulfilment::Packed => OrderStatus::Packed,
                    Fulfilment::Shipped => OrderStatus::Shipped,
                };
                if !answer.timeline.iter().any(|entry| entry.status == wanted) {
                    return Ok(Answered::Unknown);
                }
                let reached = if to == Fulfilment::Packed { State::Packed } else { State::Shipped };
                life.world(|world| world.model.sale(order).reaches(reached));
                Ok(Answered::Done)
            }
            CallOutcome::Error(OrdersError::Busy) | CallOutcome::Unknown => Ok(Answered::Unknown),
            CallOutcome::Error(OrdersError::IllegalTransition { .. }) => Ok(Answered::Refused),
            CallOutcome::Error(error) => Err(format!("{order} cannot be fulfilled: {error}")),
        },
        Intent::Refund { order, key, amount } => {
            let amount = Money::new(amount, Currency::EUR).expect("an amount");
            let reason = "It came late.".parse().expect("a reason");
            let request = IssueRefund { payment: PaymentRef::OfOrder(order), key, amount: Some(amount), reason };
            match call(life, &context, request).await {
                CallOutcome::Reply(refund) => {
                    life.world(|world| world.model.refunded(order, &refund));
                    Ok(Answered::Done)
                }
                CallOutcome::Error(_) => Ok(Answered::Refused),
                CallOutcome::Unknown => Ok(Answered::Unknown),
            }
        }
        // This request is not idempotent, so it is sent once. The reconciliation shows whether it
        // took effect.
        Intent::Restock { product, pieces } => {
            let request = SetStock { product_id: product, seen: None, change: StockChange::AdjustBy(pieces) };
            call(life, &context, request).await;
            Ok(Answered::Done)
        }
        Intent::Abandon { order, product } => {
            let until = galleria::env::later(life.shop.env.now(), Duration::from_secs(30));
            let lines = stock_lines(&Lines::from([(product, 1)]));
            call(
                life,
                &Context { principal: Principal::System, ..context },
                ReserveStock { order_id: order, lines, until },
            )
            .await;
            Ok(Answered::Done)
        }
    }
}

enum CallOutcome<T, E> {
    Reply(T),
    Error(E),
    Unknown,
}

async fn call<R: Request>(life: &Life, context: &Context, request: R) -> CallOutcome<R::Reply, R::Error> {
    match life.shop.mesh.call(context, request).await {
        Ok(reply) => CallOutcome::Reply(reply),
        Err(CallError::Domain(error)) => CallOutcome::Error(error),
        Err(CallError::Mesh(error)) => {
            debug_assert_ne!(error, MeshError::Refused);
            CallOutcome::Unknown
        }
    }
}

fn is_of(order: &Order, lines: &Lines) -> bool {
    order
        .items
        .iter()
        .map(|item| (item.product_id, item.quantity.get()))
        .eq(lines.iter().map(|(id, pieces)| (*id, *pieces)))
}

fn stock_lines(lines: &Lines) -> Vec<StockLine> {
    let line = |(product_id, pieces): (&ProductId, &u32)| StockLine {
        product_id: *product_id,
        quantity: (*pieces).try_into().expect("a quantity"),
    };
    lines.iter().map(line).collect()
}

pub fn address() -> galleria::types::Address {
    let address = r#"{"name":"Ada","line1":"1 St","city":"Ulm","postal_code":"89073","country":"DE"}"#;
    serde_json::from_str(address).expect("an address")
}

impl World {
    /// The intent without an answer, or else a new one; `None` when the person has no more intents.
    fn next_intent(&mut self, who: usize) -> Option<Intent> {
        if self.people[who].intent.is_none() {
            let person = &mut self.people[who];
            if person.left > 0 {
                person.left -= 1;
                let fresh =
                    if person.is_operator() { self.draw_operator_intent() } else { self.draw_customer_intent(who) };
                self.people[who].intent = fresh;
            } else if self.is_calm {
                person.intent = person.refused.pop();
            }
        }
        self.people[who].intent.clone()
    }

    fn record_result(&mut self, who: usize, answered: Result<Answered, String>) {
        let person = &mut self.people[who];
        let heard = match &answered {
            Ok(Answered::Done) => "is answered",
            Ok(Answered::Refused) => "is refused",
            Ok(Answered::Unknown) => "asks again",
            Err(fault) => fault,
        };
        let line = format!("{} {heard}", person.name);
        match answered {
            // Some customers never repeat a request without an answer.
            Ok(Answered::Unknown) if !self.is_calm && self.plan.random_range(0..100) < 8 => {
                person.gone.extend(person.intent.take_if(|intent| matches!(intent, Intent::Place { .. })));
            }
            Ok(Answered::Unknown) => {}
            Ok(Answered::Done) => person.intent = None,
            Ok(Answered::Refused) if self.is_calm => person.intent = None,
            Ok(Answered::Refused) => person.refused.extend(person.intent.take()),
            Err(fault) => self.fault = Some(fault),
        }
        self.note(line);
    }

    /// Assigns an order without an answer to a customer that did not wait for one.
    pub fn adopt(&mut self, order: &Order) -> Result<(), String> {
        if self.model.sales.contains_key(&order.id) {
            return Ok(());
        }
        let Some(person) = self.people.iter_mut().find(|person| person.user == order.user_id) else { return Ok(()) };
        let model = &self.model;
        let fits = |intent: &Intent, is_known: bool| match intent {
            Intent::Place { key, method, lines, .. } => {
                let known = model.order_of(order.user_id, key);
                known == is_known.then_some(order.id)
                    && *method == order.payment_method_id
                    && lines.as_ref().is_none_or(|lines| is_of(order, lines))
            }
            _ => false,
        };
        let found = |is_known| person.gone.iter().find(|intent| fits(intent, is_known));
        let Some(Intent::Place { key, card, lines, .. }) = found(true).or_else(|| found(false)).cloned() else {
            return Ok(());
        };
        if self.model.placed(&key, card, lines.as_ref(), order)? {
            self.people.iter_mut().for_each(|person| {
                person.gone.retain(|intent| !matches!(intent, Intent::Place { key: gone, .. } if *gone == key))
            });
        }
        Ok(())
    }

    fn fresh_key(&mut self) -> String {
        self.keys += 1;
        format!("key-{}", self.keys)
    }

    fn some_lines(&mut self) -> Lines {
        let products: Vec<_> = self.model.prices.keys().copied().collect();
        let count = self.plan.random_range(1..=2);
        let plan = &mut self.plan;
        products
            .sample(plan, count)
            .copied()
            .collect::<Vec<_>>()
            .into_iter()
            .map(|id| (id, plan.random_range(1..=4)))
            .collect()
    }

    fn some_product(&mut self) -> ProductId {
        let products: Vec<_> = self.model.prices.keys().copied().collect();
        *products.choose(&mut self.plan).expect("a product")
    }

    /// An order in one of these states, of this customer or of any customer.
    fn some_order(&mut self, of: Option<usize>, states: &[State]) -> Option<OrderId> {
        let user = of.map(|who| self.people[who].user);
        let fit = |(id, sale): (&OrderId, &crate::model::Sale)| {
            (states.contains(&sale.state) && user.is_none_or(|user| user == sale.user)).then_some(*id)
        };
        let orders: Vec<_> = self.model.sales.iter().filter_map(fit).collect();
        orders.choose(&mut self.plan).copied()
    }

    fn draw_customer_intent(&mut self, who: usize) -> Option<Intent> {
        let wish = self.plan.random_range(0..100);
        let key = self.fresh_key();
        if wish < 15 {
            return Some(Intent::PutInCart { product: self.some_product(), pieces: self.plan.random_range(1..=3) });
        }
        if (60..75).contains(&wish)
            && let Some(order) = self.some_order(Some(who), &[State::Confirmed, State::Packed])
        {
            return Some(Intent::Cancel { order });
        }
        if wish >= 75
            && let Some(order) = self.some_order(Some(who), &[State::Shipped])
        {
            let bought = self.model.sales[&order].lines.clone();
            let plan = &mut self.plan;
            let lines = bought.into_iter().map(|(product, pieces)| (product, plan.random_range(1..=pieces))).collect();
            return Some(Intent::Return { order, key, lines });
        }
        let (card, method) = *self.people[who].cards.choose(&mut self.plan).expect("a card");
        let lines = if self.plan.random_range(0..100) < 25 { None } else { Some(self.some_lines()) };
        Some(Intent::Place { key, card, method, lines })
    }

    fn draw_operator_intent(&mut self) -> Option<Intent> {
        let wish = self.plan.random_range(0..100);
        let key = self.fresh_key();
        if wish < 70 {
            if let Some(order) = self.some_order(None, &[State::Packed]) {
                return Some(Intent::Fulfil { order, to: Fulfilment::Shipped });
            }
            if let Some(order) = self.some_order(None, &[State::Confirmed]) {
                return Some(Intent::Fulfil { order, to: Fulfilment::Packed });
            }
        }
        if wish < 85
            && let Some(order) = self.some_order(None, &[State::Confirmed, State::Packed, State::Shipped])
        {
            return Some(Intent::Refund { order, key, amount: self.plan.random_range(1..1500) });
        }
        let product = self.some_product();
        Some(match wish {
            92.. => Intent::Abandon { order: self.env_id(), product },
            _ => Intent::Restock { product, pieces: self.plan.random_range(-3..10) },
        })
    }
}
