//! What notifications can be asked, and what it answers. What it writes, it learns from other services' events.

use crate::{
    mesh::requests,
    types::{BadCursor, Cursor, Limit, NotificationId, Page, Service, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Notifications, NotificationsError,
    query owner ListNotifications "notifications.list" by user_id         -> Page<Notification>,
    query owner CountUnread       "notifications.count_unread" by user_id -> u32,
    keyed owner MarkRead          "notifications.mark_read" by user_id    -> Notification,
}

/// One message in a user's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notification {
    pub id: NotificationId,
    pub title: String,
    pub body: String,
    /// A path in the shop that shows what it is about.
    pub link: Option<String>,
    pub created_at: Timestamp,
    pub read: bool,
}

/// The user's messages, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListNotifications {
    pub user_id: UserId,
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// How many the user has not read; [`MOST_COUNTED`] where there are more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountUnread {
    pub user_id: UserId,
}

/// A badge says "1000+" to whoever never reads anything, instead of reading it all each time.
pub const MOST_COUNTED: u32 = 1000;

/// Reading what was read changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarkRead {
    pub user_id: UserId,
    pub notification_id: NotificationId,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationsError {
    #[error("there is no such notification")]
    NotificationNotFound,
    #[error("the cursor is not one that this list gave out")]
    BadCursor,
}

impl From<BadCursor> for NotificationsError {
    fn from(_: BadCursor) -> Self {
        Self::BadCursor
    }
}
