//! The rules of carts: what one may hold, how two are merged, and what one costs.

use super::{
    messages::{Cart, CartItem, CartsError},
    records::CartLine,
};
use crate::{
    services::products::messages::Product,
    types::{CartId, Currency, Money, ProductId, Quantity},
};

/// Different products in one cart.
pub const MOST_LINES: usize = 50;

/// Sets the quantity of a product, or removes it where `quantity` is absent. Errors: `CartFull`.
pub fn set(lines: &mut Vec<CartLine>, product: ProductId, quantity: Option<Quantity>) -> Result<(), CartsError> {
    let at = lines.iter().position(|(id, _)| *id == product);
    match (at, quantity) {
        (Some(at), Some(quantity)) => lines[at].1 = quantity,
        (Some(at), None) => {
            lines.remove(at);
        }
        (None, Some(_)) if lines.len() == MOST_LINES => return Err(CartsError::CartFull { most: MOST_LINES }),
        (None, Some(quantity)) => lines.push((product, quantity)),
        (None, None) => {}
    }
    Ok(())
}

/// Adds the lines of a guest's cart to a user's. Quantities add up, to at most 999. Lines that find
/// no room are dropped, because a sign-in must not fail for them.
pub fn merge(lines: &mut Vec<CartLine>, guest: &[CartLine]) {
    for (product, quantity) in guest {
        match lines.iter().position(|(id, _)| id == product) {
            Some(at) => lines[at].1 = lines[at].1.plus_at_most(*quantity),
            None if lines.len() < MOST_LINES => lines.push((*product, *quantity)),
            None => {}
        }
    }
}

/// Removes the ordered quantities. Quantities that were added since stay.
pub fn check_out(lines: &mut Vec<CartLine>, bought: &[CartLine]) {
    for (product, quantity) in bought {
        if let Some((_, held)) = lines.iter_mut().find(|(id, _)| id == product) {
            match Quantity::try_from(held.get().saturating_sub(quantity.get())) {
                Ok(rest) => *held = rest,
                Err(_) => lines.retain(|(id, _)| id != product),
            }
        }
    }
}

/// The cart as its owner sees it. A product that is no longer sold stays visible, with 0 available.
/// Errors: `TooExpensive`.
pub fn price(id: CartId, lines: &[CartLine], products: &[Product]) -> Result<Cart, CartsError> {
    let mut items = Vec::with_capacity(lines.len());
    for (product_id, quantity) in lines {
        let Some(product) = products.iter().find(|product| product.id == *product_id) else { continue };
        let line_total = product.price.times(quantity.get()).map_err(|_| CartsError::TooExpensive)?;
        items.push(CartItem {
            product_id: *product_id,
            name: product.name.to_string(),
            image: product.image.clone(),
            unit_price: product.price,
            quantity: *quantity,
            line_total,
            available: if product.retired { 0 } else { product.stock.available },
        });
    }
    let currency = items.first().map_or(Currency::EUR, |item| item.line_total.currency());
    let subtotal =
        Money::sum(items.iter().map(|item| item.line_total), currency).map_err(|_| CartsError::TooExpensive)?;
    let item_count = items.iter().map(|item| item.quantity.get()).sum();
    Ok(Cart { id, items, subtotal, item_count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn product(n: u128) -> ProductId {
        ProductId::from_uuid(Uuid::from_u128(n))
    }

    fn pieces(n: u32) -> Quantity {
        n.try_into().unwrap()
    }

    #[test]
    fn a_line_is_added_changed_and_removed() {
        let mut lines = vec![];
        set(&mut lines, product(1), Some(pieces(2))).unwrap();
        set(&mut lines, product(2), Some(pieces(1))).unwrap();
        set(&mut lines, product(1), Some(pieces(5))).unwrap();
        assert_eq!(lines, [(product(1), pieces(5)), (product(2), pieces(1))]);
        set(&mut lines, product(1), None).unwrap();
        set(&mut lines, product(9), None).unwrap();
        assert_eq!(lines, [(product(2), pieces(1))]);
    }

    #[test]
    fn a_full_cart_takes_more_pieces_of_its_products_but_no_new_product() {
        let mut lines: Vec<CartLine> = (0..MOST_LINES as u128).map(|n| (product(n), pieces(1))).collect();
        assert!(set(&mut lines, product(3), Some(pieces(2))).is_ok());
        assert_eq!(set(&mut lines, product(999), Some(pieces(1))), Err(CartsError::CartFull { most: MOST_LINES }));
        merge(&mut lines, &[(product(999), pieces(1)), (product(3), pieces(999))]);
        assert_eq!((lines.len(), lines[3].1), (MOST_LINES, pieces(999)));
    }

    proptest! {
        #[test]
        fn a_check_out_removes_what_was_ordered_and_keeps_what_was_added_since(before in 1u32..=999, more in 0u32..=999) {
            let mut lines = vec![(product(1), pieces((before + more).min(999)))];
            check_out(&mut lines, &[(product(1), pieces(before)), (product(2), pieces(1))]);
            let left = (before + more).min(999) - before;
            prop_assert_eq!(lines.first().map_or(0, |(_, quantity)| quantity.get()), left);
        }
    }
}
