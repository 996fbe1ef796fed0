//! Parcels: their event stream, their public tracking, their label.

use crate::harness::{Customer, Shop, eventually, instant};
use rxing::{BarcodeFormat, helpers::detect_in_luma};
use serde_json::json;

#[test]
fn the_event_stream_of_an_order_ends_at_delivery() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 5);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 1).created().id();
    let path = format!("/api/v1/orders/{order}/events");
    let events = std::thread::scope(|scope| {
        let watching = scope.spawn(|| customer.events(&path, None));
        operator.fulfil(&order, "packed").ok();
        operator.fulfil(&order, "shipped").ok();
        watching.join().unwrap()
    });
    let told: Vec<_> =
        events.iter().map(|(id, kind, data)| (id.as_str(), kind.as_str(), data["status"].as_str().unwrap())).collect();
    let statuses = ["pending", "confirmed", "packed", "shipped", "delivered"];
    let expected: Vec<_> =
        ["1", "2", "3", "4", "5"].into_iter().zip(statuses).map(|(id, status)| (id, "status", status)).collect();
    assert_eq!(told, expected);
    assert!(events.iter().all(|(_, _, data)| data["order_id"] == order.as_str()));
    assert_eq!(customer.events(&path, Some("3")), events[3..], "a client that was away goes on where it was");
    for unknown in ["99", "what?", "-1", "99999999999999999999999"] {
        assert_eq!(customer.events(&path, Some(unknown)), events, "{unknown} was never given out");
    }
    // The status 204 tells an EventSource not to reconnect.
    customer.send("GET", &path, &[("last-event-id", "5")], None).no_content();
}

#[test]
fn the_tracking_number_shows_the_parcel_and_no_personal_data() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 5);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 1).created();
    let number = order["shipment"]["tracking_number"].as_str().unwrap();
    let track = || shop.anonymous().get(&format!("/api/v1/tracking/{number}")).ok();
    let fresh = track();
    assert_eq!((&fresh["tracking_number"], &fresh["status"]), (&json!(number), &json!("label_created")));
    operator.fulfil(&order.id(), "packed").ok();
    operator.fulfil(&order.id(), "shipped").ok();
    let arrived = eventually("the parcel arrives", || Some(track()).filter(|parcel| parcel["status"] == "delivered"));
    let scans: Vec<_> =
        arrived["events"].as_array().unwrap().iter().map(|scan| scan["status"].as_str().unwrap()).collect();
    assert_eq!(scans[..2], ["label_created", "picked_up"]);
    assert_eq!(scans[scans.len() - 2..], ["out_for_delivery", "delivered"]);
    let times: Vec<_> = arrived["events"].as_array().unwrap().iter().map(|scan| instant(&scan["at"])).collect();
    assert!(times.is_sorted(), "{times:?}");
    let shipment = order["shipment"]["id"].as_str().unwrap();
    for personal in ["Ada", "Lovelace", "St James", "10115", &customer.user_id, &order.id(), shipment, &customer.email]
    {
        assert!(!arrived.text.contains(personal), "{personal} is in {}", arrived.text);
    }
    for unknown in ["GA000000000NL", "nonsense", &format!("{}X", &number[..number.len() - 1])] {
        shop.anonymous().get(&format!("/api/v1/tracking/{unknown}")).problem(404, "not_found");
    }
}

#[test]
fn the_barcode_on_the_label_encodes_the_tracking_number() {
    let shop = Shop::open();
    let kettle = shop.operator().stock_up(4990, 50);
    let customer: Customer = shop.customer();
    for _ in 0..3 {
        let order = customer.buys(&kettle, 1).created();
        let shipment = order["shipment"]["id"].as_str().unwrap();
        let label = customer.get(&format!("/api/v1/shipments/{shipment}/label.svg")).ok();
        assert_eq!(label.header("content-type"), "image/svg+xml; charset=utf-8");
        let read = scan(&label.text);
        assert_eq!(read, order["shipment"]["tracking_number"].as_str().unwrap());
    }
}

/// Decodes the barcode as a scanner does: from its black bars, in the order of the file.
fn scan(svg: &str) -> String {
    const SCALE: usize = 3;
    const HEIGHT: usize = 40;
    let group =
        svg.split_once(r#"<g id="barcode""#).and_then(|(_, rest)| rest.split_once("</g>")).expect("a barcode").0;
    let attribute = |rect: &str, name: &str| -> usize {
        let value =
            rect.split_once(&format!(" {name}=\"")).expect("an attribute").1.split_once('"').expect("its end").0;
        value.parse().expect("a whole number")
    };
    let mut row = vec![255; 384 * SCALE];
    for rect in group.split("<rect").skip(1) {
        let (x, width) = (attribute(rect, "x") * SCALE, attribute(rect, "width") * SCALE);
        row[x..x + width].fill(0);
    }
    let picture = row.repeat(HEIGHT);
    let read = detect_in_luma(picture, (384 * SCALE) as u32, HEIGHT as u32, Some(BarcodeFormat::CODE_128));
    read.expect("a barcode that a scanner reads").getText().to_owned()
}

#[test]
fn text_of_a_customer_is_escaped_on_the_label() {
    let shop = Shop::open();
    let kettle = shop.operator().stock_up(4990, 5);
    let customer = shop.customer();
    let mut order = customer.order_of(&[(&kettle, 1)]);
    order.as_object_mut().unwrap().remove("address_id");
    order["address"] = crate::harness::home_address();
    order["address"]["name"] = json!("<script>alert(1)</script>");
    order["address"]["line1"] = json!("]]></text><image href=\"http://example.com\"/> & Co");
    let order = customer.place_order("markup", &order).created();
    let label =
        customer.get(&format!("/api/v1/shipments/{}/label.svg", order["shipment"]["id"].as_str().unwrap())).ok();
    for markup in ["<script", "<image", "]]>"] {
        assert!(!label.text.contains(markup), "{}", label.text);
    }
    assert!(label.text.contains("&lt;script&gt;"), "{}", label.text);
}
