//! The record in notifications' tree; [`super::store`] says where it is kept.

use super::messages::Notification;
use crate::{
    storage::{KnownTable, record},
    types::{NotificationId, UserId},
};
use serde::{Deserialize, Serialize};

/// A message and its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub user_id: UserId,
    #[serde(flatten)]
    pub notification: Notification,
}

record! {
    // The key is the user and the message: `usr_…:ntf_…`.
    Note {
        table: "note",
        key: String,
        entries: |note| {
            let key = || key_of(note.user_id, note.notification.id);
            Vec::from_iter((!note.notification.read).then(|| format!("unread/{}", key())))
        },
    }
}

/// The key of a message.
pub fn key_of(user: UserId, id: NotificationId) -> String {
    format!("{}{id}", keys_of(user))
}

/// The prefix of the keys of a user's messages.
pub fn keys_of(user: UserId) -> String {
    format!("{user}:")
}

/// The tables of this tree, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<Note>("notifications")]
}
