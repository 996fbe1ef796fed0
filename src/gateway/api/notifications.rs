//! The inbox.

use super::{Answer, Paging, ok, products::limit};
use crate::{
    gateway::{
        body::{PathId, Query},
        visit::Visit,
    },
    services::notifications::messages::*,
    types::{NotificationId, Page},
};

pub async fn list(visit: Visit, Query(paging): Query<Paging>) -> Answer<Page<Notification>> {
    let list = ListNotifications { user_id: visit.user()?, limit: limit(paging.limit)?, cursor: paging.cursor };
    ok(visit.call(list).await?)
}

pub async fn mark_read(visit: Visit, PathId(notification_id): PathId<NotificationId>) -> Answer<Notification> {
    ok(visit.call(MarkRead { user_id: visit.user()?, notification_id }).await?)
}
