//! The layout of carts' tree.
//!
//! | key | record |
//! |---|---|
//! | `cart/crt_…` | a guest's cart |
//! | `cart/usr_…` | a user's cart |

use super::{
    messages::{CartOwner, CartsError},
    rules::Line,
};
use crate::{
    mesh::Failure,
    storage::{Decision, KnownTable, Record, StorageError, Table, Tree},
    types::{CartId, OrderId, Timestamp},
};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    carts: Table<CartRecord>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CartRecord {
    pub id: CartId,
    pub lines: Vec<Line>,
    pub changed_at: Timestamp,
    /// The orders that were last taken out of it, so that each is taken out once.
    #[serde(default)]
    pub checked_out: Vec<OrderId>,
}

impl Record for CartRecord {
    const TABLE: &'static str = "cart";
    /// The owner's id.
    type Key = String;
}

impl Store {
    pub fn new(tree: &Tree) -> Self {
        Self { tree: tree.clone(), carts: tree.table() }
    }

    pub fn cart(&self, owner: CartOwner) -> Result<Option<CartRecord>, StorageError> {
        self.carts.get(&key(owner))
    }

    pub fn all(&self) -> impl Iterator<Item = Result<CartRecord, StorageError>> + use<> {
        self.carts.all(None).map(|found| found.map(|(_, cart)| cart))
    }

    /// Changes the owner's cart, beginning with `empty` where there is none; gives it as it is then, on disk.
    pub async fn change(
        &self,
        owner: CartOwner,
        empty: CartRecord,
        mut decide: impl FnMut(&mut CartRecord) -> Result<(), CartsError>,
    ) -> Result<CartRecord, Failure<CartsError>> {
        let changed: Result<_, Failure<CartsError>> = self.carts.change(&key(owner), |cart| {
            let mut cart = cart.unwrap_or_else(|| empty.clone());
            decide(&mut cart)?;
            Ok(Decision::Save(cart.clone(), cart))
        });
        let cart = changed?;
        self.tree.commit().await?;
        Ok(cart)
    }
}

fn key(owner: CartOwner) -> String {
    match owner {
        CartOwner::Guest(id) => id.to_string(),
        CartOwner::User(id) => id.to_string(),
    }
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<CartRecord>("carts")]
}
