//! The tree of orders: its layout, and the reads and writes of it.
//!
//! | key | what is stored under it |
//! |---|---|
//! | `order/ord_…` | an order with its running saga and its outbox |
//! | `placed/<SHA-256 of user and key>` | the order that this key of this user places |
//! | `cart_order/usr_…` | the last order of this user's cart |
//! | `heard/…` | the events that were processed |
//! | `by_status/confirmed/ord_…` | index entry: the orders in this status, by the time of placing |
//! | `by_user/usr_…/ord_…` | index entry: a user's orders |
//! | `attention/ord_…` | index entry: the orders that need attention |
//! | `open/order/ord_…` | marker: a saga runs, or events are pending |

use super::{
    messages::{OrderStatus, OrdersError, PlaceOrder},
    records::{CartOrder, OrderRecord, Placing},
    watch::{ChangeListener, Changes},
};
use crate::{
    env::since,
    mesh::Failure,
    storage::{Decision, KnownTable, OutboxTable, StorageError, Table, Tree, digest},
    types::{OrderId, Timestamp, UserId},
};
use std::time::Duration;

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    orders: Table<OrderRecord>,
    placings: Table<Placing>,
    cart_orders: Table<CartOrder>,
    changes: Changes,
}

/// Proof that no order of this cart is pending. [`Store::place`] checks it again by the swap.
pub struct FreeCart(Option<CartOrder>);

