//! Access to orders, lists, and waiting for a change.

use super::*;
use crate::types::{Cursor, Page};

impl Shop {
    pub async fn all_orders(&self) -> Vec<Order> {
        self.list(operator(), None, None).await.unwrap().items
    }

    pub async fn list(
        &self,
        who: Principal,
        user_id: Option<UserId>,
        status: Option<OrderStatus>,
    ) -> Result<Page<Order>, CallError<OrdersError>> {
        self.page(who, user_id, status, 100, None).await
    }

    async fn page(
        &self,
        who: Principal,
        user_id: Option<UserId>,
        status: Option<OrderStatus>,
        limit: u64,
        cursor: Option<Cursor>,
    ) -> Result<Page<Order>, CallError<OrdersError>> {
        self.call(who, ListOrders { user_id, status, limit: Limit::try_from(limit).unwrap(), cursor }).await
    }

    pub async fn reconciliation(&self, order_id: OrderId) -> OrderReconciliation {
        let reconciliations = self.call(operator(), ReconcileOrders { after: None, limit: 100 }).await.unwrap();
        reconciliations.into_iter().find(|reconciliation| reconciliation.order_id == order_id).unwrap()
    }
}

#[test]
fn an_order_of_another_customer_is_not_found() {
    in_shop(async |shop| {
        let order_id = shop.delivered().await;
        let not_found = || CallError::Domain(OrdersError::OrderNotFound);
        let back =
            ReturnItems { order_id, key: "k".into(), lines: vec![line(cup(), 1)], reason: "no".parse().unwrap() };
        for who in [bob(), Principal::Anonymous] {
            assert_eq!(shop.call(who, GetOrder { order_id }).await, Err(not_found()));
            assert_eq!(shop.call(who, AwaitChange { order_id, after: 0 }).await, Err(not_found()));
            assert_eq!(shop.call(who, CancelOrder { order_id }).await, Err(not_found()));
            assert_eq!(shop.call(who, back.clone()).await, Err(not_found()));
        }
        for who in [ada(), operator()] {
            assert_eq!(shop.call(who, GetOrder { order_id }).await.unwrap().id, order_id);
        }
        assert_eq!(shop.call(ada(), GetOrder { order_id: id(99) }).await, Err(not_found()));
    });
}

#[test]
fn requests_for_staff_are_forbidden_to_customers() {
    in_shop(async |shop| {
        let order_id = shop.confirmed().await;
        let forbidden = || CallError::Domain(OrdersError::Forbidden);
        let pack = FulfilOrder { order_id, to: Fulfilment::Packed };
        assert_eq!(shop.call(ada(), pack).await, Err(forbidden()));
        assert_eq!(shop.call(ada(), ReconcileOrders { after: None, limit: 1 }).await, Err(forbidden()));
        assert_eq!(shop.list(ada(), None, None).await, Err(forbidden()));
        assert_eq!(shop.list(bob(), Some(id(1)), None).await, Err(forbidden()));
        assert_eq!(shop.fulfil(id(99), Fulfilment::Packed).await, Err(CallError::Domain(OrdersError::OrderNotFound)));
    });
}

#[test]
fn orders_are_listed_by_user_and_status_the_newest_first_and_page_by_page() {
    in_shop(async |shop| {
        let mut placed = Vec::new();
        for key in ["a", "b", "c", "d", "e"] {
            let items = Some(vec![line(kettle(), 1)]);
            placed.push(shop.call(ada(), PlaceOrder { items, ..order(key) }).await.unwrap().id);
            shop.sleep(1).await;
        }
        placed.reverse();
        shop.cancel(placed[1]).await.unwrap();
        let ids = |page: &Page<Order>| page.items.iter().map(|order| order.id).collect::<Vec<_>>();
        let others = [placed[0], placed[2], placed[3], placed[4]];
        for user in [Some(id(1)), None] {
            let all = shop.list(operator(), user, None).await.unwrap();
            assert_eq!((ids(&all), all.next_cursor), (placed.clone(), None));
            let confirmed = Some(OrderStatus::Confirmed);
            assert_eq!(ids(&shop.list(operator(), user, confirmed).await.unwrap()), others);
            let cancelled = Some(OrderStatus::Cancelled);
            assert_eq!(ids(&shop.list(operator(), user, cancelled).await.unwrap()), [placed[1]]);
            assert!(shop.list(operator(), user, Some(OrderStatus::Pending)).await.unwrap().items.is_empty());

            let first = shop.page(operator(), user, confirmed, 2, None).await.unwrap();
            let second = shop.page(operator(), user, confirmed, 2, first.next_cursor.clone()).await.unwrap();
            assert_eq!(([ids(&first), ids(&second)].concat(), second.next_cursor), (others.to_vec(), None));
            let elsewhere = shop.page(operator(), user, cancelled, 2, first.next_cursor).await;
            assert_eq!(elsewhere, Err(CallError::Domain(OrdersError::BadCursor)));
        }
        assert!(shop.list(bob(), Some(id(2)), None).await.unwrap().items.is_empty());
    });
}

#[test]
fn a_long_poll_gives_the_changed_order_or_the_unchanged_one_at_its_deadline() {
    in_shop(async |shop| {
        let order_id = shop.confirmed().await;
        let order = shop.order(order_id).await;
        let at = shop.env.now();
        let waits = AwaitChange { order_id, after: order.version };
        let unchanged = shop.call_within(Duration::from_secs(10), ada(), waits.clone()).await.unwrap();
        assert_eq!((unchanged, shop.env.now()), (order.clone(), later(at, Duration::from_millis(9_950))));
        let at = shop.env.now();
        let change = async {
            shop.sleep(3).await;
            shop.fulfil(order_id, Fulfilment::Packed).await.unwrap();
        };
        let (told, ()) = futures_util::future::join(shop.call(ada(), waits), change).await;
        let told = told.unwrap();
        assert_eq!((told.status, told.version), (OrderStatus::Packed, order.version + 1));
        assert_eq!(shop.env.now(), later(at, Duration::from_secs(3)));
        let old = AwaitChange { order_id, after: 0 };
        assert_eq!(shop.call(ada(), old).await.unwrap(), told, "an older version gives the order at once");
    });
}

#[test]
fn any_number_of_long_polls_leaves_room_for_other_requests() {
    in_shop(async |shop| {
        let order_id = shop.confirmed().await;
        let order = shop.order(order_id).await;
        let places: usize =
            shop.mesh.pool(Service::Orders).report().instances.iter().map(|instance| instance.capacity).sum();
        let waits = AwaitChange { order_id, after: order.version };
        let waiting = futures_util::future::join_all((0..2 * places).map(|_| shop.call(ada(), waits.clone())));
        let others = async {
            shop.sleep(1).await;
            assert_eq!(shop.call(ada(), GetOrder { order_id }).await.unwrap(), order);
            assert_eq!(shop.place("meanwhile").await.unwrap().status, OrderStatus::Confirmed);
            shop.fulfil(order_id, Fulfilment::Packed).await.unwrap()
        };
        let (told, packed) = futures_util::future::join(waiting, others).await;
        assert!(told.iter().all(|told| told.as_ref() == Ok(&packed)), "a long poll missed the change");
    });
}
