//! The actor: one short handler per request, and one for all that it hears.

use super::{
    messages::*,
    rules::{self, News},
    store::{Note, Store},
};
use crate::{
    mesh::{Context, EventId, HandlerResult, MeshError, ProcessedEvents, service},
    services::{
        ServiceDeps,
        orders::messages::{
            OrderCancelled, OrderConfirmed, OrderDelivered, OrderRejected, OrderReturned, OrderShipped,
        },
        payments::messages::RefundFailed,
        users::messages::UserRegistered,
    },
    storage::StorageError,
    types::{Cursor, Page, Service, Timestamp, UserId},
};

/// What every instance shares.
#[derive(Clone)]
struct Notifications {
    store: Store,
    heard: ProcessedEvents,
}

service! { Notifications,
    handles {
        ListNotifications => list,
        CountUnread       => count_unread,
        MarkRead          => mark_read,
    }
    subscribes {
        UserRegistered    => tell(id, at),
        OrderConfirmed    => tell(id, at),
        OrderRejected     => tell(id, at),
        OrderShipped      => tell(id, at),
        OrderDelivered    => tell(id, at),
        OrderCancelled    => tell(id, at),
        OrderReturned     => tell(id, at),
        RefundFailed      => tell(id, at),
    }
}

pub fn launch(deps: ServiceDeps) -> Result<(), StorageError> {
    let notifications =
        Notifications { store: Store::new(&deps.tree), heard: ProcessedEvents::proved_by_records(&deps.tree) };
    deps.mesh.launch(Service::Notifications, deps.instances, move |on| start(&notifications, on));
    Ok(())
}

impl Notifications {
    async fn list(&self, context: Context, request: ListNotifications) -> HandlerResult<ListNotifications> {
        let user = request.user_id;
        visible(&context, user)?;
        let list = format!("inbox of {user}");
        let after = request.cursor.map(|cursor| cursor.position(&list)).transpose();
        let mut inbox = self.store.inbox(user, after.map_err(NotificationsError::from)?);
        let items: Vec<_> = inbox.by_ref().take(request.limit.get()).collect::<Result<_, _>>()?;
        let more = inbox.next().transpose()?.is_some();
        let next_cursor = items.last().filter(|_| more).map(|last| Cursor::after(&list, &last.id));
        Ok(Page { items, next_cursor })
    }

    async fn count_unread(&self, context: Context, request: CountUnread) -> HandlerResult<CountUnread> {
        visible(&context, request.user_id)?;
        let count = self.store.unread(request.user_id, MOST_COUNTED as usize)?;
        Ok(count as u32)
    }

    async fn mark_read(&self, context: Context, request: MarkRead) -> HandlerResult<MarkRead> {
        visible(&context, request.user_id)?;
        self.store.mark_read(request.user_id, request.notification_id).await
    }

    /// Puts what happened into words, once: the same event makes the same id.
    async fn tell<E: News>(&self, _: Context, event: E, id: EventId, at: Timestamp) -> Result<(), MeshError> {
        let words = event.words();
        let notification = Notification {
            id: rules::id_for(&id, at),
            title: words.title.into(),
            body: words.body,
            link: words.link,
            created_at: at,
            read: false,
        };
        Ok(self.store.write(Note { user_id: event.reader(), notification })?)
    }

    fn processed_events(&self) -> &ProcessedEvents {
        &self.heard
    }
}

