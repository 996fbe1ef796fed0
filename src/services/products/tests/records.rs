//! Which events a change of a product sends, and under which slugs.

use super::super::{
    messages::ProductsError,
    records::{Aim, ProductRecord},
    rules::{Listing, tests::kettle},
    stock::Stock,
};
use crate::{env::Env, types::Timestamp};

fn product() -> ProductRecord {
    let env = Env::system();
    let listing = Listing::new(kettle()).unwrap();
    let aim = Aim { slug: listing.slug.clone(), token: 1 };
    let mut product = ProductRecord::draft(env.id(), listing, Stock::delivered(100).unwrap(), aim, env.now());
    product.version = 1;
    product
}

/// The slugs under which a change is told.
fn news(product: &mut ProductRecord, change: impl FnOnce(&mut ProductRecord)) -> Vec<String> {
    let before = product.public_view();
    change(product);
    product.public_view().changes_since(&before).iter().map(|changed| changed.slug.to_string()).collect()
}

#[test]
fn a_change_of_the_public_part_sends_an_event() {
    let (order, mut product) = (Env::system().id(), product());
    assert_eq!(news(&mut product, |it| it.stock.promise(order, 3.try_into().unwrap()).unwrap()), ["kettle"]);
    assert!(
        news(&mut product, |it| assert!(it.stock.sell(order))).is_empty(),
        "the pieces were not available before either"
    );
}

#[test]
fn a_changed_slug_sends_an_event_under_both_slugs() {
    let mut product = product();
    let aim = Aim { slug: "pot".parse().unwrap(), token: 2 };
    product.aim = Some(aim.clone());
    let listing = Listing { slug: aim.slug.clone(), ..product.listing.clone() };
    let told = news(&mut product, |it| it.list(listing, Some(&aim), Timestamp::UNIX_EPOCH).unwrap());
    assert_eq!(told, ["pot", "kettle"]);
    assert_eq!((product.version, product.aim), (2, None));
}

#[test]
fn a_product_gets_a_slug_only_if_it_still_aims_at_it() {
    let mut product = product();
    let aim = Aim { slug: "pot".parse().unwrap(), token: 2 };
    let listing = Listing { slug: aim.slug.clone(), ..product.listing.clone() };
    for other in [None, Some(Aim { token: 3, ..aim.clone() }), Some(Aim { slug: "pan".parse().unwrap(), token: 2 })] {
        product.aim = other;
        let refused = product.list(listing.clone(), Some(&aim), Timestamp::UNIX_EPOCH);
        assert_eq!(refused, Err(ProductsError::VersionConflict { actual: 1 }));
    }
}
