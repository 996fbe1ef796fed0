//! The public face of carts: its requests, replies and errors.
#![deny(missing_docs)]

use crate::{
    mesh::requests,
    types::{CartId, Money, OrderId, ProductId, Quantity, Service, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

// Every row is for anyone, because a guest has no principal to check: the gateway takes the owner
// of a cart from the access token or from the signed cookie, never from what the client wrote.
#[rustfmt::skip]
requests! { Service::Carts, CartsError,
    query anyone GetCart    "carts.get" by owner      -> Cart,
    keyed anyone SetItem    "carts.set_item" by owner -> Cart,
    keyed anyone ClearCart  "carts.clear" by owner    -> Cart,
    keyed anyone MergeCarts "carts.merge"             -> Cart,
    keyed anyone CheckOut   "carts.check_out"         -> (),
    query anyone CountCarts "carts.count"             -> CartCounts,
}

/// The owner of a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartOwner {
    /// A client that is not signed in. The id of the cart is in a signed cookie.
    Guest(CartId),
    /// A signed-in user: one cart each.
    User(UserId),
}

/// A cart with the prices and the stock of this moment. A cart that does not exist yet is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cart {
    /// The id of the cart.
    pub id: CartId,
    /// In the order in which they were added; at most 50.
    pub items: Vec<CartItem>,
    /// The sum of all `line_total`s, without shipping.
    pub subtotal: Money,
    /// The number of pieces in all items.
    pub item_count: u32,
}

/// One product in a cart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CartItem {
    /// The product.
    pub product_id: ProductId,
    /// Its name now.
    pub name: String,
    /// The path of its picture on this server.
    pub image: String,
    /// The price of one piece now.
    pub unit_price: Money,
    /// How many pieces: 1 to 999.
    pub quantity: Quantity,
    /// `unit_price` × `quantity`.
    pub line_total: Money,
    /// Pieces that can be ordered now; 0 for a product that is no longer sold.
    pub available: u32,
}

/// The owner's cart. Errors: `TooExpensive`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetCart {
    /// Whose cart.
    pub owner: CartOwner,
}

/// Counts the carts that changed lately. For the operator's dashboard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountCarts {
    /// Only carts that changed at this time or later.
    pub since: Timestamp,
}

/// The reply to [`CountCarts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartCounts {
    /// Carts that hold a product, or held one that was ordered.
    pub filled: u64,
    /// Carts from which at least one order was placed; part of `filled`.
    pub ordered: u64,
}

/// Sets how many pieces of a product are in the cart.
///
/// Errors: `ProductNotFound`, `CartFull`, `TooExpensive`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetItem {
    /// Whose cart.
    pub owner: CartOwner,
    /// Which product.
    pub product_id: ProductId,
    /// The new quantity; absent: removes the product.
    pub quantity: Option<Quantity>,
}

/// Removes all products from the cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClearCart {
    /// Whose cart.
    pub owner: CartOwner,
}

/// Moves the products of a guest's cart into a user's cart. Quantities of the same product add up,
/// to at most 999. Products beyond the 50th are dropped. The guest's cart is empty afterwards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MergeCarts {
    /// The guest's cart.
    pub guest: CartId,
    /// The user who has signed in.
    pub user_id: UserId,
}

/// Removes ordered quantities from the user's cart, once per order. Products that were added after
/// the order was placed stay.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckOut {
    /// Whose cart.
    pub user_id: UserId,
    /// The order; a repeated request for the same order changes nothing.
    pub order_id: OrderId,
    /// What was ordered.
    pub lines: Vec<(ProductId, Quantity)>,
}

/// Why a request to carts failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartsError {
    /// The product does not exist or is no longer sold.
    #[error("there is no such product on sale")]
    ProductNotFound,
    /// The cart holds as many different products as it can.
    #[error("a cart holds at most {most} different products")]
    CartFull {
        /// How many different products a cart can hold.
        most: usize,
    },
    /// The total is larger than an amount of money can be.
    #[error("the total of the cart is too large")]
    TooExpensive,
}
