//! The catalogue: searched by customers, edited by operators.

use crate::harness::{Answer, Client, Shop};
use serde_json::{Value, json};

/// All pages of a list, a few items at a time.
#[track_caller]
fn all(client: &Client, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/products?limit=7&{query}{cursor}")).ok();
        assert!(page.items().len() <= 7);
        found.extend(page.items().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn column<'a, T>(products: &'a [Value], read: impl Fn(&'a Value) -> T) -> Vec<T> {
    products.iter().map(read).collect()
}

fn price(product: &Value) -> i64 {
    product["price"]["amount"].as_i64().expect("a price")
}

#[test]
fn the_demo_catalogue_is_searched_filtered_sorted_and_paged() {
    let shop = Shop::options().demo().open();
    let guest = shop.anonymous();
    let everything = all(&guest, "");
    assert!(everything.len() >= 60, "{}", everything.len());
    let mut slugs = column(&everything, |product| product["slug"].as_str().unwrap());
    slugs.sort_unstable();
    slugs.dedup();
    assert_eq!(slugs.len(), everything.len(), "no product stands on two pages");

    let categories = guest.get("/api/v1/categories").ok();
    let counted: u64 = categories.items().iter().map(|category| category["product_count"].as_u64().unwrap()).sum();
    assert_eq!((categories.items().len(), counted as usize), (8, everything.len()));
    for category in categories.items() {
        let found = all(&guest, &format!("category={}", category["slug"].as_str().unwrap()));
        assert_eq!(found.len() as u64, category["product_count"].as_u64().unwrap());
    }

    let skillets = all(&guest, "q=cast-iron%20SKILL");
    assert_eq!(skillets[0]["slug"], "cast-iron-skillet", "the beginnings of words will do, in any case");
    assert!(all(&guest, "q=xyzzy").is_empty() && all(&guest, "category=nowhere").is_empty());
    let (low, high) = (3_000, 5_000);
    let between = all(&guest, &format!("min_price={low}&max_price={high}"));
    let expected = everything.iter().filter(|product| (low..=high).contains(&price(product))).count();
    assert_eq!(between.len(), expected);
    assert!(between.iter().all(|product| (low..=high).contains(&price(product))));
    let featured = all(&guest, "featured=true");
    assert!(!featured.is_empty() && featured.iter().all(|product| product["featured"] == true));

    assert!(column(&all(&guest, "sort=price"), price).is_sorted());
    assert!(column(&all(&guest, "sort=-price"), price).iter().rev().is_sorted());
    let newest = all(&guest, "sort=-created_at");
    assert!(column(&newest, |product| crate::harness::instant(&product["created_at"])).iter().rev().is_sorted());
    let names = all(&guest, "sort=name");
    assert!(column(&names, |product| product["name"].as_str().unwrap().to_lowercase()).is_sorted());
    assert_eq!(names.len(), everything.len());

    let by_slug = guest.product("cast-iron-skillet").ok();
    assert_eq!(guest.product(&by_slug.id()).ok().body, by_slug.body);
    let picture = guest.get(by_slug["image"].as_str().unwrap()).ok();
    assert!(picture.header("content-type").starts_with("image/svg+xml"));
    guest.product("no-such-thing").problem(404, "not_found");
}

#[test]
fn a_cursor_keeps_its_position_while_products_are_added_and_removed() {
    let shop = Shop::open();
    let operator = shop.operator();
    let ids: Vec<_> = (1..=6).map(|euros| operator.stock_up(euros * 100, 1)).collect();
    let page = |query: &str| operator.get(&format!("/api/v1/products?sort=price&limit=2&{query}")).ok();
    let of = |page: &Answer| column(page.items(), |product| product["id"].as_str().unwrap().to_owned());
    let first = page("");
    assert_eq!(of(&first), ids[..2]);
    // One product is added before the position of the cursor, and one product that was already
    // listed is removed.
    operator.stock_up(150, 1);
    operator.delete(&format!("/api/v1/products/{}", ids[1])).no_content();
    let second = page(&format!("cursor={}", first["next_cursor"].as_str().unwrap()));
    assert_eq!(of(&second), ids[2..4]);
    let third = page(&format!("cursor={}", second["next_cursor"].as_str().unwrap()));
    assert_eq!((of(&third), &third["next_cursor"]), (ids[4..].to_vec(), &Value::Null));
}

#[test]
fn an_invalid_query_is_refused() {
    let shop = Shop::open();
    let operator = shop.operator();
    for _ in 0..3 {
        operator.stock_up(100, 1);
    }
    let guest = shop.anonymous();
    let cursor = guest.get("/api/v1/products?limit=1&sort=price").ok().text_of("next_cursor");
    for bad in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=9999999999999999999999",
        "sort=colour",
        "in_stock=maybe",
        "min_price=a",
        "min_price=99999999999999999999",
        "category=UPPER",
        "colour=red",
        "limit=1&limit=2",
        "q=%00",
        "q=%ff",
        &format!("q={}", "x".repeat(2000)),
    ] {
        let answer = guest.get(&format!("/api/v1/products?{bad}"));
        assert!(
            answer.status == 400 || (bad.starts_with("q=") && [200, 422].contains(&answer.status)),
            "{bad}: {answer:#?}"
        );
    }
    for bad in ["", "abc", "%00", "AAAAAAAA", &cursor[1..], &format!("{cursor}A"), &"A".repeat(3000)] {
        guest.get(&format!("/api/v1/products?sort=price&limit=1&cursor={bad}")).problem(400, "bad_cursor");
    }
    // A cursor is valid only for the list that issued it.
    guest.get(&format!("/api/v1/products?sort=name&limit=1&cursor={cursor}")).problem(400, "bad_cursor");
}

#[test]
fn an_operator_creates_changes_and_retires_a_product() {
    let shop = Shop::open();
    let operator = shop.operator();
    let new = json!({
        "slug": "moka-pot", "name": "Moka Pot", "description": "For six cups.", "category": "coffee-tea",
        "category_name": "Coffee & Tea", "price": {"amount": 2990, "currency": "EUR"}, "weight_grams": 700,
        "tags": ["aluminium"], "featured": true, "on_hand": 5,
    });
    let made = operator.post("/api/v1/products", &new).created();
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("/api/v1/products/{}", made.id()));
    assert_eq!((&made["stock"]["available"], &made["retired"]), (&json!(5), &json!(false)));
    operator.post("/api/v1/products", &new).problem(409, "slug_taken");
    let guest = shop.anonymous();
    assert_eq!(guest.get("/api/v1/categories").ok().items()[0]["name"], "Coffee & Tea");

    let changed = operator.patch(&path, &json!({"name": "Moka Pot, large", "slug": "large-moka-pot"})).ok();
    assert_eq!((&changed["name"], &changed["description"]), (&json!("Moka Pot, large"), &made["description"]));
    assert!(changed["version"].as_u64() > made["version"].as_u64());
    assert_eq!(guest.product("large-moka-pot").ok().id(), made.id());
    guest.product("moka-pot").problem(404, "not_found");
    assert_eq!(all(&guest, "q=large").len(), 1);

    assert_eq!(
        operator.set_stock(&made.id(), json!({"on_hand": 7})).ok().body,
        json!({"on_hand": 7, "reserved": 0, "available": 7})
    );
    assert_eq!(operator.set_stock(&made.id(), json!({"adjust_by": -7})).ok()["available"], 0);
    assert!(all(&guest, "in_stock=true").is_empty());
    operator.set_stock(&made.id(), json!({"adjust_by": -1})).is(422);
    operator.set_stock(&made.id(), json!({"adjust_by": 1, "on_hand": 1})).is(422);
    operator.set_stock(&made.id(), json!({})).is(422);

    operator.delete(&path).no_content();
    operator.delete(&path).no_content();
    assert!(all(&guest, "").is_empty());
    assert_eq!(guest.get(&path).ok()["retired"], true, "old links still lead somewhere");
}

