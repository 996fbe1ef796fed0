//! The layout of notifications' tree.
//!
//! | key | record |
//! |---|---|
//! | `note/usr_…:ntf_…` | one message of one user; ids sort by time |
//! | `unread/usr_…:ntf_…` | → those that were not read yet |
//!
//! Which events were handled is nowhere written down besides: the same event makes the same id, and what is there is left as it is.

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

    /// Newest first, from after `after`.
    pub fn inbox(
        &self,
        user: UserId,
        after: Option<NotificationId>,
    ) -> impl Iterator<Item = Result<Notification, StorageError>> + use<> {
        let after = after.map(|id| key_of(user, id));
        self.notes.within(&keys_of(user), after.as_ref(), true).map(|found| Ok(found?.1.notification))
    }

    /// How many the user has not read, counting to `most`.
    pub fn unread(&self, user: UserId, most: usize) -> Result<usize, StorageError> {
        let mut unread = self.notes.under(&format!("unread/{}", keys_of(user)), None, true).take(most);
        unread.try_fold(0, |count, found| found.map(|_| count + 1))
    }

    /// Writes a message that was not written yet. Who tells of the event behind it commits.
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
