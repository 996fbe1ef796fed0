//! Messages as bytes, as between two processes: CBOR (RFC 8949) with named fields. Two services
//! that are deployed separately may therefore know different fields.

use super::MeshError;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use zeroize::Zeroizing;

/// Bytes that are reserved for a message. Most messages, and all that hold a secret, are shorter,
/// so their bytes are never moved and no copy stays in memory.
const CAPACITY: usize = 512;

/// Turns the message into bytes and back. The bytes hold each [`Secret`](crate::types::Secret) in
/// plain text, so they are overwritten afterwards.
///
/// `name` names the message in the error, which means that its type cannot be sent.
pub(super) fn round_trip<T: Serialize + DeserializeOwned>(name: &str, message: &T) -> Result<T, MeshError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CAPACITY));
    message
        .serialize(&mut minicbor_serde::Serializer::new(&mut *bytes))
        .map_err(|error| MeshError::Failed(format!("{name} cannot be sent as bytes: {error}")))?;
    minicbor_serde::from_slice(&bytes)
        .map_err(|error| MeshError::Failed(format!("{name} cannot be read from its bytes: {error}")))
}

/// The same for an event, whose payload is stored and sent as JSON.
pub(super) fn round_trip_event(name: &str, payload: &Value) -> Result<Value, MeshError> {
    serde_json::from_str(&payload.to_string())
        .map_err(|error| MeshError::Failed(format!("{name} cannot be read from its bytes: {error}")))
}
