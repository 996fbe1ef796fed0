//! The layout of carts' tree.
//!
//! | key | record |
//! |---|---|
//! | `cart/crt_…` | a guest's cart |
//! | `cart/usr_…` | a user's cart |

use super::{
    messages::{CartOwner, CartsError},
    records::CartRecord,
};
use crate::{
    mesh::Failure,
    storage::{Decision, StorageError, Table, Tree},
};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    carts: Table<CartRecord>,
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

    /// Changes the owner's cart (`empty` if there is none), waits until that is on disk, and gives
    /// the changed cart.
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
