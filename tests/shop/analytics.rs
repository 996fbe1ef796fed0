//! The sales report of the operator, also directly after a restart.

use crate::harness::{Card, Shop};

#[test]
fn sales_are_reported_by_day_and_product_also_after_a_restart() {
    let mut shop = Shop::options().throttled().open();
    let (operator, mut customer, browsing) = (shop.operator(), shop.customer(), shop.customer());
    let (kettle, cup) = (operator.stock_up(4990, 50), operator.stock_up(500, 50));
    customer.put_in_cart(&kettle, 2).ok();
    let mut order = customer.order_of(&[]);
    order.as_object_mut().unwrap().remove("items");
    let first = customer.place_order("first", &order).created();
    let second = customer.buys(&cup, 1).created();
    customer.pays_with(Card("4000 0000 0000 0002"));
    customer.buys(&cup, 1).is(402);
    browsing.put_in_cart(&cup, 1).ok();
    let total = |order: &crate::harness::Answer| order["total"]["amount"].as_i64().unwrap();

    let check = |operator: &crate::harness::Client| {
        let told = operator.get("/api/v1/analytics").ok();
        let sales = &told["sales"];
        assert_eq!((&sales["orders"], &sales["rejected"]), (&2.into(), &1.into()), "{told:#?}");
        let revenue: i64 = sales["revenue_per_day"]
            .as_array()
            .unwrap()
            .iter()
            .map(|day| day["revenue"]["amount"].as_i64().unwrap())
            .sum();
        assert_eq!(revenue, total(&first) + total(&second));
        let products = sales["top_products"].as_array().unwrap();
        assert_eq!((&products[0]["product_id"], &products[0]["pieces"]), (&kettle.as_str().into(), &2.into()));
        assert!(products[0]["name"].as_str().is_some_and(|name| name.starts_with("kettle")));
        assert_eq!((&sales["conversion"]["carts"], &sales["conversion"]["ordered"]), (&2.into(), &1.into()));
        assert_eq!(sales["conversion"]["rate"], 0.5);
        told
    };
    let told = check(&operator);
    let route = |list: &str, path: &str| {
        let routes = told["traffic"][list].as_array().unwrap();
        routes.iter().find(|it| it["route"] == path && it["method"] == "POST").cloned().unwrap_or_default()
    };
    let orders = route("routes", "/api/v1/orders");
    assert_eq!((&orders["requests"], &orders["refused"], &orders["errors"]), (&3.into(), &1.into(), &0.into()));
    assert!(orders["p50_us"].as_u64() <= orders["p99_us"].as_u64() && orders["p50_us"].as_u64() > Some(0));
    assert_eq!(told["traffic"]["throttled_clients"], serde_json::json!([]));

    customer.cancel(&second.id()).ok();
    let after = operator.get("/api/v1/analytics").ok();
    assert_eq!(
        after["sales"]["revenue_per_day"][0]["revenue"]["amount"],
        total(&first),
        "what is given back is no revenue"
    );
    assert_eq!(after["sales"]["top_products"].as_array().unwrap().len(), 1);

    // One client exceeds its rate limit.
    let guest = shop.anonymous();
    while guest.get("/api/v1/products").status != 429 {}
    let told = operator.get("/api/v1/analytics").ok();
    assert_eq!(told["traffic"]["throttled_clients"][0]["client"], "127.0.0.1", "{told:#?}");

    shop.stop();
    shop.start();
    let operator = shop.operator();
    let told = operator.get("/api/v1/analytics?days=1").ok();
    assert_eq!(told["sales"]["orders"], 2, "{told:#?}");
    assert_eq!(told["sales"]["revenue_per_day"], after["sales"]["revenue_per_day"]);
    for bad in ["?days=0", "?days=91", "?days=x", "?since=1"] {
        operator.get(&format!("/api/v1/analytics{bad}")).problem(400, "bad_query");
    }
}
