//! One request, several services, side by side, under one deadline. A part that fails is `null` and named in `degraded`, and the rest
//! is served; but a page without what it is about is none: where a required part fails, so does the whole, for the same reason.

use super::{Answer, carts::owner};
use crate::{
    gateway::{problem::Problem, visit::Visit},
    mesh::{CallError, Request},
    services::{
        carts::messages::GetCart,
        notifications::messages::CountUnread,
        orders::messages::{ListOrders, Order},
        payments::messages::{GetPaymentOfOrder, ListMethods},
        products::messages::{FindProducts, ListCategories},
        shipping::messages::GetShipmentOfOrder,
        users::messages::{GetUser, ListAddresses},
    },
    types::Limit,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, http::header::HeaderName};
use futures_util::join;
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// Whether every part is there.
pub const COMPLETED: HeaderName = HeaderName::from_static("x-completed");

/// A composed answer in the making.
pub struct Page {
    body: Map<String, Value>,
    degraded: Vec<&'static str>,
}

impl Page {
    fn new(body: impl Serialize) -> Self {
        let body = match serde_json::to_value(body) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { body, degraded: Vec::new() }.named()
    }

    /// Sets the part without which there is no page.
    fn required(mut self, name: &'static str, part: Part) -> Result<Self, Problem> {
        self.body.insert(name.into(), part?);
        Ok(self.named())
    }

    /// Sets the part: as it is, or `null` and named as missing.
    fn part(mut self, name: &'static str, part: Part) -> Self {
        let value = part.unwrap_or_else(|problem| {
            log::warn!("the part {name} of a page is missing: {problem}");
            self.degraded.push(name);
            Value::Null
        });
        self.body.insert(name.into(), value);
        self.named()
    }

    fn named(mut self) -> Self {
        self.body.insert("degraded".into(), self.degraded.clone().into());
        self
    }

    pub fn answer(self) -> Answer {
        Ok(self.answer_with(&mut HttpResponse::Ok()))
    }

    pub fn answer_with(self, answer: &mut HttpResponseBuilder) -> HttpResponse {
        let completed = if self.degraded.is_empty() { "true" } else { "false" };
        answer.insert_header((COMPLETED, completed)).json(self.body)
    }
}

/// A part: `null` where there is nothing to say, an error where nobody could say it.
type Part = Result<Value, Problem>;

/// Asks for one part. What the service itself has to say against it ("there is none") leaves the part empty: only a
/// service that cannot be reached leaves the page incomplete.
async fn ask<R: Request>(visit: &Visit, request: R) -> Part {
    // So much of the route's deadline that the page can still be put together (KrakenD's 85 %).
    let patience: Duration = visit.deadline().mul_f64(0.85);
    match visit.ask(&visit.context().within(patience), request).await {
        Ok(reply) => Ok(serde_json::to_value(reply).unwrap_or_default()),
        Err(CallError::Domain(_)) => Ok(Value::Null),
        Err(CallError::Mesh(error)) => Err(error.into()),
    }
}

const FEATURED: u64 = 12;
const LATEST_ORDERS: u64 = 5;

/// What the first page of the shop shows.
pub async fn storefront(visit: Visit, request: HttpRequest) -> Answer {
    let featured = FindProducts {
        featured: true,
        limit: Limit::try_from(FEATURED).unwrap_or_default(),
        ..FindProducts::default()
    };
    let user = async {
        match visit.principal.get().user_id() {
            Some(user_id) => ask(&visit, GetUser { user_id }).await,
            None => Ok(Value::Null),
        }
    };
    let (owner, _) = owner(&visit, &request);
    let (featured, categories, cart, user) =
        join!(ask(&visit, featured), ask(&visit, ListCategories {}), ask(&visit, GetCart { owner }), user);
    let summary = |cart: Value| match cart {
        Value::Object(mut cart) => {
            ["id", "item_count", "subtotal"].iter().filter_map(|name| cart.remove_entry(*name)).collect()
        }
        other => other,
    };
    Page::new(())
        .part("featured", featured.map(items))
        .part("categories", categories)
        .part("cart", cart.map(summary))
        .part("user", user)
        .answer()
}

/// Everything on the account's page.
pub async fn account(visit: Visit) -> Answer {
    let user_id = visit.user()?;
    let latest = ListOrders {
        user_id: Some(user_id),
        status: None,
        limit: Limit::try_from(LATEST_ORDERS).unwrap_or_default(),
        cursor: None,
    };
    let (user, addresses, methods, orders, unread) = join!(
        ask(&visit, GetUser { user_id }),
        ask(&visit, ListAddresses { user_id }),
        ask(&visit, ListMethods { user_id }),
        ask(&visit, latest),
        ask(&visit, CountUnread { user_id }),
    );
    Page::new(())
        .required("profile", user)?
        .part("addresses", addresses)
        .part("payment_methods", methods)
        .part("latest_orders", orders.map(items))
        .part("unread_count", unread)
        .answer()
}

/// An order with its payment and its parcel.
pub async fn order_page(visit: &Visit, order: Order) -> Page {
    let order_id = order.id;
    let (payment, shipment) =
        join!(ask(visit, GetPaymentOfOrder { order_id }), ask(visit, GetShipmentOfOrder { order_id }));
    Page::new(order).part("payment", payment).part("shipment", shipment)
}

fn items(page: Value) -> Value {
    match page {
        Value::Object(mut page) => page.remove("items").unwrap_or_default(),
        other => other,
    }
}