/// Somebody else's inbox looks as if there were none.
fn visible(context: &Context, owner: UserId) -> Result<(), NotificationsError> {
    if context.principal.may_see(owner) { Ok(()) } else { Err(NotificationsError::NotificationNotFound) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        env::Env,
        mesh::{Failure, TraceId},
        services::orders::messages::OrderFacts,
        storage::Storage,
        types::{Currency, Id, Limit, Money, NotificationId, OrderId, Principal, Role},
    };
    use std::time::Duration;
    use uuid::Uuid;

    fn user(n: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(n))
    }

    fn context_of(n: u128) -> Context {
        let principal = Principal::User { id: user(n), role: Role::Customer };
        Context::new(principal, Duration::from_secs(5), TraceId([1; 16]))
    }

    fn inbox() -> (tempfile::TempDir, Notifications) {
        let folder = tempfile::tempdir().unwrap();
        let tree = Storage::open(folder.path(), &Env::system()).unwrap().tree(Service::Notifications).unwrap();
        (folder, Notifications { store: Store::new(&tree), heard: ProcessedEvents::proved_by_records(&tree) })
    }

    /// Tells user 1 of the `seq`th event of an order.
    async fn deliver(inbox: &Notifications, seq: u64) {
        let order_id = OrderId::from_uuid(Uuid::from_u128(9));
        let order = OrderFacts { order_id, user_id: user(1), total: Money::zero(Currency::EUR) };
        let id = EventId { publisher: Service::Orders, record: format!("order/{order_id}"), seq };
        let at = Timestamp::from_millisecond(seq as i64).unwrap();
        inbox.tell(context_of(1), OrderDelivered { order }, id, at).await.unwrap();
    }

    async fn list(inbox: &Notifications, limit: u64, cursor: Option<Cursor>) -> (Vec<i64>, Option<Cursor>) {
        let request = ListNotifications { user_id: user(1), limit: Limit::try_from(limit).unwrap(), cursor };
        let page = inbox.list(context_of(1), request).await.unwrap();
        (page.items.iter().map(|item| item.created_at.as_millisecond()).collect(), page.next_cursor)
    }

    async fn unread(inbox: &Notifications) -> u32 {
        inbox.count_unread(context_of(1), CountUnread { user_id: user(1) }).await.unwrap()
    }

    async fn mark(inbox: &Notifications, by: u128, id: NotificationId) -> HandlerResult<MarkRead> {
        inbox.mark_read(context_of(by), MarkRead { user_id: user(by), notification_id: id }).await
    }

    fn is_not_found<T>(answer: Result<T, Failure<NotificationsError>>) -> bool {
        matches!(answer, Err(Failure::Domain(NotificationsError::NotificationNotFound)))
    }

    #[tokio::test]
    async fn an_event_that_is_handed_over_twice_writes_one_message() {
        let (_folder, inbox) = inbox();
        deliver(&inbox, 0).await;
        deliver(&inbox, 0).await;
        assert_eq!((list(&inbox, 10, None).await.0, unread(&inbox).await), (vec![0], 1));
        let id = inbox.store.inbox(user(1), None).next().unwrap().unwrap().id;
        mark(&inbox, 1, id).await.unwrap();
        deliver(&inbox, 0).await;
        assert_eq!((list(&inbox, 10, None).await.0, unread(&inbox).await), (vec![0], 0), "read is read");
    }

    #[tokio::test]
    async fn the_inbox_is_read_in_pages_newest_first() {
        let (_folder, inbox) = inbox();
        for seq in 0..5 {
            deliver(&inbox, seq).await;
        }
        let (first, next) = list(&inbox, 2, None).await;
        let (second, next) = list(&inbox, 2, next).await;
        let (third, end) = list(&inbox, 2, next).await;
        assert_eq!((first, second, third, end), (vec![4, 3], vec![2, 1], vec![0], None));
    }

    #[tokio::test]
    async fn reading_a_message_twice_counts_once() {
        let (_folder, inbox) = inbox();
        deliver(&inbox, 0).await;
        deliver(&inbox, 1).await;
        let id = inbox.store.inbox(user(1), None).next().unwrap().unwrap().id;
        assert!(mark(&inbox, 1, id).await.unwrap().read);
        assert!(mark(&inbox, 1, id).await.unwrap().read);
        assert_eq!(unread(&inbox).await, 1);
    }

    #[tokio::test]
    async fn an_inbox_is_for_its_owner_only() {
        let (_folder, inbox) = inbox();
        deliver(&inbox, 0).await;
        let id = inbox.store.inbox(user(1), None).next().unwrap().unwrap().id;
        assert!(is_not_found(mark(&inbox, 2, id).await));
        assert!(is_not_found(inbox.count_unread(context_of(2), CountUnread { user_id: user(1) }).await));
        let theirs = ListNotifications { user_id: user(1), limit: Limit::default(), cursor: None };
        assert!(is_not_found(inbox.list(context_of(2), theirs).await));
    }
}
