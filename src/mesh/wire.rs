//! What a message is on its way to another process: bytes. CBOR (RFC 8949), with fields by their names, so that who is deployed by himself
//! may know more of them or fewer.

use super::MeshError;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use zeroize::Zeroizing;

/// Most messages, and all that hold a secret, are shorter: the bytes are never moved, and so leave no copy behind.
const ROOM: usize = 512;

/// What arrives of it. In the bytes a [`Secret`](crate::types::Secret) stands as it is, so they are wiped.
///
/// `what` names it where it does not come through, which is a fault of its type.
pub(super) fn carried<T: Serialize + DeserializeOwned>(what: &str, message: &T) -> Result<T, MeshError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    message
        .serialize(&mut minicbor_serde::Serializer::new(&mut *bytes))
        .map_err(|error| MeshError::Failed(format!("{what} cannot be sent as bytes: {error}")))?;
    minicbor_serde::from_slice(&bytes)
        .map_err(|error| MeshError::Failed(format!("{what} cannot be read from its bytes: {error}")))
}

/// The same of an event, whose payload lies in the outbox as JSON and travels as that.
pub(super) fn carried_event(name: &str, payload: &Value) -> Result<Value, MeshError> {
    serde_json::from_str(&payload.to_string())
        .map_err(|error| MeshError::Failed(format!("{name} cannot be read from its bytes: {error}")))
}
