//! Pages while a service does not answer.

use crate::{
    Open,
    harness::{Client, GOOD_PASSWORD},
    pages::{PRODUCT, World},
};
use serde_json::{Value, json};

fn let_be(operator: &Client, service: &str, breaker: Value) {
    operator.change_control("breakers", &format!("gateway.{service}"), &json!({"forced": breaker})).ok();
}

pub fn a_page_says_what_is_missing_shows_the_rest_and_is_whole_again(open: &Open) {
    let world = World::new();
    let operator = &world.operator;
    world.shop.expect_panics();
    let browser = open(&world.shop);
    browser.expect_error("503 (Service Unavailable)");
    browser.sign_in(&world.customer.email, GOOD_PASSWORD);

    // A missing part is named on the page.
    let_be(operator, "products", json!("open"));
    browser.go_to("/");
    browser.see("featured products");
    browser.see("Well-made products");
    let_be(operator, "products", Value::Null);
    browser.reload();
    browser.see("Fennick Cast-Iron Skillet");

    // A page whose main content is missing says so; the other pages work.
    let_be(operator, "carts", json!("open"));
    browser.go_to("/cart");
    browser.see("Something went wrong");
    browser.go_to(&format!("/products/{PRODUCT}"));
    browser.see("Add to cart");
    browser.click("Cart");
    browser.see("not available because of errors");
    let_be(operator, "carts", Value::Null);
    browser.click("Try again");
    browser.see("Subtotal");
    browser.click("Close");
    let_be(operator, "carts", json!("open"));
    browser.click("Add to cart");
    browser.see("not available because of errors");
    let_be(operator, "carts", Value::Null);
    browser.click("Add to cart");
    browser.click("Go to the cart");
    browser.settle();

    // A service that crashes is restarted at once.
    for instance in ["carts-1", "carts-2"] {
        operator.crash(instance);
    }
    browser.until("the cart is back", || {
        browser.reload();
        browser.text().contains("Subtotal").then_some(())
    });
}
