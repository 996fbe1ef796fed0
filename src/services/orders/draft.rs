//! Builds a new order from a request: looks up cart, products, address, payment method and shipping
//! cost at the other services. It changes nothing.

use super::{
    messages::{Destination, Order, OrderStatus, OrdersError, PlaceOrder, TimelineEntry},
    rules,
};
use crate::{
    env::Env,
    mesh::{CallError, Context, Failure, Mesh, MeshError, Request},
    services::{
        carts::messages::{CartOwner, GetCart},
        payments::messages::ListMethods,
        products::messages::{GetProducts, Product, StockLine},
        shipping::messages::{QuoteParcel, ShippingError},
        users::messages::{GetAddress, UsersError},
    },
    types::{Address, Money, OrderId, PaymentMethodId, UserId},
};
use futures_util::future::try_join3;

/// Builds the order of one request.
pub struct OrderDraft<'a> {
    pub env: &'a Env,
    pub mesh: &'a Mesh,
    pub context: &'a Context,
}

type Drafted<T> = Result<T, Failure<OrdersError>>;

impl OrderDraft<'_> {
    /// The pending order, or why it cannot be placed.
    pub async fn build(&self, request: &PlaceOrder) -> Drafted<Order> {
        let lines = self.lines(request).await?;
        rules::check_lines(&lines)?;
        let (products, address, ()) = try_join3(
            self.products(&lines),
            self.address(request.user_id, &request.destination),
            self.check_method(request.user_id, request.payment_method_id),
        )
        .await?;
        let items = rules::items(&lines, &products)?;
        let subtotal = rules::subtotal(&items)?;
        let shipping_cost = self.shipping_cost(request, &address, rules::weight_grams(&items)).await?;
        let now = self.env.now();
        let note = Some("We have received your order".into());
        Ok(Order {
            id: self.env.id::<OrderId>(),
            user_id: request.user_id,
            status: OrderStatus::Pending,
            reason: None,
            items,
            subtotal,
            shipping_cost,
            total: rules::total(subtotal, shipping_cost)?,
            address,
            shipping_service: request.shipping_service,
            payment_method_id: request.payment_method_id,
            placed_at: now,
            timeline: vec![TimelineEntry { status: OrderStatus::Pending, at: now, note }],
            returns: Vec::new(),
            in_progress: None,
            version: 1,
        })
    }

    async fn lines(&self, request: &PlaceOrder) -> Drafted<Vec<StockLine>> {
        if let Some(items) = &request.items {
            return Ok(items.clone());
        }
        let cart = self.ask(GetCart { owner: CartOwner::User(request.user_id) }, |_| None).await?;
        let lines = cart.items.iter();
        Ok(lines.map(|item| StockLine { product_id: item.product_id, quantity: item.quantity }).collect())
    }

    async fn products(&self, lines: &[StockLine]) -> Drafted<Vec<Product>> {
        self.ask(GetProducts { ids: lines.iter().map(|line| line.product_id).collect() }, |_| None).await
    }

    async fn address(&self, user_id: UserId, destination: &Destination) -> Drafted<Address> {
        let address_id = match destination {
            Destination::Given(address) => return Ok(address.clone()),
            Destination::Saved(address_id) => *address_id,
        };
        let saved = self.ask(GetAddress { user_id, address_id }, |error| match error {
            UsersError::AddressNotFound | UsersError::UserNotFound => Some(OrdersError::AddressNotFound),
            _ => None,
        });
        Ok(saved.await?.address)
    }

    /// Payments checks the method again when it authorizes. The check here refuses the request
    /// before there is an order that cannot be paid.
    async fn check_method(&self, user_id: UserId, method_id: PaymentMethodId) -> Drafted<()> {
        let methods = self.ask(ListMethods { user_id }, |_| None).await?;
        let is_there = methods.iter().any(|method| method.id == method_id);
        if is_there { Ok(()) } else { Err(OrdersError::MethodNotFound.into()) }
    }

    async fn shipping_cost(&self, request: &PlaceOrder, address: &Address, weight_grams: u64) -> Drafted<Money> {
        let Address { country, postal_code, city, .. } = address;
        let (postal_code, city) = (postal_code.to_string(), city.to_string());
        let quotes =
            self.ask(QuoteParcel { country: *country, postal_code, city, weight_grams }, |error| match error {
                ShippingError::Undeliverable { reason } => Some(OrdersError::Undeliverable { reason: reason.clone() }),
                _ => None,
            });
        let quote = quotes.await?.into_iter().find(|quote| quote.service == request.shipping_service);
        let none = || OrdersError::Undeliverable { reason: "not with this shipping service".into() };
        Ok(quote.ok_or_else(none)?.cost)
    }

    /// Calls a service; `meaning` translates its error into one of orders.
    async fn ask<R: Request>(
        &self,
        request: R,
        meaning: impl FnOnce(&R::Error) -> Option<OrdersError>,
    ) -> Drafted<R::Reply> {
        self.mesh.call(self.context, request).await.map_err(|error| match &error {
            CallError::Domain(answer) => match meaning(answer) {
                Some(error) => Failure::Domain(error),
                None => Failure::Fault(MeshError::Failed(answer.to_string())),
            },
            CallError::Mesh(fault) => Failure::Fault(fault.clone()),
        })
    }
}
