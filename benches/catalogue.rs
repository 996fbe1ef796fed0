//! Measures search, filters and pages in catalogues of growing size, without the response cache.
//!
//! `cargo bench --bench catalogue -- --size 500 --size 5000`

mod kit;

use kit::{Args, Seen, Table, harness::Shop, json_request, load, load_while, median, micros, resident};
use serde_json::json;
use std::cell::Cell;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const CONNECTIONS: usize = 8;
const MATERIALS: [&str; 10] = ["oak", "steel", "linen", "brass", "wool", "glass", "cork", "clay", "ash", "tin"];
const THINGS: [&str; 10] = ["kettle", "lamp", "stool", "bowl", "rug", "clock", "vase", "tray", "shelf", "basket"];
const CATEGORIES: [&str; 4] = ["kitchen", "garden", "travel", "music"];
/// The searches: the name of each in the table, and its query string.
const QUESTIONS: [(&str, &str); 6] = [
    ("one word", "q=kettle"),
    ("two words", "q=brass%20lamp"),
    ("beginning of a word", "q=bas"),
    ("category, dearest first", "category=kitchen&sort=-price"),
    ("price and stock", "min_price=2000&max_price=3000&in_stock=true"),
    ("first page by name", "sort=name&limit=100"),
];

fn main() {
    let args = Args::read();
    let sizes = if args.size.is_empty() { SIZES.to_vec() } else { args.size.clone() };
    let shop = Shop::open();
    let operator = shop.operator();
    operator.change_control("routes", "products.find", &json!({"cache_ttl_ms": 0})).ok();
    for limit in ["browse", "write"] {
        operator.change_control("limits", limit, &json!({"answered_within_ms": 60_000})).ok();
    }
    let mut table = Table::new(["products", "what is asked", "p50", "p99", "answers/s", "MB of memory"]);
    let mut there = 0;
    for size in sizes {
        stock(&shop, operator.token(), there..size);
        there = size.max(there);
        for (what, query) in QUESTIONS {
            let request = format!("GET /api/v1/products?{query} HTTP/1.1\r\nhost: {}\r\n\r\n", shop.address());
            let rounds: Vec<_> = (0..args.rounds)
                .map(|_| {
                    let request = request.clone();
                    load(shop.address(), CONNECTIONS, args.time() / 4, move |_, _| request.clone().into_bytes())
                })
                .collect();
            let of = |figure: fn(&Seen) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
            table.row([
                there.to_string(),
                what.to_owned(),
                format!("{:.2} ms", of(|seen| micros(seen.p50) / 1e3)),
                format!("{:.2} ms", of(|seen| micros(seen.p99) / 1e3)),
                format!("{:.0}", of(|seen| seen.per_second)),
                format!("{:.0}", resident(shop.process()) as f64 / 1e6),
            ]);
        }
    }
    table.print();
}

fn stock(shop: &Shop, token: &str, numbers: std::ops::Range<usize>) {
    let (host, headers) = (shop.address(), format!("authorization: Bearer {token}\r\n"));
    let next = Cell::new(numbers.start);
    load_while(host, 64, move |_, _| {
        let number = next.replace(next.get() + 1);
        let (material, thing) = (MATERIALS[number % 10], THINGS[number / 10 % 10]);
        let product = json!({
            "slug": format!("{material}-{thing}-{number}"), "name": format!("{material} {thing} {number}"),
            "description": format!("A {thing} of {material}, well made."),
            "category": CATEGORIES[number % 4],
            "price": {"amount": 500 + number % 5000, "currency": "EUR"}, "weight_grams": 900, "tags": [material],
            "on_hand": number % 7,
        });
        (number < numbers.end).then(|| json_request(host, "POST /api/v1/products", &headers, &product.to_string()))
    });
}
