//! The catalogue against a plain filter and sort, page by page, while products are added and
//! removed.

use super::super::{
    catalogue::Catalogue,
    messages::*,
    rules::{self, CURRENCY, CategoryName},
    search::CatalogueQuery,
    tokenizer,
};
use crate::types::{Id, Money, ProductId, Slug, Timestamp};
use proptest::prelude::*;
use std::{cmp::Reverse, collections::BTreeSet};
use uuid::Uuid;

fn id(n: u32) -> ProductId {
    ProductId::from_uuid(Uuid::from_u128(n.into()))
}

const NAMES: [&str; 5] = ["Moka pot", "Möka Pan", "Kettle", "Pot of tea", "kettle"];
const SLUGS: [&str; 3] = ["kitchen", "coffee-makers", "garden"];
const TAGS: [&str; 3] = ["steel", "potent", "moka"];
const TEXTS: [&str; 3] = ["", "Makes coffee in a pot.", "For the garden; rust-proof steel."];

fn kettle(n: u32) -> Product {
    Product {
        id: id(n),
        slug: format!("p{n}").parse().unwrap(),
        name: "Kettle".parse().unwrap(),
        description: Default::default(),
        category: "kitchen".parse().unwrap(),
        price: Money::new(1, CURRENCY).unwrap(),
        image: String::new(),
        stock: Availability { available: 1 },
        weight_grams: 1,
        tags: vec![],
        featured: false,
        retired: false,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 1,
    }
}

prop_compose! {
    fn product(n: u32)(
        name in 0..NAMES.len(), category in 0..SLUGS.len(), text in 0..TEXTS.len(), tag in 0..TAGS.len(),
        price in 1i64..6, age in 0i64..4, available in 0u32..2, featured: bool,
    ) -> Product {
        Product {
            name: NAMES[name].parse().unwrap(),
            description: TEXTS[text].parse().unwrap(),
            category: SLUGS[category].parse().unwrap(),
            price: Money::new(price, CURRENCY).unwrap(),
            stock: Availability { available },
            tags: vec![TAGS[tag].parse().unwrap()],
            featured,
            created_at: Timestamp::from_millisecond(age).unwrap(),
            ..kettle(n)
        }
    }
}

fn products(count: std::ops::Range<u32>) -> impl Strategy<Value = Vec<Product>> {
    count.prop_flat_map(|count| (0..count).map(product).collect::<Vec<_>>())
}

fn request() -> impl Strategy<Value = FindProducts> {
    let q = prop::option::of(prop::sample::select(vec![
        "",
        "pot",
        "MÖK",
        "p k",
        "coffee gard",
        "ste pot moka",
        "zzz",
        "kettle ke",
    ]));
    let sort =
        prop::sample::select(vec![Sort::Relevance, Sort::Price, Sort::PriceDescending, Sort::Name, Sort::Newest]);
    let category = prop::option::weighted(0.3, prop::sample::select(vec!["kitchen", "garden", "unknown"]));
    let prices = (prop::option::weighted(0.3, 0i64..6), prop::option::weighted(0.3, 0i64..6));
    (q, sort, category, prices, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(q, sort, category, (min_price, max_price), in_stock, featured)| FindProducts {
            q: q.map(str::to_owned),
            category: category.map(|slug| slug.parse().unwrap()),
            min_price,
            max_price,
            in_stock,
            featured,
            sort,
            ..FindProducts::default()
        },
    )
}

fn name_of(slug: &Slug) -> CategoryName {
    rules::default_category_name(slug).unwrap()
}

fn filled(products: &[Product]) -> Catalogue {
    let mut catalogue = Catalogue::default();
    let named = products.iter().map(|product| Ok::<_, ()>((product.clone(), name_of(&product.category), 1)));
    catalogue.fill(named).unwrap();
    catalogue
}

fn all_pages(catalogue: &Catalogue, query: &CatalogueQuery, limit: usize) -> Vec<ProductId> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let found = catalogue.find(query, after.as_ref(), limit);
        assert!(found.ids.len() <= limit);
        ids.extend(found.ids);
        match found.next {
            Some(next) => after = Some(next),
            None => return ids,
        }
    }
}

