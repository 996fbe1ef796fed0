//! The layout of orders' tree.
//!
//! | key | record, or what the entry leads to |
//! |---|---|
//! | `order/ord_…` | an order, the saga under way and the events that it owes |
//! | `placed/<SHA-256 of user and key>` | which order that key of that user's places |
//! | `cart_order/usr_…` | which order that user's cart was last ordered by |
//! | `heard/…` | which events were handled |
//! | `by_status/confirmed/ord_…` | entry: the orders that have this status, by the time they were placed; not `pending`, which are all open |
//! | `by_user/usr_…/ord_…` | entry: a user's orders |
//! | `attention/ord_…` | entry: the orders that people should look at |
//! | `open/order/ord_…` | marker: a saga is under way, or events are owed |

use super::{
    messages::{OrderStatus, OrdersError, PlaceOrder},
    record::OrderRecord,
    watch::{Changes, Listener},
};
use crate::{
    env::since,
    mesh::Failure,
    storage::{Decision, KnownTable, OutboxTable, Record, StorageError, Table, Tree, digest},
    types::{OrderId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    orders: Table<OrderRecord>,
    placings: Table<Placing>,
    cart_orders: Table<CartOrder>,
    changes: Changes,
}

/// Which order a key stands for, and for which request: written once, before that order.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Placing {
    fingerprint: String,
    order_id: OrderId,
}

impl Record for Placing {
    const TABLE: &'static str = "placed";
    /// SHA-256 of user and key.
    type Key = String;
}

/// The last order of a user's cart: written before that order. Two clicks with two keys are two requests, and one cart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CartOrder {
    order_id: OrderId,
    at: Timestamp,
}

impl Record for CartOrder {
    const TABLE: &'static str = "cart_order";
    type Key = UserId;
}

/// That the cart is free to be ordered, as long as nobody else orders it.
pub struct CartTurn(Option<CartOrder>);

/// An order whose cart is bound to it is written in the same breath. Where it was not for so long, the shop went down between the two.
const NEVER_WRITTEN_AFTER: Duration = Duration::from_secs(10);

impl Store {
    pub fn new(tree: &Tree) -> Self {
        Self {
            tree: tree.clone(),
            orders: tree.table(),
            placings: tree.table(),
            cart_orders: tree.table(),
            changes: Changes::default(),
        }
    }

    pub fn order(&self, id: OrderId) -> Result<Option<OrderRecord>, StorageError> {
        self.orders.get(&id)
    }

    /// Returns when everything written before is on disk, by whomever.
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    /// The order that the same request has placed before.
    pub async fn placed_before(&self, request: &PlaceOrder) -> Result<Option<OrderRecord>, Failure<OrdersError>> {
        let Some(placing) = self.placings.get(&key_of(request))? else { return Ok(None) };
        check_same(request, &placing)?;
        let order = self.order(placing.order_id)?;
        self.commit().await?;
        Ok(order)
    }

    /// Whether the user's cart may be ordered: not while an order of it is under way, whose last step takes out of it what was bought.
    /// To be asked before the cart is read.
    pub fn cart_turn(&self, request: &PlaceOrder, now: Timestamp) -> Result<CartTurn, Failure<OrdersError>> {
        let Some(last) = self.cart_orders.get(&request.user_id)? else { return Ok(CartTurn(None)) };
        let is_own = self.placings.get(&key_of(request))?.is_some_and(|placing| placing.order_id == last.order_id);
        let is_under_way = match self.order(last.order_id)? {
            Some(record) => record.order.status == OrderStatus::Pending,
            None => since(now, last.at) < NEVER_WRITTEN_AFTER,
        };
        if is_under_way && !is_own {
            return Err(OrdersError::CartInCheckout { order_id: last.order_id }.into());
        }
        Ok(CartTurn(Some(last)))
    }

    /// Binds the cart to the order, unless another order has been faster.
    fn take_turn(&self, user: UserId, turn: &CartTurn, fresh: &CartOrder) -> Result<(), Failure<OrdersError>> {
        self.cart_orders.change(&user, |found| match found {
            Some(last) if last.order_id == fresh.order_id => Ok(Decision::Keep(())),
            Some(last) if turn.0.as_ref() != Some(&last) => {
                Err(OrdersError::CartInCheckout { order_id: last.order_id }.into())
            }
            _ => Ok(Decision::Save(fresh.clone(), ())),
        })
    }

    /// Writes the order down, unless the same request has placed one: that one it is then. An order of the cart brings its turn.
    ///
    /// The key is bound to the order's id first. After a crash between the two, the same key places the order under the same id.
    /// They need no commit in between: what is written later does not outlive what was written before.
    pub async fn place(
        &self,
        request: &PlaceOrder,
        mut record: OrderRecord,
        turn: Option<CartTurn>,
    ) -> Result<OrderRecord, Failure<OrdersError>> {
        let fresh = Placing { fingerprint: fingerprint_of(request), order_id: record.order.id };
        let placing = self.placings.get_or_create(&key_of(request), &fresh)?;
        check_same(request, &placing)?;
        record.order.id = placing.order_id;
        if let Some(turn) = turn {
            let fresh = CartOrder { order_id: placing.order_id, at: record.order.placed_at };
            self.take_turn(request.user_id, &turn, &fresh)?;
        }
        let placed = self.orders.get_or_create(&placing.order_id, &record)?;
        self.tree.commit().await?;
        Ok(placed)
    }

