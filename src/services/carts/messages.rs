//! What carts can be asked, and what it answers.

use crate::{
    mesh::requests,
    types::{CartId, Money, OrderId, ProductId, Quantity, Service, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Carts, CartsError,
    query anyone GetCart    "carts.get" by owner      -> Cart,
    keyed anyone SetItem    "carts.set_item" by owner -> Cart,
    keyed anyone ClearCart  "carts.clear" by owner    -> Cart,
    keyed anyone MergeCarts "carts.merge"             -> Cart,
    keyed anyone CheckOut   "carts.check_out"         -> (),
    query anyone CountCarts "carts.count"             -> CartCounts,
}

/// Whose cart. A guest's hangs on a signed cookie that holds its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartOwner {
    Guest(CartId),
    User(UserId),
}

/// A cart, priced and checked against the stock as of now. An empty one where nothing was put in yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cart {
    pub id: CartId,
    /// In the order in which they were put in.
    pub items: Vec<CartItem>,
    pub subtotal: Money,
    /// Pieces.
    pub item_count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CartItem {
    pub product_id: ProductId,
    pub name: String,
    pub image: String,
    pub unit_price: Money,
    pub quantity: Quantity,
    pub line_total: Money,
    /// Pieces that can be ordered now; 0 for a product that is no longer sold.
    pub available: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetCart {
    pub owner: CartOwner,
}

/// For whoever runs the shop: carts since then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountCarts {
    pub since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartCounts {
    /// That something was put in: they still hold it, or it was ordered.
    pub filled: u64,
    /// Out of which something was ordered.
    pub ordered: u64,
}

/// So many pieces of the product are in the cart from now on; none where `quantity` is absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetItem {
    pub owner: CartOwner,
    pub product_id: ProductId,
    pub quantity: Option<Quantity>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClearCart {
    pub owner: CartOwner,
}

/// Puts what is in the guest's cart into the user's, and empties the guest's: quantities add up, to at most what a line may hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MergeCarts {
    pub guest: CartId,
    pub user_id: UserId,
}

/// Takes what the order bought out of the user's cart, once per order: what was put in since stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckOut {
    pub user_id: UserId,
    pub order_id: OrderId,
    pub lines: Vec<(ProductId, Quantity)>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartsError {
    #[error("there is no such product on sale")]
    ProductNotFound,
    #[error("a cart holds at most {most} different products")]
    CartFull { most: usize },
    #[error("the cart would cost more than can be reckoned")]
    TooExpensive,
}
