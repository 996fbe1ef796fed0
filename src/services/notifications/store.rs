//! The layout of notifications' tree.
//!
//! | key | record |
//! |---|---|
//! | `note/usr_…:ntf_…` | one message of one user; ids sort by time |
//! | `unread/usr_…:ntf_…` | index entry: leads to a message that is not read yet |
//!
//! There is no list of processed events: the same event gives the same id, and an existing message
//! is never overwritten.

use super::{
    messages::{Notification, NotificationsError},
    records::{Note, key_of, keys_of},
};
use crate::{
    mesh::Failure,
    storage::{Decision, StorageError, Table, Tree},
    types::{NotificationId, UserId},
};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    notes: Table<Note>,
}

impl Store {
    pub fn new(tree: &Tree) -> Self {
        Self { tree: tree.clone(), notes: tree.table() }
    }

    /// The user's messages after `after`, newest first.
    pub fn inbox(
        &self,
        user: UserId,
        after: Option<NotificationId>,
    ) -> impl Iterator<Item = Result<Notification, StorageError>> + use<> {
        let after = after.map(|id| key_of(user, id));
        self.notes.within(&keys_of(user), after.as_ref(), true).map(|found| Ok(found?.1.notification))
    }

    /// How many messages the user has not read, counted up to `most`.
    pub fn unread(&self, user: UserId, most: usize) -> Result<usize, StorageError> {
        let mut unread = self.notes.under(&format!("unread/{}", keys_of(user)), None, true).take(most);
        unread.try_fold(0, |count, found| found.map(|_| count + 1))
    }

    /// Writes a message, unless it exists. The delivery of the event commits.
    pub fn write(&self, note: Note) -> Result<(), StorageError> {
        self.notes.create(&key_of(note.user_id, note.notification.id), note).map(|_| ())
    }

    pub async fn mark_read(
        &self,
        user: UserId,
        id: NotificationId,
    ) -> Result<Notification, Failure<NotificationsError>> {
        let read = self.notes.change(&key_of(user, id), |note| match note {
            Some(mut note) => {
                note.notification.read = true;
                let notification = note.notification.clone();
                Ok(Decision::Save(note, notification))
            }
            None => Err(Failure::from(NotificationsError::NotificationNotFound)),
        })?;
        self.tree.commit().await?;
        Ok(read)
    }
}
