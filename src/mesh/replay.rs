//! Lists the dead letters, and delivers one of them again.

use super::{
    Caller, Context, EventId, Mesh, MeshError,
    dead_letters::{DeadLetter, DeadLetterId},
    deliver::DELIVERY_TIMEOUT,
};
use crate::{
    storage::{Decision, StorageError},
    types::{Principal, Service, Timestamp},
};

/// Why a dead letter was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no dead letter of that id.
    #[error("there is no such dead letter")]
    NotFound,
    /// The subscriber failed again, or the caller may not replay. The dead letter stays.
    #[error(transparent)]
    NotDelivered(MeshError),
    /// The publisher's tree could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Mesh {
    /// The dead letters of all publishers in the order of their ids, beginning behind `after`; at
    /// most `limit`.
    ///
    /// # Errors
    /// If a tree cannot be read.
    pub fn dead_letters(
        &self,
        after: Option<&DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<(DeadLetterId, DeadLetter)>, StorageError> {
        let mut found = Vec::new();
        let first = after.map_or(0, |after| after.publisher as usize);
        for publisher in Service::ALL.into_iter().skip(first) {
            let Some(outboxes) = self.outboxes(publisher) else { continue };
            let after = after.filter(|after| after.publisher == publisher).map(|after| &after.key);
            for entry in outboxes.dead_letters.all(after).take(limit - found.len()) {
                let (key, dead_letter) = entry?;
                found.push((DeadLetterId { publisher, key }, dead_letter));
            }
        }
        Ok(found)
    }

    /// Delivers a dead letter again, out of its order, and deletes it if the subscriber has handled
    /// it. A subscriber that had handled the event before, but whose answer was lost, does not
    /// handle it twice.
    ///
    /// # Errors
    /// [`ReplayError::NotDelivered`] with [`MeshError::Refused`] if the caller is a service.
    pub async fn replay(
        &self,
        context: &Context,
        id: &DeadLetterId,
        now: Timestamp,
    ) -> Result<DeadLetter, ReplayError> {
        if !matches!(self.caller, Caller::Outside(_)) {
            return Err(ReplayError::NotDelivered(MeshError::Refused));
        }
        // Two replays at once could both find that the event was not handled.
        let _guard = self.inner.replaying.lock().await;
        let outboxes = self.outboxes(id.publisher).ok_or(ReplayError::NotFound)?;
        let table = &outboxes.dead_letters;
        let dead_letter = table.get(&id.key)?.ok_or(ReplayError::NotFound)?;
        let DeadLetter { event, record, subscriber, .. } = &dead_letter;
        let event_id = EventId { publisher: id.publisher, record: record.clone(), seq: event.seq };
        let principal = Principal::Service { name: id.publisher };
        let context = Context { principal, ..context.within(DELIVERY_TIMEOUT) };
        let delivered = self.deliver(&context, *subscriber, &event_id, event, 1).await;
        let settled: Result<(), StorageError> = table.change(&id.key, |found| {
            Ok(match (&delivered, found) {
                (_, None) => Decision::Keep(()),
                (Ok(()), Some(_)) => Decision::Delete(()),
                (Err(error), Some(dead_letter)) => {
                    Decision::Save(DeadLetter { error: error.to_string(), at: now, ..dead_letter }, ())
                }
            })
        });
        settled?;
        table.commit().await?;
        delivered.map(|()| dead_letter).map_err(ReplayError::NotDelivered)
    }
}