/// The expected result of a query, computed without an index.
fn naive(products: &[Product], query: &CatalogueQuery) -> Vec<ProductId> {
    let mut found: Vec<(&Product, u16)> = products.iter().filter_map(|p| Some((p, naive_score(p, query)?))).collect();
    found.retain(|(p, _)| {
        query.category.as_ref().is_none_or(|category| *category == p.category)
            && query.min_price <= p.price.amount()
            && p.price.amount() <= query.max_price
            && (!query.in_stock || p.stock.available > 0)
            && (!query.featured || p.featured)
    });
    match query.sort {
        Sort::Relevance => found.sort_by_key(|(p, score)| (Reverse(*score), p.id)),
        Sort::Price => found.sort_by_key(|(p, _)| (p.price.amount(), p.id)),
        Sort::PriceDescending => found.sort_by_key(|(p, _)| Reverse((p.price.amount(), p.id))),
        Sort::Name => found.sort_by_key(|(p, _)| (tokenizer::fold(&p.name), p.id)),
        Sort::Newest => found.sort_by_key(|(p, _)| Reverse((p.created_at, p.id))),
    }
    found.into_iter().map(|(p, _)| p.id).collect()
}

/// The weights of the best field that has each word; `None` where one has none.
fn naive_score(product: &Product, query: &CatalogueQuery) -> Option<u16> {
    let name = name_of(&product.category);
    let texts = [
        (8, product.name.as_str()),
        (4, product.tags[0].as_str()),
        (2, name.as_str()),
        (2, product.category.as_str()),
        (1, product.description.as_str()),
    ];
    let weight = |word: &String| {
        let has = |text: &str| tokenizer::terms(text).any(|known| known.starts_with(word.as_str()));
        texts.iter().find(|(_, text)| has(text)).map(|(weight, _)| *weight)
    };
    query.terms.iter().map(weight).sum()
}

proptest! {
    #[test]
    fn the_pages_of_a_search_are_what_a_plain_filter_and_sort_would_give(
        products in products(0..30), request in request(), limit in 1usize..8,
    ) {
        let query = CatalogueQuery::new(&request).unwrap();
        prop_assert_eq!(all_pages(&filled(&products), &query, limit), naive(&products, &query));
    }

    #[test]
    fn changes_one_by_one_lead_to_the_same_catalogue_as_filling_it(
        before in products(0..20), after in products(0..20), request in request(),
    ) {
        let mut changed = filled(&before);
        for product in &before {
            changed.remove(product.id);
        }
        for product in after.iter().rev() {
            changed.put(product, &name_of(&product.category), 2);
        }
        changed.tidy_up();
        let query = CatalogueQuery::new(&request).unwrap();
        prop_assert_eq!(all_pages(&changed, &query, 7), naive(&after, &query));
        let mut categories: Vec<_> = changed.categories().into_iter().map(|c| (c.slug, c.product_count)).collect();
        let mut counted: Vec<(Slug, u32)> = Vec::new();
        for slug in after.iter().map(|product| product.category.clone()).collect::<BTreeSet<_>>() {
            let count = after.iter().filter(|product| product.category == slug).count() as u32;
            counted.push((slug, count));
        }
        categories.sort();
        prop_assert_eq!(categories, counted);
    }

    #[test]
    fn a_list_continues_at_its_position_while_products_are_added_and_removed(
        products in products(2..30), request in request(), limit in 1usize..8, comes in prop::collection::vec(any::<bool>(), 30),
    ) {
        let query = CatalogueQuery::new(&request).unwrap();
        // The catalogue has half of the products at the first page, and the other half at the next
        // ones.
        let stays = |product: &Product| product.id.uuid().as_u128().is_multiple_of(3);
        let comes = |product: &Product| comes[product.id.uuid().as_u128() as usize];
        let mut catalogue = filled(&products);
        products.iter().filter(|p| !stays(p) && comes(p)).for_each(|p| catalogue.remove(p.id));
        let first = catalogue.find(&query, None, limit);
        let Some(after) = first.next else { return Ok(()) };
        for product in products.iter().filter(|p| !stays(p)) {
            if comes(product) {
                catalogue.put(product, &name_of(&product.category), 2);
            } else {
                catalogue.remove(product.id);
            }
        }
        catalogue.tidy_up();
        let (mut seen, mut after) = (first.ids, Some(after));
        while let Some(position) = after {
            let found = catalogue.find(&query, Some(&position), limit);
            seen.extend(found.ids);
            after = found.next;
        }
        let kept: Vec<ProductId> = products.iter().filter(|p| stays(p)).map(|p| p.id).collect();
        let expected: Vec<ProductId> = naive(&products, &query).into_iter().filter(|id| kept.contains(id)).collect();
        let seen_of_kept: Vec<ProductId> = seen.iter().copied().filter(|id| kept.contains(id)).collect();
        prop_assert_eq!(seen_of_kept, expected, "what was there all the time is seen once, in order");
        prop_assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "nothing is seen twice");
    }
}

