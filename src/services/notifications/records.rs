//! The record in notifications' tree; [`super::store`] says where it is kept.

use super::messages::Notification;
use crate::{
    storage::{KnownTable, Record},
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

impl Record for Note {
    const TABLE: &'static str = "note";
    /// The user and the message: `usr_…:ntf_…`.
    type Key = String;

    fn entries(&self) -> Vec<String> {
        let is_unread = !self.notification.read;
        Vec::from_iter(is_unread.then(|| format!("unread/{}", key_of(self.user_id, self.notification.id))))
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
