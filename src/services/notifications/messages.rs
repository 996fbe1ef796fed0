//! The public face of notifications: its requests, replies and errors. It writes what other
//! services' events tell.
#![deny(missing_docs)]

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
    /// A UUIDv7 (RFC 9562): ids sort by time.
    pub id: NotificationId,
    /// One short line.
    pub title: String,
    /// One or two sentences of plain text.
    pub body: String,
    /// The path of the page of the shop that shows more; `null` where there is none.
    pub link: Option<String>,
    /// When the event happened that the message is about.
    pub created_at: Timestamp,
    /// Whether the user has read it.
    pub read: bool,
}

/// The user's messages, newest first. Errors: `NotificationNotFound`, `BadCursor`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListNotifications {
    /// Whose inbox.
    pub user_id: UserId,
    /// How many messages at most.
    pub limit: Limit,
    /// Where the page before this one ended; absent: the first page.
    pub cursor: Option<Cursor>,
}

/// How many messages the user has not read, up to [`MOST_COUNTED`]. Errors: `NotificationNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountUnread {
    /// Whose inbox.
    pub user_id: UserId,
}

/// Counting stops here, so that an inbox that is never read costs no more than this. A badge shows
/// "1000+".
pub const MOST_COUNTED: u32 = 1000;

/// Marks a message as read. Repeating it changes nothing. Errors: `NotificationNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarkRead {
    /// Whose inbox.
    pub user_id: UserId,
    /// Which message.
    pub notification_id: NotificationId,
}

/// Why a request to notifications failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationsError {
    /// There is no such message, or the principal may not see this inbox.
    #[error("there is no such notification")]
    NotificationNotFound,
    /// The cursor was made up, or belongs to another list.
    #[error("the cursor does not belong to this list")]
    BadCursor,
}

impl From<BadCursor> for NotificationsError {
    fn from(_: BadCursor) -> Self {
        Self::BadCursor
    }
}
