//! A shop with products and buyers that place orders.

use super::{
    Seen,
    harness::{Customer, Shop},
    json_request, load, load_while,
};
use serde_json::json;
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const PRODUCTS: usize = 100;
const BUYERS: usize = 128;

pub struct Trade {
    pub shop: Shop,
    products: Vec<String>,
    buyers: Vec<Customer>,
}

impl Trade {
    pub fn open() -> Self {
        let shop = Shop::open();
        let operator = shop.operator();
        // The concurrency limit must not reject orders: the benches measure throughput.
        operator.change_control("limits", "checkout", &json!({"answered_within_ms": 60_000})).ok();
        let products = (0..PRODUCTS).map(|_| operator.stock_up(100, 1_000_000)).collect();
        let buyers = (0..BUYERS).map(|_| shop.customer()).collect();
        Self { shop, products, buyers }
    }

    /// Places as many orders as possible within `time`.
    pub fn orders_for(&self, clients: usize, time: Duration) -> Seen {
        let order = self.next_order();
        load(self.shop.address(), clients, time, move |client, _| order(client))
    }

    /// Places `count` orders.
    pub fn orders(&self, clients: usize, count: usize) -> Seen {
        let (order, left) = (self.next_order(), Cell::new(count));
        load_while(self.shop.address(), clients, move |client, _| {
            left.set(left.get().checked_sub(1)?);
            Some(order(client))
        })
    }

    /// Gives the requests of the clients. Each client is one buyer; each order has its own
    /// `Idempotency-Key`.
    fn next_order(&self) -> impl Fn(usize) -> Vec<u8> + 'static {
        static KEY: AtomicU64 = AtomicU64::new(0);
        let host = self.shop.address();
        let buyers: Vec<_> = self
            .buyers
            .iter()
            .map(|buyer| {
                let order = |product: &String| buyer.order_of(&[(product, 1)]).to_string();
                (buyer.token().to_owned(), self.products.iter().map(order).collect::<Vec<_>>())
            })
            .collect();
        move |client| {
            let (token, orders) = &buyers[client % buyers.len()];
            let key = KEY.fetch_add(1, Ordering::Relaxed);
            let headers = format!("authorization: Bearer {token}\r\nidempotency-key: bench-{key}\r\n");
            json_request(host, "POST /api/v1/orders", &headers, &orders[key as usize % orders.len()])
        }
    }
}
