//! `If-Match`: a product changes only when the version that the client names is the current one.

use crate::harness::{Client, Shop};
use serde_json::json;

struct ProductStock {
    operator: Client,
    path: String,
}

impl ProductStock {
    fn in_shop(shop: &Shop) -> Self {
        let operator = shop.operator();
        let path = format!("/api/v1/products/{}", operator.stock_up(100, 50));
        Self { operator, path }
    }

    #[track_caller]
    fn tag(&self) -> String {
        self.operator.get(&self.path).ok().header("etag").to_owned()
    }
}

#[test]
fn of_many_updates_of_the_same_stock_version_one_succeeds() {
    let shop = Shop::open();
    let fixture = ProductStock::in_shop(&shop);
    for round in 0..4 {
        let tag = fixture.tag();
        let count = |n: u32| {
            let (fixture, tag) = (&fixture, &tag);
            move || {
                let stock = json!({"on_hand": 1000 + 100 * round + n});
                let headers = [("if-match", tag.as_str())];
                fixture.operator.send("PUT", &format!("{}/stock", fixture.path), &headers, Some(&stock)).status
            }
        };
        let statuses: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..12).map(|n| scope.spawn(count(n))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 412].contains(status)), "{statuses:?}");
    }
    fixture.operator.audit();
}

#[test]
fn any_strong_tag_of_if_match_may_match_and_a_weak_tag_never_does() {
    let shop = Shop::open();
    let fixture = ProductStock::in_shop(&shop);
    let (path, stock) = (&fixture.path, format!("{}/stock", fixture.path));
    let mut count = 0;
    let mut change = |method: &str, path: &str, list: &str| {
        count += 1;
        let body =
            if method == "PATCH" { json!({"name": format!("N{count}")}) } else { json!({"on_hand": 100 + count}) };
        fixture.operator.send(method, path, &[("if-match", list)], Some(&body))
    };
    for (method, path) in [("PATCH", path), ("PUT", &stock)] {
        for list in ["{tag}", "{tag}, W/\"zz\"", "W/\"zz\", {tag}", "\"a,b\" ,\t{tag}", "*", " * "] {
            let list = list.replace("{tag}", &fixture.tag());
            let answer = change(method, path, &list);
            assert_eq!(answer.status, 200, "{method} {list}: {answer:#?}");
        }
        for list in
            ["W/{tag}", "\"zz\"", "W/\"zz\"", "", "zz", "\"", "\u{e9}", "{bare}", "\"zz\", W/{tag}", "\"W/\"{tag}"]
        {
            let list = list.replace("{tag}", &fixture.tag()).replace("{bare}", fixture.tag().trim_matches('"'));
            change(method, path, &list).problem(412, "stale");
        }
    }
    for list in ["W/{tag}", "\u{e9}"] {
        let list = list.replace("{tag}", &fixture.tag());
        fixture.operator.send("DELETE", path, &[("if-match", &list)], None).problem(412, "stale");
    }
    let nothing = "/api/v1/products/prd_00000000000000000000000000000000";
    fixture.operator.send("DELETE", nothing, &[("if-match", "*")], None).is(404);
    fixture.operator.send("DELETE", path, &[("if-match", "*")], None).no_content();
}

#[test]
fn the_answer_to_a_product_change_carries_the_new_entity_tag() {
    let shop = Shop::open();
    let fixture = ProductStock::in_shop(&shop);
    let made = fixture.operator.post("/api/v1/products", &json!({
        "slug": "cup", "name": "Cup", "category": "kitchen", "price": {"amount": 1, "currency": "EUR"}, "weight_grams": 1,
    })).created();
    let path = format!("/api/v1/products/{}", made.id());
    let tag = made.header("etag").to_owned();
    assert!(!tag.is_empty());
    assert_eq!(fixture.operator.get(&path).ok().header("etag"), tag);
    let changed = fixture.operator.send("PATCH", &path, &[("if-match", &tag)], Some(&json!({"name": "Mug"}))).ok();
    let newer = changed.header("etag");
    assert!(!newer.is_empty() && newer != tag);
    fixture.operator.send("PATCH", &path, &[("if-match", newer)], Some(&json!({"name": "Beaker"}))).ok();
    fixture.operator.send("PATCH", &path, &[("if-match", newer)], Some(&json!({"name": "Jug"}))).problem(412, "stale");
}
