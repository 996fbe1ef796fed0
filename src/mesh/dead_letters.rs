//! The events that a subscriber would not take: put aside, so that their records' later ones can go on, until an operator has them
//! delivered once more.
//!
//! They lie in the publisher's tree, for they are what is left of its promise.

use super::{Caller, Context, EventId, Mesh, MeshError, relay::PATIENCE};
use crate::{
    storage::{Decision, OutboxEntry, Record, StorageError},
    types::{Principal, Service, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetter {
    pub event: OutboxEntry,
    /// `table/key` of the record that owes it.
    pub record: String,
    pub subscriber: Service,
    /// What the subscriber said the last time.
    pub error: String,
    /// When that was.
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

/// Such as `orders:order:ord_…:3:notifications`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterId {
    pub publisher: Service,
    key: String,
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

/// Why an event was not delivered once more.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("there is no such dead letter")]
    NotFound,
    /// It stays where it is.
    #[error(transparent)]
    NotDelivered(MeshError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Mesh {
    /// The dead letters of all publishers from after `after`, at most `limit`.
    pub fn dead_letters(
        &self,
        after: Option<&DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<(DeadLetterId, DeadLetter)>, StorageError> {
        let mut found = Vec::new();
        let first = after.map_or(0, |after| after.publisher as usize);
        for publisher in Service::ALL.into_iter().skip(first) {
            let Some(outboxes) = self.pool(publisher).outboxes() else { continue };
            let after = after.filter(|after| after.publisher == publisher).map(|after| &after.key);
            for letter in outboxes.letters.all(after).take(limit - found.len()) {
                let (key, letter) = letter?;
                found.push((DeadLetterId { publisher, key }, letter));
            }
        }
        Ok(found)
    }

    /// Delivers a dead letter once more, out of its order; delivered, it is no longer one. A subscriber that had taken it all the same
    /// (its answer was lost) does not take it twice.
    pub async fn replay(
        &self,
        context: &Context,
        id: &DeadLetterId,
        now: Timestamp,
    ) -> Result<DeadLetter, ReplayError> {
        if !matches!(self.caller(), Caller::Outside(_)) {
            return Err(ReplayError::NotDelivered(MeshError::Refused));
        }
        // Two at once might both find that it was not handled yet.
        let _alone = self.replaying().await;
        let letters = self.pool(id.publisher).outboxes().ok_or(ReplayError::NotFound)?.letters;
        let letter = letters.get(&id.key)?.ok_or(ReplayError::NotFound)?;
        let event = EventId { publisher: id.publisher, record: letter.record.clone(), seq: letter.event.seq };
        let principal = Principal::Service { name: id.publisher };
        let context = Context { principal, ..context.within(PATIENCE) };
        let delivered = self.deliver(&context, letter.subscriber, &event, &letter.event, 1).await;
        let settled: Result<(), StorageError> = letters.change(&id.key, |found| {
            Ok(match (&delivered, found) {
                (_, None) => Decision::Keep(()),
                (Ok(()), Some(_)) => Decision::Delete(()),
                (Err(error), Some(letter)) => {
                    Decision::Save(DeadLetter { error: error.to_string(), at: now, ..letter }, ())
                }
            })
        });
        settled?;
        letters.commit().await?;
        delivered.map(|()| letter).map_err(ReplayError::NotDelivered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_text_is_none() {
        let text = "orders:order:ord_1:3:notifications";
        assert_eq!(text.parse::<DeadLetterId>().unwrap().to_string(), text);
        for none in ["", "orders", "nobody:order:ord_1:3:orders"] {
            assert!(none.parse::<DeadLetterId>().is_err(), "{none}");
        }
    }
}
