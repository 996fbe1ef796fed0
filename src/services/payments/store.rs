//! The layout of payments' tree.
//!
//! | key | record |
//! |---|---|
//! | `payment/ord_…` | the payment of an order, its intents, and the events that it owes |
//! | `wallet/usr_…` | a user's payment methods |
//!
//! A payment has its order's id under another prefix, so no index leads to it.

use super::{
    messages::{PaymentRefunded, PaymentsError, Refund, RefundFailed, RefundStatus},
    provider::{Outcome, Step},
    rules::{Charge, Method, Progress},
};
use crate::{
    mesh::{Event, Failure},
    storage::{Decision, KnownTable, Outbox, Record, StorageError, Table, Tree},
    types::{OrderId, PaymentMethodId, RefundId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    payments: Table<PaymentRecord>,
    wallets: Table<WalletRecord>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentRecord {
    /// `None` is a tombstone: it was voided before anybody asked for it, and cannot be made any more.
    pub charge: Option<Charge>,
    outbox: Outbox,
}

impl PaymentRecord {
    pub fn of(charge: Charge) -> Self {
        Self { charge: Some(charge), outbox: Outbox::default() }
    }

    pub fn tombstone() -> Self {
        Self { charge: None, outbox: Outbox::default() }
    }

    fn settle(&mut self, step: Step, outcome: &Outcome, now: Timestamp) {
        let ended = self.charge.as_mut().and_then(|charge| charge.settle(step, outcome, now));
        self.add_to(ended, now);
    }

    fn fail_refund(&mut self, id: RefundId, now: Timestamp) {
        // A report can overtake the answer: then the refund was taken, and failed.
        self.settle(Step::Refund(id), &Outcome::Refunded, now);
        let failed = self.charge.as_mut().and_then(|charge| charge.fail_refund(id, now));
        self.add_to(failed, now);
    }

    fn add_to(&mut self, ended: Option<Refund>, now: Timestamp) {
        let (Some(refund), Some(charge)) = (ended, &self.charge) else { return };
        let (order_id, user_id) = (charge.order_id, charge.user_id);
        match refund.status {
            RefundStatus::Succeeded => PaymentRefunded { order_id, user_id, refund }.add_to(&mut self.outbox, now),
            RefundStatus::Failed => RefundFailed { order_id, user_id, refund }.add_to(&mut self.outbox, now),
        }
    }
}

impl Record for PaymentRecord {
    const TABLE: &'static str = "payment";
    type Key = OrderId;

    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }

    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }

    fn is_open(&self) -> bool {
        !self.outbox.is_empty() || self.charge.as_ref().is_some_and(Charge::is_unfinished)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WalletRecord {
    /// In the order in which they were added.
    pub methods: Vec<Method>,
    /// Those last removed, so that removing one again is no error.
    removed: Vec<PaymentMethodId>,
}

impl Record for WalletRecord {
    const TABLE: &'static str = "wallet";
    type Key = UserId;
}

/// What a user may keep.
pub const MOST_METHODS: usize = 20;
const REMEMBERED_REMOVALS: usize = 20;

impl WalletRecord {
    pub fn has_room(&self) -> Result<(), PaymentsError> {
        if self.methods.len() < MOST_METHODS {
            Ok(())
        } else {
            Err(PaymentsError::TooManyMethods { most: MOST_METHODS })
        }
    }

    fn remove(&mut self, id: PaymentMethodId) -> Result<(), PaymentsError> {
        if self.removed.contains(&id) {
            return Ok(());
        }
        let at = self.methods.iter().position(|method| method.id == id).ok_or(PaymentsError::MethodNotFound)?;
        self.methods.remove(at);
        self.removed.push(id);
        self.removed.drain(..self.removed.len().saturating_sub(REMEMBERED_REMOVALS));
        Ok(())
    }
}

/// What a look at a payment came to.
pub struct Turn {
    pub record: Option<PaymentRecord>,
    pub progress: Progress,
    /// Whether something was written.
    pub changed: bool,
}

impl Store {
    pub fn new(tree: &Tree) -> Self {
        Self { tree: tree.clone(), payments: tree.table(), wallets: tree.table() }
    }

    pub fn payments(&self) -> Table<PaymentRecord> {
        self.payments.clone()
    }

    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    pub fn charge(&self, order: OrderId) -> Result<Option<Charge>, StorageError> {
        Ok(self.payments.get(&order)?.and_then(|record| record.charge))
    }

    /// Everything that was charged, in the order of the orders' ids.
    pub fn charges(&self, after: Option<OrderId>) -> impl Iterator<Item = Result<Charge, StorageError>> + use<> {
        let found = self.payments.all(after.as_ref());
        found.filter_map(|found| found.map(|(_, record)| record.charge).transpose())
    }

    /// The orders whose payments have unfinished business.
    pub fn open_orders(&self) -> Result<Vec<OrderId>, StorageError> {
        let keys = self.payments.open_keys()?;
        Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Has `decide` look at the payment and change it. On disk only after [`Store::commit`].
    pub fn turn(
        &self,
        order: OrderId,
        mut decide: impl FnMut(&mut Option<PaymentRecord>) -> Result<Progress, PaymentsError>,
    ) -> Result<Turn, Failure<PaymentsError>> {
        self.payments.change(&order, |found| {
            let mut record = found.clone();
            let progress = decide(&mut record)?;
            let changed = record != found;
            let turn = Turn { record: record.clone(), progress, changed };
            Ok(match record {
                Some(record) if changed => Decision::Save(record, turn),
                _ => Decision::Keep(turn),
            })
        })
    }

    /// Writes down what the provider said. On disk only after [`Store::commit`].
    pub fn settle(&self, order: OrderId, step: Step, outcome: &Outcome, now: Timestamp) -> Result<(), StorageError> {
        self.edit(order, |record| record.settle(step, outcome, now))
    }

    /// Writes down that a refund failed after it was taken. On disk only after [`Store::commit`].
    pub fn fail_refund(&self, order: OrderId, id: RefundId, now: Timestamp) -> Result<(), StorageError> {
        self.edit(order, |record| record.fail_refund(id, now))
    }

    fn edit(&self, order: OrderId, mut edit: impl FnMut(&mut PaymentRecord)) -> Result<(), StorageError> {
        self.payments.change(&order, |found| {
            let Some(before) = found else { return Ok(Decision::Keep(())) };
            let mut record = before.clone();
            edit(&mut record);
            Ok(if record == before { Decision::Keep(()) } else { Decision::Save(record, ()) })
        })
    }

    pub fn wallet(&self, user: UserId) -> Result<WalletRecord, StorageError> {
        Ok(self.wallets.get(&user)?.unwrap_or_default())
    }

    pub async fn add_method(&self, user: UserId, method: Method) -> Result<(), Failure<PaymentsError>> {
        self.edit_wallet(user, |wallet| {
            wallet.has_room()?;
            wallet.methods.push(method.clone());
            Ok(())
        })
        .await
    }

    pub async fn remove_method(&self, user: UserId, id: PaymentMethodId) -> Result<(), Failure<PaymentsError>> {
        self.edit_wallet(user, |wallet| wallet.remove(id)).await
    }

    async fn edit_wallet(
        &self,
        user: UserId,
        mut edit: impl FnMut(&mut WalletRecord) -> Result<(), PaymentsError>,
    ) -> Result<(), Failure<PaymentsError>> {
        let edited: Result<_, Failure<PaymentsError>> = self.wallets.change(&user, |wallet| {
            let mut wallet = wallet.unwrap_or_default();
            edit(&mut wallet)?;
            Ok(Decision::Save(wallet, ()))
        });
        edited?;
        Ok(self.tree.commit().await?)
    }
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    let provider = super::sandbox::ledger::tables();
    [KnownTable::of::<PaymentRecord>("payments"), KnownTable::of::<WalletRecord>("payments")]
        .into_iter()
        .chain(provider)
        .collect()
}
