//! The gateway's own tree: its secret and the changes of operators. The responses of idempotency
//! keys are in it, too ([`gateway::tables`]).

use super::Shop;
use crate::{
    env::Env,
    gateway::{self, controls::ControlStore},
    mesh::MeshError,
    storage::{KnownTable, Record, StorageError, Tree},
    types::{Timestamp, UserId},
};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the tree.
pub(super) const GATEWAY: &str = "gateway";

/// The tables of the tree, with the types of their records.
pub(super) fn tables() -> Vec<KnownTable> {
    let own = [KnownTable::of::<GatewaySecret>(GATEWAY), KnownTable::of::<KeptControl>(GATEWAY)];
    own.into_iter().chain(gateway::tables(GATEWAY)).collect()
}

/// The secret of the gateway.
#[derive(Clone, Serialize, Deserialize)]
struct GatewaySecret {
    cart: [u8; 32],
    made_at: Timestamp,
}

impl Record for GatewaySecret {
    const TABLE: &'static str = "keys";
    type Key = String;
}

/// A change of a control by an operator.
#[derive(Clone, Serialize, Deserialize)]
struct KeptControl {
    patch: Value,
    by: Option<UserId>,
    at: Timestamp,
}

impl Record for KeptControl {
    const TABLE: &'static str = "controls";
    /// The control's name.
    type Key = String;
}

/// Stores the changes of operators in the gateway's own tree.
pub(super) struct ControlTree {
    pub tree: Tree,
    pub env: Env,
}

impl ControlStore for ControlTree {
    fn all(&self) -> Result<Vec<(String, Value)>, MeshError> {
        let kept = self.tree.table::<KeptControl>().all(None).collect::<Result<Vec<_>, _>>()?;
        Ok(kept.into_iter().map(|(name, control)| (name, control.patch)).collect())
    }

    fn store<'a>(
        &'a self,
        name: &'a str,
        patch: Value,
        by: Option<UserId>,
    ) -> LocalBoxFuture<'a, Result<(), MeshError>> {
        Box::pin(async move {
            let fresh = KeptControl { patch, by, at: self.env.now() };
            self.tree.table().put(&name.to_owned(), &fresh)?;
            Ok(self.tree.commit().await?)
        })
    }
}

impl Shop {
    /// Removes the changes of operators.
    pub(super) async fn forget_controls(&self) -> Result<(), StorageError> {
        let tree = self.storage.outside_tree(GATEWAY)?;
        let controls = tree.table::<KeptControl>();
        for (name, _) in controls.all(None).collect::<Result<Vec<_>, _>>()? {
            controls.delete(&name)?;
        }
        tree.commit().await
    }

    /// The secret from which the gateway derives its keys (cart cookies, fingerprints). It is made
    /// once and stored in the data folder.
    pub(super) async fn gateway_secret(&self) -> Result<[u8; 32], StorageError> {
        let tree = self.storage.outside_tree(GATEWAY)?;
        let fresh = GatewaySecret { cart: self.env.bytes(), made_at: self.env.now() };
        let kept = tree.table().get_or_create(&"cookies".to_owned(), &fresh)?;
        tree.commit().await?;
        Ok(kept.cart)
    }
}