    /// Changes an order, if `decide` says that it did, and tells those who wait for it; gives it as it is then, on disk.
    pub async fn change(
        &self,
        id: OrderId,
        mut decide: impl FnMut(&mut OrderRecord) -> Result<bool, OrdersError>,
    ) -> Result<OrderRecord, Failure<OrdersError>> {
        let changed: Result<OrderRecord, Failure<OrdersError>> = self.orders.change(&id, |found| {
            let mut record = found.ok_or(OrdersError::OrderNotFound)?;
            Ok(if decide(&mut record)? {
                record.order.version += 1;
                Decision::Save(record.clone(), record)
            } else {
                Decision::Keep(record)
            })
        });
        let record = changed?;
        self.tree.commit().await?;
        self.changes.tell(&record);
        Ok(record)
    }

    pub fn listen(&self, id: OrderId) -> Listener {
        self.changes.listen(id)
    }

    /// The orders of a user, or everybody's, newest first, from after `after`.
    pub fn list(
        &self,
        user: Option<UserId>,
        status: Option<OrderStatus>,
        after: Option<OrderId>,
    ) -> Box<dyn Iterator<Item = Result<OrderRecord, StorageError>>> {
        let record_of = |found: Result<_, StorageError>| found.map(|(_, record)| record);
        let prefix = match (user, status) {
            // Their ids sort by the time they were placed.
            (None, None) => return Box::new(self.orders.within("", after.as_ref(), true).map(|found| Ok(found?.1))),
            (None, Some(OrderStatus::Pending)) => return self.pending(after),
            (None, Some(status)) => format!("by_status/{status}/"),
            (Some(user), _) => format!("by_user/{user}/"),
        };
        let after = after.map(|order| format!("{prefix}{order}"));
        let found = self.orders.under(&prefix, after.as_deref(), true).map(record_of);
        // A user has few: an index of these by status would cost each order more than it saves anybody.
        let is_wanted = move |record: &OrderRecord| status.is_none_or(|status| record.order.status == status);
        Box::new(found.filter(move |found| found.as_ref().map_or(true, is_wanted)))
    }

    fn pending(&self, after: Option<OrderId>) -> Box<dyn Iterator<Item = Result<OrderRecord, StorageError>>> {
        let (store, open) = (self.clone(), self.open());
        let ids = open.map(|mut ids| {
            ids.retain(|id| after.is_none_or(|after| *id < after));
            ids.into_iter().rev()
        });
        match ids {
            Err(error) => Box::new(std::iter::once(Err(error))),
            Ok(ids) => {
                let found = ids.filter_map(move |id| store.order(id).transpose());
                let is_pending = |record: &OrderRecord| record.order.status == OrderStatus::Pending;
                Box::new(found.filter(move |found| found.as_ref().map_or(true, is_pending)))
            }
        }
    }

    /// How many orders people should look at.
    pub fn count_needing_attention(&self) -> Result<u64, StorageError> {
        self.orders.under("attention/", None, false).try_fold(0, |count, found| found.map(|_| count + 1))
    }

    /// All orders by id, from after `after`.
    pub fn all(&self, after: Option<OrderId>) -> impl Iterator<Item = Result<OrderRecord, StorageError>> + use<> {
        self.orders.all(after.as_ref()).map(|found| found.map(|(_, record)| record))
    }

    /// The orders with something unfinished, and perhaps some that have just come to rest.
    pub fn open(&self) -> Result<Vec<OrderId>, StorageError> {
        Ok(self.orders.open_keys()?.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Those of them whose saga is under way; the others owe events.
    pub fn under_way(&self, open: Vec<OrderId>) -> Result<Vec<OrderId>, StorageError> {
        let mut under_way = Vec::new();
        for id in open {
            under_way.extend(self.order(id)?.filter(|record| record.saga.is_some()).map(|_| id));
        }
        Ok(under_way)
    }

    /// What the relay works on.
    pub fn owing(&self) -> Box<dyn OutboxTable> {
        Box::new(self.orders.clone())
    }
}

fn key_of(request: &PlaceOrder) -> String {
    digest(&[&request.user_id.to_string(), &request.key])
}

/// Of what is to be bought, and how; not of the key.
fn fingerprint_of(request: &PlaceOrder) -> String {
    let PlaceOrder { items, destination, shipping_service, payment_method_id, .. } = request;
    let what = serde_json::to_string(&(items, destination, shipping_service, payment_method_id));
    digest(&[&what.unwrap_or_default()])
}

fn check_same(request: &PlaceOrder, placing: &Placing) -> Result<(), OrdersError> {
    if placing.fingerprint == fingerprint_of(request) { Ok(()) } else { Err(OrdersError::KeyReused) }
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![
        KnownTable::of::<OrderRecord>("orders"),
        KnownTable::of::<Placing>("orders"),
        KnownTable::of::<CartOrder>("orders"),
    ]
}
