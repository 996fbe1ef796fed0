//! Slugs under every interleaving and crash: each belongs to one product, and none is lost.

use super::super::{
    ProductsResult,
    interleavings::{Schedule, interleave, schedule},
    listings::{create, update},
    messages::*,
    records::ProductRecord,
    rules::tests::kettle,
    store::Store,
};
use crate::{
    env::Env,
    storage::{Storage, Tree},
    types::{Service, Slug},
};
use proptest::prelude::*;
use std::collections::HashSet;

const SLUGS: [&str; 3] = ["a", "b", "c"];

/// By number: a product, a slug.
#[derive(Debug, Clone)]
enum Op {
    Create(usize),
    Rename(usize, usize),
}

#[derive(Debug, Clone)]
struct Round {
    ops: Vec<Op>,
    schedule: Schedule,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let op = prop_oneof![
        1 => (0..SLUGS.len()).prop_map(Op::Create),
        3 => (0usize..2, 0..SLUGS.len()).prop_map(|(product, slug)| Op::Rename(product, slug)),
    ];
    let round = (prop::collection::vec(op, 2..7), schedule()).prop_map(|(ops, schedule)| Round { ops, schedule });
    prop::collection::vec(round, 1..5)
}

fn slug(number: usize) -> Slug {
    SLUGS[number].parse().unwrap()
}

fn products(store: &Store) -> Vec<ProductRecord> {
    store.products_after(None).map(Result::unwrap).collect()
}

fn perform(store: &Store, op: &Op) -> ProductsResult<Product> {
    match op {
        Op::Create(number) => create(store, CreateProduct { slug: slug(*number), ..kettle() }),
        Op::Rename(product, number) => {
            let all = products(store);
            let product_id = all.get(product % all.len().max(1)).ok_or(ProductsError::ProductNotFound)?.id;
            let changes = ProductChanges { slug: Some(slug(*number)), ..ProductChanges::default() };
            update(store, UpdateProduct { product_id, expected_version: None, changes })
        }
    }
}

fn check(store: &Store) {
    let mut seen = HashSet::new();
    for product in products(store) {
        let slug = &product.listing.slug;
        assert!(seen.insert(slug.clone()), "two products have the slug {slug}");
        assert_eq!(store.product_of_slug(slug).unwrap().map(|found| found.id), Some(product.id));
    }
}

fn restart(tree: &Tree, env: &Env) -> Store {
    Store::open(tree, env, |_| ()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn a_slug_always_belongs_to_one_product_and_none_is_lost(rounds in rounds()) {
        let (env, folder) = (Env::system(), tempfile::tempdir().unwrap());
        let tree = Storage::open(folder.path(), &env).unwrap().tree(Service::Products).unwrap();
        let mut store = restart(&tree, &env);
        for Round { ops, schedule } in &rounds {
            interleave(&store, ops, schedule, perform, || check(&store));
            if schedule.end_after.is_some() {
                store = restart(&tree, &env);
            }
        }
        let store = restart(&tree, &env);
        let borne: HashSet<Slug> = products(&store).into_iter().map(|product| product.listing.slug).collect();
        for number in 0..SLUGS.len() {
            prop_assert_eq!(perform(&store, &Op::Create(number)).is_err(), borne.contains(&slug(number)));
        }
    }
}