#[test]
fn a_change_of_an_outdated_version_is_refused() {
    let shop = Shop::open();
    let operator = shop.operator();
    let path = format!("/api/v1/products/{}", operator.stock_up(100, 1));
    let stale = operator.get(&path).ok().header("etag").to_owned();
    let change =
        |tag: &str, name: &str| operator.send("PATCH", &path, &[("if-match", tag)], Some(&json!({"name": name})));
    change(&stale, "First").ok();
    change(&stale, "Second").problem(412, "stale");
    assert_eq!(operator.get(&path).ok()["name"], "First");
    let fresh = operator.get(&path).ok().header("etag").to_owned();
    change(&format!("W/{fresh}"), "Weak").problem(412, "stale");
    change(&format!("\"other\", {fresh}"), "Third").ok();
    change("*", "Fourth").ok();
    operator.send("DELETE", &path, &[("if-match", &stale)], None).problem(412, "stale");
    operator
        .send("PUT", &format!("{path}/stock"), &[("if-match", &stale)], Some(&json!({"on_hand": 9})))
        .problem(412, "stale");
    let fresh = operator.get(&path).ok().header("etag").to_owned();
    operator.send("DELETE", &path, &[("if-match", &fresh)], None).no_content();
}

#[test]
fn of_many_concurrent_changes_of_one_version_one_succeeds() {
    let shop = Shop::open();
    let operator = shop.operator();
    let path = format!("/api/v1/products/{}", operator.stock_up(100, 1));
    let tag = operator.get(&path).ok().header("etag").to_owned();
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let change = |n: i32| {
            let (operator, path, tag) = (&operator, &path, &tag);
            move || operator.send("PATCH", path, &[("if-match", tag)], Some(&json!({"name": format!("By {n}")}))).status
        };
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(change(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 412].contains(status)), "{statuses:?}");
}
