//! What an operator does in a day: a new product, its stock, an order, a refund.

use crate::{
    Open,
    browser::Browser,
    harness::{OPERATOR_EMAIL, OPERATOR_PASSWORD, Shop},
};
use serde_json::json;

pub fn an_operator_makes_a_product_and_packs_ships_and_refunds_an_order(open: &Open) {
    let shop = Shop::options().demo().fast_carrier().open();
    let customer = shop.customer();
    let browser = open(&shop);
    browser.sign_in(OPERATOR_EMAIL, OPERATOR_PASSWORD);
    browser.click("Operator");
    browser.see("To pack");

    make_a_lantern(&browser);
    let lantern = customer.product("copper-ship-lantern").ok();
    assert_eq!(lantern["price"], json!({"amount": 3450, "currency": "EUR"}));
    count_the_lanterns(&browser);
    assert_eq!(customer.available(&lantern.id()), 12);

    let order = customer.buys(&lantern.id(), 2).created().id();
    pack_and_ship(&browser);
    let standing = || customer.order(&order).ok();
    browser.until("the parcel arrives", || (standing()["status"] == "delivered").then_some(()));
    refund(&browser);
    assert_eq!(standing()["payment"]["refunded"]["amount"], 1000);

    browser.click("Dashboard");
    browser.click("Run the check");
    browser.see("The accounts balance.");
    browser.click("Events");
    browser.see("Every event was delivered.");
}

fn make_a_lantern(browser: &Browser) {
    browser.click("Products");
    browser.click("Add a product");
    browser.fill("Name", "Copper ship lantern");
    browser.choose("Category", "Home & Light");
    browser.fill("Price in euros", "34.50");
    browser.fill("Weight in grams", "850");
    browser.fill("Items in stock", "10");
    browser.click("Add the product");
    browser.see("The product is in the shop.");
}

fn count_the_lanterns(browser: &Browser) {
    browser.click("Stock");
    browser.fill("Find a product", "ship lantern");
    browser.click("Find");
    browser.until("what is looked for in the address", || browser.path().contains("=ship").then_some(()));
    browser.settle();
    browser.click("On hand and reserved: Copper ship lantern");
    browser.fill("Counted", "12");
    browser.click("Set");
    browser.see("12 available");
}

fn pack_and_ship(browser: &Browser) {
    browser.click("Orders");
    browser.until("the operator's orders", || browser.path().starts_with("/operator/orders").then_some(()));
    browser.click("Pack: order");
    browser.see("It is “Packed” now.");
    browser.click("Ship: order");
    browser.see("It is “Shipped” now.");
}

fn refund(browser: &Browser) {
    browser.click("Refund: order");
    browser.fill("Amount in euros", "10.00");
    browser.fill("Reason", "One was scratched.");
    browser.click("Refund");
    browser.see("€10.00 of order");
}