/// The order is written right after its [`CartOrder`]. If the order is still missing after this
/// time, the program crashed between the two writes, and the cart is free.
const ABANDONED_AFTER: Duration = Duration::from_secs(10);

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

    /// Returns when everything that any task has written to the tree before is on disk.
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    /// The order that this request has already placed; on disk.
    pub async fn placed_before(&self, request: &PlaceOrder) -> Result<Option<OrderRecord>, Failure<OrdersError>> {
        let Some(placing) = self.placings.get(&key_of(request))? else { return Ok(None) };
        check_same(request, &placing)?;
        let order = self.order(placing.order_id)?;
        self.commit().await?;
        Ok(order)
    }

    /// Checks that no order of the user's cart is pending: the last step of such an order empties
    /// the cart. Call it before reading the cart.
    pub fn check_cart_is_free(&self, request: &PlaceOrder, now: Timestamp) -> Result<FreeCart, Failure<OrdersError>> {
        let Some(last) = self.cart_orders.get(&request.user_id)? else { return Ok(FreeCart(None)) };
        let is_own = self.placings.get(&key_of(request))?.is_some_and(|placing| placing.order_id == last.order_id);
        let is_pending = match self.order(last.order_id)? {
            Some(record) => record.order.status == OrderStatus::Pending,
            None => since(now, last.at) < ABANDONED_AFTER,
        };
        if is_pending && !is_own {
            return Err(OrdersError::CartInCheckout { order_id: last.order_id }.into());
        }
        Ok(FreeCart(Some(last)))
    }

    /// Records that this order has the cart, unless another order got it first.
    fn claim_cart(&self, user: UserId, free: &FreeCart, fresh: &CartOrder) -> Result<(), Failure<OrdersError>> {
        self.cart_orders.change(&user, |found| match found {
            Some(last) if last.order_id == fresh.order_id => Ok(Decision::Keep(())),
            Some(last) if free.0.as_ref() != Some(&last) => {
                Err(OrdersError::CartInCheckout { order_id: last.order_id }.into())
            }
            _ => Ok(Decision::Save(fresh.clone(), ())),
        })
    }

    /// Saves a new order; gives the earlier order if the same request has already placed one.
    /// `free_cart` comes with an order of the cart.
    ///
    /// The key is bound to the order's id first. After a crash between the two writes, the same key
    /// places the order under the same id. No commit is needed in between, because the log keeps
    /// the order of the writes.
    pub async fn place(
        &self,
        request: &PlaceOrder,
        mut record: OrderRecord,
        free_cart: Option<FreeCart>,
    ) -> Result<OrderRecord, Failure<OrdersError>> {
        let fresh = Placing { fingerprint: fingerprint_of(request), order_id: record.order.id };
        let placing = self.placings.get_or_create(&key_of(request), &fresh)?;
        check_same(request, &placing)?;
        record.order.id = placing.order_id;
        if let Some(free_cart) = free_cart {
            let fresh = CartOrder { order_id: placing.order_id, at: record.order.placed_at };
            self.claim_cart(request.user_id, &free_cart, &fresh)?;
        }
        let placed = self.orders.get_or_create(&placing.order_id, &record)?;
        self.tree.commit().await?;
        Ok(placed)
    }

    /// Changes an order: saves it if `decide` gives `true`, and notifies the tasks that wait for a
    /// change. Gives the order as it is then, on disk.
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
        self.changes.notify(&record);
        Ok(record)
    }

    pub fn listen(&self, id: OrderId) -> ChangeListener {
        self.changes.listen(id)
    }

    /// The orders of a user, or of all users, newest first, after `after`.
    pub fn list(
        &self,
        user: Option<UserId>,
        status: Option<OrderStatus>,
        after: Option<OrderId>,
    ) -> Box<dyn Iterator<Item = Result<OrderRecord, StorageError>>> {
        let record_of = |found: Result<_, StorageError>| found.map(|(_, record)| record);
        let prefix = match (user, status) {
            // The ids sort by the time of placing.
            (None, None) => return Box::new(self.orders.within("", after.as_ref(), true).map(|found| Ok(found?.1))),
            (None, Some(OrderStatus::Pending)) => return self.pending(after),
            (None, Some(status)) => format!("by_status/{status}/"),
            (Some(user), _) => format!("by_user/{user}/"),
        };
        let after = after.map(|order| format!("{prefix}{order}"));
        let found = self.orders.under(&prefix, after.as_deref(), true).map(record_of);
        // One user has few orders: an index by user and status would cost more than it saves.
        let is_wanted = move |record: &OrderRecord| status.is_none_or(|status| record.order.status == status);
        Box::new(found.filter(move |found| found.as_ref().map_or(true, is_wanted)))
    }

    fn pending(&self, after: Option<OrderId>) -> Box<dyn Iterator<Item = Result<OrderRecord, StorageError>>> {
        let (store, open) = (self.clone(), self.open_orders());
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

    /// Number of orders that need attention.
    pub fn count_needing_attention(&self) -> Result<u64, StorageError> {
        self.orders.under("attention/", None, false).try_fold(0, |count, found| found.map(|_| count + 1))
    }

    /// All orders by id, after `after`.
    pub fn all(&self, after: Option<OrderId>) -> impl Iterator<Item = Result<OrderRecord, StorageError>> + use<> {
        self.orders.all(after.as_ref()).map(|found| found.map(|(_, record)| record))
    }

    /// The orders that have a running saga or pending events, and perhaps some that have just
    /// finished.
    pub fn open_orders(&self) -> Result<Vec<OrderId>, StorageError> {
        Ok(self.orders.open_keys()?.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// The open orders that have a running saga; the other open orders only have pending events.
    pub fn with_running_saga(&self, open: Vec<OrderId>) -> Result<Vec<OrderId>, StorageError> {
        let mut running = Vec::new();
        for id in open {
            running.extend(self.order(id)?.filter(|record| record.saga.is_some()).map(|_| id));
        }
        Ok(running)
    }

    /// The tables whose records have an outbox, for the relay.
    pub fn outbox_tables(&self) -> Vec<Box<dyn OutboxTable>> {
        vec![Box::new(self.orders.clone())]
    }
}

fn key_of(request: &PlaceOrder) -> String {
    digest(&[&request.user_id.to_string(), &request.key])
}

/// Digest of what is ordered and how, without the key.
fn fingerprint_of(request: &PlaceOrder) -> String {
    let PlaceOrder { items, destination, shipping_service, payment_method_id, .. } = request;
    let what = serde_json::to_string(&(items, destination, shipping_service, payment_method_id));
    digest(&[&what.unwrap_or_default()])
}

fn check_same(request: &PlaceOrder, placing: &Placing) -> Result<(), OrdersError> {
    if placing.fingerprint == fingerprint_of(request) { Ok(()) } else { Err(OrdersError::KeyReused) }
}

/// The tables of this tree, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    vec![
        KnownTable::of::<OrderRecord>("orders"),
        KnownTable::of::<Placing>("orders"),
        KnownTable::of::<CartOrder>("orders"),
    ]
}
