//! The tree of payments: its layout, and the reads and writes of it.
//!
//! | key | record |
//! |---|---|
//! | `payment/ord_…` | the payment of an order, its intents and its outbox |
//! | `wallet/usr_…` | a user's payment methods |
//!
//! A payment has its order's id with another prefix, so it needs no index.

use super::{
    messages::PaymentsError,
    provider::{Operation, OperationOutcome},
    records::{Charge, Method, PaymentRecord, WalletRecord},
    rules::Progress,
};
use crate::{
    mesh::Failure,
    storage::{Decision, KnownTable, OutboxTable, StorageError, Table, Tree},
    types::{OrderId, PaymentMethodId, RefundId, Timestamp, UserId},
};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    payments: Table<PaymentRecord>,
    wallets: Table<WalletRecord>,
}

/// The result of [`Store::change`].
pub struct PaymentChange {
    pub record: Option<PaymentRecord>,
    pub progress: Progress,
    /// Whether the record was written.
    pub changed: bool,
}

impl Store {
    pub fn new(tree: &Tree) -> Self {
        Self { tree: tree.clone(), payments: tree.table(), wallets: tree.table() }
    }

    /// The tables whose records have an outbox, for the relay.
    pub fn outbox_tables(&self) -> Vec<Box<dyn OutboxTable>> {
        vec![Box::new(self.payments.clone())]
    }

    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    pub fn charge(&self, order: OrderId) -> Result<Option<Charge>, StorageError> {
        Ok(self.payments.get(&order)?.and_then(|record| record.charge))
    }

    /// All payments by order id, after `after`.
    pub fn charges(&self, after: Option<OrderId>) -> impl Iterator<Item = Result<Charge, StorageError>> + use<> {
        let found = self.payments.all(after.as_ref());
        found.filter_map(|found| found.map(|(_, record)| record.charge).transpose())
    }

    /// The orders whose payments are unfinished or have pending events.
    pub fn open_orders(&self) -> Result<Vec<OrderId>, StorageError> {
        let keys = self.payments.open_keys()?;
        Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Lets `decide` change the payment. On disk only after [`Store::commit`].
    pub fn change(
        &self,
        order: OrderId,
        mut decide: impl FnMut(&mut Option<PaymentRecord>) -> Result<Progress, PaymentsError>,
    ) -> Result<PaymentChange, Failure<PaymentsError>> {
        self.payments.change(&order, |found| {
            let mut record = found.clone();
            let progress = decide(&mut record)?;
            let changed = record != found;
            let change = PaymentChange { record: record.clone(), progress, changed };
            Ok(match record {
                Some(record) if changed => Decision::Save(record, change),
                _ => Decision::Keep(change),
            })
        })
    }

    /// Records the outcome of an operation. On disk only after [`Store::commit`].
    pub fn save_outcome(
        &self,
        order: OrderId,
        operation: Operation,
        outcome: &OperationOutcome,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        self.edit(order, |record| record.apply_outcome(operation, outcome, now))
    }

    /// Records that a refund failed after it was accepted. On disk only after [`Store::commit`].
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

/// The tables of this tree and of the sandbox's, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    let provider = super::sandbox::ledger::tables();
    [KnownTable::of::<PaymentRecord>("payments"), KnownTable::of::<WalletRecord>("payments")]
        .into_iter()
        .chain(provider)
        .collect()
}
