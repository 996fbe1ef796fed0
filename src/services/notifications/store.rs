//! The layout of notifications' tree.
//!
//! | key | record |
//! |---|---|
//! | `note/ntf_…` | one message of one user |
//! | `inbox/usr_…/ntf_…` | → every message of a user; ids sort by time |
//! | `unread/usr_…/ntf_…` | → those that were not read yet |
//! | `heard/…` | the last event handled of each record of a publisher |

use super::messages::{Notification, NotificationsError};
use crate::{
    mesh::Failure,
    storage::{Decision, KnownTable, Record, StorageError, Table, Tree},
    types::{NotificationId, UserId},
};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    notes: Table<Note>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub user_id: UserId,
    #[serde(flatten)]
    pub notification: Notification,
}

impl Record for Note {
    const TABLE: &'static str = "note";
    type Key = NotificationId;

    fn entries(&self) -> Vec<String> {
        let (user, id) = (self.user_id, self.notification.id);
        let mut entries = vec![format!("inbox/{user}/{id}")];
        if !self.notification.read {
            entries.push(format!("unread/{user}/{id}"));
        }
        entries
    }
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
        let after = after.map(|id| format!("inbox/{user}/{id}"));
        let found = self.notes.under(&format!("inbox/{user}/"), after.as_deref(), true);
        found.map(|found| Ok(found?.1.notification))
    }

    /// How many the user has not read, counting to `most`.
    pub fn unread(&self, user: UserId, most: usize) -> Result<usize, StorageError> {
        let mut unread = self.notes.under(&format!("unread/{user}/"), None, true).take(most);
        unread.try_fold(0, |count, found| found.map(|_| count + 1))
    }

    /// Writes a message that was not written yet. Who remembers the event behind it commits.
    pub fn write(&self, note: Note) -> Result<(), StorageError> {
        self.notes.create(&note.notification.id.clone(), note).map(|_| ())
    }

    pub async fn mark_read(
        &self,
        user: UserId,
        id: NotificationId,
    ) -> Result<Notification, Failure<NotificationsError>> {
        let read = self.notes.change(&id, |note| match note {
            Some(mut note) if note.user_id == user => {
                note.notification.read = true;
                let notification = note.notification.clone();
                Ok(Decision::Save(note, notification))
            }
            _ => Err(Failure::from(NotificationsError::NotificationNotFound)),
        })?;
        self.tree.commit().await?;
        Ok(read)
    }
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<Note>("notifications")]
}
