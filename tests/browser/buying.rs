//! A purchase from registration to delivery, and the return of the items.

use crate::{
    Open,
    browser::Browser,
    harness::{Client, GOOD_PASSWORD, Shop, fresh},
    pages::{World, begins},
};
use std::time::{Duration, Instant};

const A_MINUTE: Duration = Duration::from_secs(60);
const MOVES: usize = 12;

pub fn a_newcomer_has_ordered_within_a_minute_and_twelve_moves(open: &Open) {
    let shop = Shop::options().demo().open();
    let browser = open(&shop);
    let begun = Instant::now();
    browser.go_to("/");
    browser.click("Try it as a guest shopper");
    browser.see("Account");
    browser.click("Fennick Cast-Iron Skillet");
    browser.click("Add to cart");
    browser.see("1 item added");
    browser.click("Go to the cart");
    browser.click("Check out");
    browser.click("Place the order for");
    browser.see("Thank you");
    browser.see("Confirmed");
    let (moves, took) = (browser.interactions(), begun.elapsed());
    println!("a newcomer has ordered after {moves} clicks and fields, in {:.1} s", took.as_secs_f64());
    assert!(moves <= MOVES && took < A_MINUTE);
}

pub fn a_shopper_registers_finds_pays_at_the_second_try_follows_the_parcel_and_returns_it(open: &Open) {
    let shop = Shop::options().demo().fast_carrier().open();
    let operator = shop.operator();
    let browser = open(&shop);
    register(&browser);
    find_a_kettle(&browser);
    browser.click("Add to cart");
    browser.see("1 item added");
    browser.click("Go to the cart");
    browser.click("Check out");
    pay_at_the_second_try(&browser);
    let order = browser.path().rsplit('/').next().unwrap_or_default().to_owned();
    follow(&browser, &operator, &order);
    send_back(&browser, &operator, &order);
    look_up_what_was_declined(&browser);
}

pub fn a_session_that_ends_at_the_checkout_costs_nothing_of_what_was_typed(open: &Open) {
    let world = World::new();
    let browser = open(&world.shop);
    browser.sign_in(&world.customer.email, GOOD_PASSWORD);
    browser.go_to("/checkout");
    browser.click("A new address");
    browser.fill("Full name", "Grace Hopper");
    fill_in_address(&browser);
    browser.see("arrives by");
    world.customer.delete("/api/v1/users/me/sessions").is(204);
    browser.expect_error("401");
    browser.click("Place the order for");
    browser.see("Your session has ended");
    browser.fill("E-mail", &world.customer.email);
    browser.fill("Password", GOOD_PASSWORD);
    browser.press("\u{e007}");
    browser.see("Thank you");
    browser.see("12 St James's Square");
}

fn register(browser: &Browser) {
    browser.go_to("/");
    browser.click("Sign in");
    browser.click("I am a new customer");
    browser.fill("Your name", "Ada Lovelace");
    browser.fill("E-mail", &format!("{}@example.com", fresh("ada")));
    browser.fill("Password", GOOD_PASSWORD);
    browser.click("Create account");
    // The account page clears the search field when it appears.
    begins(browser, "Hello");
}

fn find_a_kettle(browser: &Browser) {
    browser.fill("Search the shop", "kettle");
    browser.click("Search");
    browser.see("“kettle”");
    browser.click("In stock only");
    browser.until("the filter in the address", || browser.path().contains("in_stock=true").then_some(()));
    browser.choose("Sort by", "Price, low to high");
    browser.until("the order in the address", || browser.path().contains("sort=price").then_some(()));
    browser.settle();
    browser.click("Pellard Gooseneck Kettle");
    browser.until("the kettle's page", || browser.path().starts_with("/products/").then_some(()));
    browser.choose("To", "Norway");
    browser.see("Express by");
    browser.see("More from");
}

fn fill_in_address(browser: &Browser) {
    browser.fill("Street and number", "12 St James's Square");
    browser.fill("Postal code", "10115");
    browser.fill("Town or city", "Berlin");
    browser.choose("Country", "Germany");
}

fn pay_at_the_second_try(browser: &Browser) {
    fill_in_address(browser);
    browser.fill("Card number", "4242 4242 4242 4243");
    browser.fill("Security code", "123");
    browser.see("This is not a valid card number");
    browser.click("Use a test card");
    browser.click("4000 0000 0000 0002");
    browser.expect_error("402");
    browser.click("Place the order for");
    browser.see("The card was declined");
    assert!(browser.path().starts_with("/checkout"), "what was typed is still there: {}", browser.path());
    browser.click("Use a test card");
    browser.click("4242 4242 4242 4242");
    browser.click("Place the order for");
    browser.see("Thank you");
}

/// The page shows a new status without being loaded again.
fn follow(browser: &Browser, operator: &Client, order: &str) {
    browser.see("Confirmed");
    operator.fulfil(order, "packed").ok();
    browser.until("the order is packed", || browser.text().contains("Order status Packed").then_some(()));
    operator.fulfil(order, "shipped").ok();
    browser.until("the order is delivered", || browser.text().contains("Order status Delivered").then_some(()));
}

fn look_up_what_was_declined(browser: &Browser) {
    browser.click("Orders");
    browser.choose("Show", "Rejected");
    browser.until("the status in the address", || browser.path().contains("status=rejected").then_some(()));
    browser.settle();
    browser.click("Order");
    browser.see("The payment was declined: the bank refused the card. Nothing was charged.");
}

fn send_back(browser: &Browser, operator: &Client, order: &str) {
    browser.click("Return items");
    browser.click("Increase:");
    browser.fill("Reason", "It is too loud.");
    browser.click("Return them");
    browser.see("will be refunded to the card");
    browser.see("Returned");
    assert_eq!(operator.order(order).ok()["status"], "returned");
    operator.audit();
}
