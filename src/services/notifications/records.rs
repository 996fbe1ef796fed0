//! The record in notifications' tree; [`super::store`] says where it is kept.

use super::messages::Notification;
use crate::{
    storage::{KnownTable, Record},
    types::{NotificationId, UserId},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub user_id: UserId,
    #[serde(flatten)]
    pub notification: Notification,
}

impl Record for Note {
    const TABLE: &'static str = "note";
    /// Of user and message.
    type Key = String;

    fn entries(&self) -> Vec<String> {
        let is_unread = !self.notification.read;
        Vec::from_iter(is_unread.then(|| format!("unread/{}", key_of(self.user_id, self.notification.id))))
    }
}

pub fn key_of(user: UserId, id: NotificationId) -> String {
    format!("{}{id}", keys_of(user))
}

/// What the keys of a user's messages begin with.
pub fn keys_of(user: UserId) -> String {
    format!("{user}:")
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<Note>("notifications")]
}
