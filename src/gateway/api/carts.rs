//! The cart: of a guest, identified by a signed cookie, or of a user.

use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, PathId},
        filters::authentication::cookies::CartKey,
        respond::{Problem, Reply, ReplyResult, reply::ok},
    },
    services::carts::messages::*,
    types::{CartId, ProductId, Quantity},
};
use actix_web::{HttpRequest, web::Data};
use serde::Deserialize;
use utoipa::ToSchema;

pub async fn get(context: RequestContext, request: HttpRequest, cart_key: Data<CartKey>) -> ReplyResult<Cart> {
    let (owner, _) = owner(&context, &request, &cart_key);
    ok(context.call(GetCart { owner }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pieces {
    /// 0 removes the product from the cart.
    #[schema(maximum = 999, example = 2)]
    quantity: u64,
}

pub async fn set_item(
    context: RequestContext,
    request: HttpRequest,
    cart_key: Data<CartKey>,
    PathId(product_id): PathId<ProductId>,
    Body(Pieces { quantity }): Body<Pieces>,
) -> ReplyResult<Cart> {
    let quantity = match quantity {
        0 => None,
        more => Some(parse(more).ok_or_else(|| {
            Problem::invalid("/quantity", format!("must be a whole number from 0 to {}", Quantity::MAX))
        })?),
    };
    change(&context, &request, &cart_key, |owner| SetItem { owner, product_id, quantity }).await
}

pub async fn remove_item(
    context: RequestContext,
    request: HttpRequest,
    cart_key: Data<CartKey>,
    PathId(product_id): PathId<ProductId>,
) -> ReplyResult<Cart> {
    change(&context, &request, &cart_key, |owner| SetItem { owner, product_id, quantity: None }).await
}

pub async fn clear(context: RequestContext, request: HttpRequest, cart_key: Data<CartKey>) -> ReplyResult<Cart> {
    change(&context, &request, &cart_key, |owner| ClearCart { owner }).await
}

fn parse(pieces: u64) -> Option<Quantity> {
    u32::try_from(pieces).ok()?.try_into().ok()
}

/// Sends a change of the cart. A guest with a new cart gets its cookie.
async fn change<R>(
    context: &RequestContext,
    request: &HttpRequest,
    cart_key: &CartKey,
    message: impl FnOnce(CartOwner) -> R,
) -> ReplyResult<Cart>
where
    R: crate::mesh::Request<Reply = Cart, Error = CartsError>,
{
    let (owner, is_new) = owner(context, request, cart_key);
    let cart = context.call(message(owner)).await?;
    let reply = Reply::json(cart);
    Ok(match owner {
        CartOwner::Guest(id) if is_new => reply.cookie(cart_key.cookie(id)),
        _ => reply,
    })
}

/// The owner of the cart, and whether it is a guest with a new cart.
pub fn owner(context: &RequestContext, request: &HttpRequest, cart_key: &CartKey) -> (CartOwner, bool) {
    match (context.principal.get().user_id(), cart_key.cart(request)) {
        (Some(user), _) => (CartOwner::User(user), false),
        (None, Some(cart)) => (CartOwner::Guest(cart), false),
        (None, None) => (CartOwner::Guest(context.gateway.env.id::<CartId>()), true),
    }
}
