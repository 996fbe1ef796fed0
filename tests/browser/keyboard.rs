//! A purchase by the keyboard alone.

use crate::{
    Open,
    browser::Browser,
    harness::{GOOD_PASSWORD, Shop},
    pages::begins,
};
use thirtyfour::Key;

/// More than any page has focusable elements.
const STOPS: usize = 120;

/// The element with the focus: its tag, its name, and whether a focus ring is visible. The ring of
/// a checkbox may be at its label.
const FOCUS: &str = r#"
    const it = document.activeElement;
    const plain = text => (text ?? '').replace(/\s+/g, ' ').trim().toLowerCase();
    const name = plain(it.ariaLabel || [...it.labels ?? []].map(label => label.textContent).join(' ') || it.innerText || it.value);
    const rings = [it, ...it.labels ?? []].flatMap(each => [null, '::before', '::after'].map(part => getComputedStyle(each, part)));
    const isRinged = rings.some(({ outlineStyle, outlineWidth }) => outlineStyle !== 'none' && parseFloat(outlineWidth) > 0);
    return { tag: it.localName, name, isRinged };"#;

pub fn a_purchase_needs_no_mouse_and_always_shows_where_the_focus_is(open: &Open) {
    let shop = Shop::options().demo().open();
    let customer = shop.customer();
    let browser = open(&shop);
    browser.go_to("/");
    tab_to(&browser, "skip to the content");
    tab_to(&browser, "sign in");
    press(&browser, Key::Enter);
    browser.see("I have an account");
    browser.settle();
    tab_to(&browser, "e-mail");
    browser.press(&customer.email);
    tab_to(&browser, "password");
    browser.press(GOOD_PASSWORD);
    press(&browser, Key::Enter);
    browser.see("Inbox");
    browser.settle();

    browser.go_to("/");
    tab_to(&browser, "search the shop");
    browser.press("skillet");
    press(&browser, Key::Enter);
    browser.see("“skillet”");
    browser.settle();
    tab_to(&browser, "fennick cast-iron skillet");
    press(&browser, Key::Enter);
    browser.see("Add to cart");
    browser.settle();
    tab_to(&browser, "increase");
    press(&browser, Key::Space);
    tab_to(&browser, "add to cart");
    press(&browser, Key::Space);
    browser.see("2 items added");
    tab_to(&browser, "go to the cart");
    press(&browser, Key::Enter);
    begins(&browser, "Your cart");
    browser.settle();
    tab_to(&browser, "check out");
    press(&browser, Key::Enter);
    browser.see("arrives by");
    pick_the_next_delivery(&browser);
    tab_to(&browser, "place the order for");
    press(&browser, Key::Enter);
    browser.see("Thank you");
}

/// The arrow keys pick another delivery, and the total changes.
fn pick_the_next_delivery(browser: &Browser) {
    let total = || {
        let text = browser.text();
        let (_, rest) = text.split_once("Place the order for ")?;
        rest.split(' ').next().map(str::to_owned)
    };
    let before = total();
    tab_to(browser, "arrives by");
    press(browser, Key::Down);
    browser.until("another sum", || (total() != before).then_some(()));
}

fn press(browser: &Browser, key: Key) {
    browser.press(char::from(key).to_string());
}

/// Presses Tab until the element with this name has the focus. At each step an element has the
/// focus, and it is visible.
#[track_caller]
fn tab_to(browser: &Browser, words: &str) {
    let mut passed = Vec::new();
    for _ in 0..STOPS {
        press(browser, Key::Tab);
        let focus = browser.run(FOCUS, &[]);
        assert!(focus["tag"] != "body", "the focus is nowhere after {passed:#?}");
        assert!(focus["isRinged"] == true, "it cannot be seen that this has the focus: {focus}");
        let name = focus["name"].as_str().unwrap_or_default();
        if name.contains(words) {
            return;
        }
        passed.push(name.to_owned());
    }
    panic!("Tab does not come to “{words}”, but to {passed:#?}");
}
