//! The inbox.

use super::paging::{Paging, limit};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{PathId, Query},
        respond::{ReplyResult, reply::ok},
    },
    services::notifications::messages::*,
    types::{NotificationId, Page},
};

pub async fn list(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<Notification>> {
    let list = ListNotifications { user_id: context.user()?, limit: limit(paging.limit)?, cursor: paging.cursor };
    ok(context.call(list).await?)
}

pub async fn mark_read(
    context: RequestContext,
    PathId(notification_id): PathId<NotificationId>,
) -> ReplyResult<Notification> {
    ok(context.call(MarkRead { user_id: context.user()?, notification_id }).await?)
}
