//! Pages that are composed of the replies of several services, which are asked in parallel under
//! one deadline.
//!
//! An optional part that fails is `null`, and `degraded` names it. A required part that fails is
//! the problem of the whole page.

use super::carts::owner;
use crate::{
    gateway::{
        context::{Completeness, RequestContext},
        filters::authentication::cookies::CartKey,
        respond::{Problem, Reply, ReplyResult},
    },
    mesh::{CallError, Request},
    services::{
        carts::messages::{Cart, GetCart},
        notifications::messages::CountUnread,
        orders::messages::{ListOrders, Order},
        payments::messages::{GetPaymentOfOrder, ListMethods, Payment, PaymentMethod},
        products::messages::{Category, FindProducts, ListCategories, Product},
        shipping::messages::{GetShipmentOfOrder, Shipment},
        users::messages::{GetUser, ListAddresses, SavedAddress, User},
    },
    types::{CartId, Limit, Money},
};
use actix_web::{HttpRequest, http::header::HeaderName, web::Data};
use futures_util::join;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// `true` if no part is missing, else `false`.
const COMPLETED: HeaderName = HeaderName::from_static("x-completed");

/// The names of the missing parts.
#[derive(Default)]
struct Degraded(Vec<&'static str>);

impl Degraded {
    /// The part; if its service could not be reached, `None`, and the part is named as missing.
    fn part<T>(&mut self, name: &'static str, part: Part<T>) -> Option<T> {
        part.unwrap_or_else(|problem| {
            log::warn!("part {name} is missing from a page: {problem}");
            self.0.push(name);
            None
        })
    }
}

/// A part: `None` if there is no such record, an error if its service could not be reached.
type Part<T> = Result<Option<T>, Problem>;

/// Asks a service for one part. An error of the service itself ("there is no such record") gives an
/// empty part. Only a service that cannot be reached makes the page incomplete.
async fn ask<R: Request>(context: &RequestContext, request: R) -> Part<R::Reply> {
    // The rest of the route's deadline is for making the page. The share is that of KrakenD.
    let time_limit: Duration = context.deadline().mul_f64(0.85);
    match context.ask(&context.call_context().within(time_limit), request).await {
        Ok(reply) => Ok(Some(reply)),
        Err(CallError::Domain(_)) => Ok(None),
        Err(CallError::Mesh(error)) => Err(error.into()),
    }
}

fn reply<T: Serialize + ToSchema, const STATUS: u16, const OR: u16>(
    context: &RequestContext,
    page: T,
    degraded: &Degraded,
) -> Reply<T, STATUS, OR> {
    let (completeness, text) = match degraded.0.is_empty() {
        true => (Completeness::Complete, "true"),
        false => (Completeness::Degraded, "false"),
    };
    context.outcome.completeness.set(Some(completeness));
    Reply::json(page).with((COMPLETED, text))
}

const FEATURED: u64 = 12;
const LATEST_ORDERS: u64 = 5;

#[derive(Serialize, ToSchema)]
pub struct Storefront {
    #[schema(required)]
    featured: Option<Vec<Product>>,
    #[schema(required)]
    categories: Option<Vec<Category>>,
    #[schema(required)]
    cart: Option<CartSummary>,
    /// The signed-in user; `null` for a guest.
    #[schema(required)]
    user: Option<User>,
    /// Parts that are missing because their service could not be reached.
    degraded: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub struct CartSummary {
    id: CartId,
    /// The number of items.
    item_count: u32,
    subtotal: Money,
}

impl From<Cart> for CartSummary {
    fn from(Cart { id, item_count, subtotal, .. }: Cart) -> Self {
        Self { id, item_count, subtotal }
    }
}

/// The data of the home page.
pub async fn storefront(
    context: RequestContext,
    request: HttpRequest,
    cart_key: Data<CartKey>,
) -> ReplyResult<Storefront> {
    let featured = FindProducts {
        featured: true,
        limit: Limit::try_from(FEATURED).unwrap_or_default(),
        ..FindProducts::default()
    };
    let user = async {
        match context.principal.get().user_id() {
            Some(user_id) => ask(&context, GetUser { user_id }).await,
            None => Ok(None),
        }
    };
    let (owner, _) = owner(&context, &request, &cart_key);
    let (featured, categories, cart, user) =
        join!(ask(&context, featured), ask(&context, ListCategories {}), ask(&context, GetCart { owner }), user);
    let mut degraded = Degraded::default();
    let page = Storefront {
        featured: degraded.part("featured", featured).map(|page| page.items),
        categories: degraded.part("categories", categories),
        cart: degraded.part("cart", cart).map(CartSummary::from),
        user: degraded.part("user", user),
        degraded: degraded.0.clone(),
    };
    Ok(reply(&context, page, &degraded))
}

#[derive(Serialize, ToSchema)]
pub struct Account {
    profile: User,
    #[schema(required)]
    addresses: Option<Vec<SavedAddress>>,
    #[schema(required)]
    payment_methods: Option<Vec<PaymentMethod>>,
    #[schema(required)]
    latest_orders: Option<Vec<Order>>,
    #[schema(required)]
    unread_count: Option<u32>,
    /// Parts that are missing because their service could not be reached.
    degraded: Vec<&'static str>,
}

/// The data of the account page.
pub async fn account(context: RequestContext) -> ReplyResult<Account> {
    let user_id = context.user()?;
    let latest = ListOrders {
        user_id: Some(user_id),
        status: None,
        limit: Limit::try_from(LATEST_ORDERS).unwrap_or_default(),
        cursor: None,
    };
    let (user, addresses, methods, orders, unread) = join!(
        ask(&context, GetUser { user_id }),
        ask(&context, ListAddresses { user_id }),
        ask(&context, ListMethods { user_id }),
        ask(&context, latest),
        ask(&context, CountUnread { user_id }),
    );
    let mut degraded = Degraded::default();
    let page = Account {
        // The required part: without the profile there is no page.
        profile: user?.ok_or_else(Problem::not_found)?,
        addresses: degraded.part("addresses", addresses),
        payment_methods: degraded.part("payment_methods", methods),
        latest_orders: degraded.part("latest_orders", orders).map(|page| page.items),
        unread_count: degraded.part("unread_count", unread),
        degraded: degraded.0.clone(),
    };
    Ok(reply(&context, page, &degraded))
}

/// An order with its payment and its shipment.
#[derive(Serialize, ToSchema)]
pub struct OrderPage {
    #[serde(flatten)]
    order: Order,
    #[schema(required)]
    payment: Option<Payment>,
    #[schema(required)]
    shipment: Option<Shipment>,
    /// Parts that are missing because their service could not be reached.
    degraded: Vec<&'static str>,
}

/// Adds the payment and the shipment to an order.
pub async fn order_page<const STATUS: u16, const OR: u16>(
    context: &RequestContext,
    order: Order,
) -> Reply<OrderPage, STATUS, OR> {
    let order_id = order.id;
    let (payment, shipment) =
        join!(ask(context, GetPaymentOfOrder { order_id }), ask(context, GetShipmentOfOrder { order_id }));
    let mut degraded = Degraded::default();
    let page = OrderPage {
        order,
        payment: degraded.part("payment", payment),
        shipment: degraded.part("shipment", shipment),
        degraded: degraded.0.clone(),
    };
    reply(context, page, &degraded)
}
