//! Dead letters: events that a subscriber failed to handle too often. They are put aside, so that
//! later events of their records go on, until an operator has them delivered again (Hohpe & Woolf,
//! "Enterprise Integration Patterns", 2003: Dead Letter Channel).
//!
//! They are stored in the publisher's tree.

use super::{EventId, MeshError};
use crate::{
    storage::{OutboxEntry, Record},
    types::{Service, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// An event that a subscriber failed to handle too often.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The event, as it was in the outbox.
    pub event: OutboxEntry,
    /// `table/key` of the record whose outbox held the event.
    pub record: String,
    /// The service that failed to handle the event.
    pub subscriber: Service,
    /// The error of the last delivery.
    pub error: String,
    /// The time of the last delivery.
    pub at: Timestamp,
}

impl Record for DeadLetter {
    const TABLE: &'static str = "dead";
    /// `table:key:seq:subscriber`
    type Key = String;
}

impl DeadLetter {
    pub(super) fn new(id: &EventId, event: OutboxEntry, subscriber: Service, error: &MeshError, at: Timestamp) -> Self {
        Self { event, record: id.record.clone(), subscriber, error: error.to_string(), at }
    }

    pub(super) fn key(&self) -> String {
        format!("{}:{}:{}", self.record.replace('/', ":"), self.event.seq, self.subscriber)
    }
}

/// The id of a dead letter, such as `orders:order:ord_…:3:notifications`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterId {
    /// The service whose tree holds the dead letter.
    pub publisher: Service,
    pub(super) key: String,
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.publisher, self.key)
    }
}

impl ToSchema for DeadLetterId {}

impl PartialSchema for DeadLetterId {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.examples(["orders:order:ord_019a52b46b7a7d0c8f3e5a1b2c3d4e5f:3:notifications"]).into()
    }
}

impl FromStr for DeadLetterId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (publisher, key) = text.split_once(':').ok_or(())?;
        let publisher = Service::ALL.into_iter().find(|service| service.name() == publisher).ok_or(())?;
        Ok(Self { publisher, key: key.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_text_is_refused() {
        let text = "orders:order:ord_1:3:notifications";
        assert_eq!(text.parse::<DeadLetterId>().unwrap().to_string(), text);
        for none in ["", "orders", "nobody:order:ord_1:3:orders"] {
            assert!(none.parse::<DeadLetterId>().is_err(), "{none}");
        }
    }
}
