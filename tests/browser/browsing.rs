//! Finding a product in a list.

use crate::{Open, browser::Browser, harness::Shop};

fn has_address(browser: &Browser, part: &str) {
    browser.until(&format!("{part} in the address"), || browser.path().contains(part).then_some(()));
}

pub fn a_list_follows_what_is_typed_and_the_back_button_leads_through_its_pages(open: &Open) {
    let shop = Shop::options().demo().open();
    let browser = open(&shop);
    browser.go_to("/products");
    browser.see("24 of");

    // The list is updated during typing; the field keeps its text and the focus.
    browser.fill("Search the shop", "lamp");
    has_address(&browser, "q=lamp");
    browser.see("2 products");
    browser.press(" x");
    browser.see("No products found for");
    let typed = browser.run("return document.activeElement.value", &[]);
    assert_eq!(typed, "lamp x");

    // Each filter can be removed alone.
    browser.go_to("/products?q=lamp&max=100");
    browser.see("1 product");
    browser.click("up to €100");
    browser.see("2 products");
    browser.fill("From", "ten");
    browser.click("Set");
    browser.see("whole euros");
    browser.fill("From", "100");
    browser.click("Set");
    has_address(&browser, "min=100");
    browser.see("1 product");

    // Forwards and back through the pages, by the shop's buttons and the browser's.
    browser.go_to("/products?sort=price");
    browser.see("24 of");
    let first = browser.text();
    browser.click("Next page");
    has_address(&browser, "cursor=");
    browser.see("25–");
    browser.click("Previous page");
    browser.see("24 of");
    browser.click("Next page");
    browser.see("25–");
    browser.back();
    browser.until("the first page as it was", || (browser.text() == first).then_some(()));
}