#[test]
fn an_older_revision_of_the_stock_changes_nothing() {
    let mut catalogue = Catalogue::default();
    let kettle = kettle(1);
    catalogue.put(&kettle, &name_of(&kettle.category), 5);
    let query = CatalogueQuery::new(&FindProducts { in_stock: true, ..FindProducts::default() }).unwrap();
    let is_found = |catalogue: &Catalogue| catalogue.find(&query, None, 1).ids.len() == 1;
    catalogue.set_in_stock(id(1), 7, false);
    catalogue.set_in_stock(id(1), 6, true);
    assert!(!is_found(&catalogue));
    catalogue.set_in_stock(id(1), 8, true);
    assert!(is_found(&catalogue));
}

#[test]
fn the_catalogue_stays_small_after_many_changes() {
    let kettle = kettle(1);
    let mut catalogue = Catalogue::default();
    for revision in 0..1000 {
        catalogue.put(&kettle, &name_of(&kettle.category), revision);
    }
    assert!(catalogue.items.len() < 300, "{} places for one product", catalogue.items.len());
    assert_eq!(catalogue.find(&CatalogueQuery::new(&FindProducts::default()).unwrap(), None, 9).ids, [kettle.id]);
}

/// A measurement, not a test; run it optimised, with `--ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn searching_100_000_products_takes() {
    use std::time::Instant;
    let word =
        |n: usize| format!("{}{}", ["mok", "ket", "pot", "st", "gar", "co", "lam", "be"][n % 8], n * 7919 % 5003);
    let products: Vec<Product> = (0..100_000usize)
        .map(|n| {
            let mut runner = (n * 31) as u32;
            let mut next = || {
                runner = runner.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                word((runner >> 8) as usize)
            };
            Product {
                name: format!("{} {} {}", next(), next(), next()).parse().unwrap(),
                description: (0..30).map(|_| next()).collect::<Vec<_>>().join(" ").parse().unwrap(),
                category: format!("c{}", n % 40).parse().unwrap(),
                price: Money::new(1 + n as i64 * 7919 % 50_000, CURRENCY).unwrap(),
                tags: vec![next().parse().unwrap(), next().parse().unwrap()],
                featured: n % 10_000 == 0,
                created_at: Timestamp::from_millisecond(n as i64 % 977).unwrap(),
                ..kettle(n as u32)
            }
        })
        .collect();
    let started = Instant::now();
    let mut catalogue = filled(&products);
    println!("filled in {:?}", started.elapsed());
    let queries = [
        (None, Sort::Name, false),
        (None, Sort::Price, true),
        (Some("mok"), Sort::Relevance, false),
        (Some("m"), Sort::Relevance, false),
        (Some("m k p s g c l b"), Sort::Relevance, false),
        (Some("pot12 ket"), Sort::Relevance, false),
        (Some("pot12 ket"), Sort::Newest, false),
        (Some("ket1 co2"), Sort::PriceDescending, true),
        (Some("a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9"), Sort::Price, false),
    ];
    for (q, sort, featured) in queries {
        let request = FindProducts { q: q.map(str::to_owned), sort, featured, ..FindProducts::default() };
        let query = CatalogueQuery::new(&request).unwrap();
        let mut times: Vec<_> = (0..200)
            .scan(None, |after, _| {
                let started = Instant::now();
                let found = catalogue.find(&query, after.as_ref(), 24);
                let took = started.elapsed();
                *after = found.next;
                Some(took)
            })
            .collect();
        times.sort();
        println!("{q:?} {sort:?} featured={featured}: p50 {:?} p99 {:?} max {:?}", times[100], times[198], times[199]);
    }
    let started = Instant::now();
    catalogue.put(&products[5], &name_of(&products[5].category), 9);
    println!("changed one in {:?}", started.elapsed());
    let started = Instant::now();
    catalogue.tidy_up();
    println!("tidied up in {:?}", started.elapsed());
}
