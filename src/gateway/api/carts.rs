//! The cart: a guest's, on a signed cookie, or the user's.

use super::{Answer, ok};
use crate::{
    gateway::{
        answer::Told,
        body::{Body, PathId},
        problem::Problem,
        visit::Visit,
    },
    services::carts::messages::*,
    types::{CartId, ProductId, Quantity},
};
use actix_web::HttpRequest;
use serde::Deserialize;
use utoipa::ToSchema;

pub async fn get(visit: Visit, request: HttpRequest) -> Answer<Cart> {
    let (owner, _) = owner(&visit, &request);
    ok(visit.call(GetCart { owner }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pieces {
    /// 0 takes the product out.
    #[schema(maximum = 999, example = 2)]
    quantity: u64,
}

pub async fn set_item(
    visit: Visit,
    request: HttpRequest,
    PathId(product_id): PathId<ProductId>,
    Body(Pieces { quantity }): Body<Pieces>,
) -> Answer<Cart> {
    let quantity = match quantity {
        0 => None,
        more => Some(parse(more).ok_or_else(|| {
            Problem::invalid("/quantity", format!("must be a whole number from 0 to {}", Quantity::MAX))
        })?),
    };
    change(&visit, &request, |owner| SetItem { owner, product_id, quantity }).await
}

pub async fn remove_item(visit: Visit, request: HttpRequest, PathId(product_id): PathId<ProductId>) -> Answer<Cart> {
    change(&visit, &request, |owner| SetItem { owner, product_id, quantity: None }).await
}

pub async fn clear(visit: Visit, request: HttpRequest) -> Answer<Cart> {
    change(&visit, &request, |owner| ClearCart { owner }).await
}

fn parse(pieces: u64) -> Option<Quantity> {
    u32::try_from(pieces).ok()?.try_into().ok()
}

/// A guest who puts something in gets the cookie that the cart hangs on.
async fn change<R>(visit: &Visit, request: &HttpRequest, order: impl FnOnce(CartOwner) -> R) -> Answer<Cart>
where
    R: crate::mesh::Request<Reply = Cart, Error = CartsError>,
{
    let (owner, is_new) = owner(visit, request);
    let cart = visit.call(order(owner)).await?;
    let answer = Told::json(cart);
    Ok(match owner {
        CartOwner::Guest(id) if is_new => answer.cookie(visit.gateway.cart_key.cookie(id)),
        _ => answer,
    })
}

/// Whose cart, and whether it is only now made up.
pub fn owner(visit: &Visit, request: &HttpRequest) -> (CartOwner, bool) {
    match (visit.principal.get().user_id(), visit.gateway.cart_key.cart(request)) {
        (Some(user), _) => (CartOwner::User(user), false),
        (None, Some(cart)) => (CartOwner::Guest(cart), false),
        (None, None) => (CartOwner::Guest(visit.gateway.env.id::<CartId>()), true),
    }
}
