//! Every page of the shop, and the rules that hold on all of them.

use crate::{
    Open,
    browser::Browser,
    harness::{Client, Customer, GOOD_PASSWORD, OPERATOR_EMAIL, OPERATOR_PASSWORD, Shop},
};
use serde_json::json;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    Guest,
    Shopper,
    Operator,
}
use Who::*;

/// Who opens the page; its path, with `{…}` for an id of [`World`]; the start of its heading.
#[rustfmt::skip]
const PAGES: [(Who, &str, &str); 30] = [
    (Guest,    "/",                            "Well-made products"),
    (Guest,    "/products",                    "All products"),
    (Guest,    "/products?q=cast&sort=-price", "“cast”"),
    (Guest,    "/products?q=nothing-like-it",  "“nothing-like-it”"),
    (Guest,    "/categories/kitchen",          "Kitchen"),
    (Guest,    "/products/{product}",          "Fennick Cast-Iron Skillet"),
    (Guest,    "/cart",                        "Your cart"),
    (Guest,    "/checkout",                    "Checkout"),
    (Guest,    "/sign-in",                     "Sign in"),
    (Guest,    "/setup",                       "Set up"),
    (Guest,    "/tracking/{parcel}",           "Parcel"),
    (Guest,    "/orders",                      "Your orders"),
    (Guest,    "/products/no-such-thing",      "Not found"),
    (Guest,    "/no/such/page",                "Page not found"),
    (Shopper,  "/",                            "Well-made products"),
    (Shopper,  "/products/{product}",          "Fennick Cast-Iron Skillet"),
    (Shopper,  "/cart",                        "Your cart"),
    (Shopper,  "/checkout",                    "Checkout"),
    (Shopper,  "/orders",                      "Your orders"),
    (Shopper,  "/orders/{order}",              "Order"),
    (Shopper,  "/account",                     "Hello"),
    (Shopper,  "/inbox",                       "Inbox"),
    (Shopper,  "/operator",                    "Operator"),
    (Operator, "/operator",                    "Dashboard"),
    (Operator, "/operator/orders",             "Orders"),
    (Operator, "/operator/products",           "Products"),
    (Operator, "/operator/products/new",       "Add a product"),
    (Operator, "/operator/products/{id}",      "Fennick Cast-Iron Skillet"),
    (Operator, "/operator/stock",              "Stock"),
    (Operator, "/operator/events",             "Events"),
];

/// A shop in which every page has content.
pub struct World {
    pub shop: Shop,
    pub customer: Customer,
    pub operator: Client,
    product: String,
    order: String,
    parcel: String,
}

pub const PRODUCT: &str = "cast-iron-skillet";

impl World {
    pub fn new() -> Self {
        // The carrier moves in real time, so that a page is the same when it is opened twice. By
        // default a parcel moves an hour each second.
        let shop = Shop::options().demo().flag("--carrier-speed", "1").open();
        let (operator, customer) = (shop.operator(), shop.customer());
        let skillet = customer.product(PRODUCT).ok().id();
        let order = customer.buys(&skillet, 1).created().id();
        operator.fulfil(&order, "packed").ok();
        operator.fulfil(&order, "shipped").ok();
        customer.put_in_cart(&skillet, 2).ok();
        let parcel = customer.order(&order).ok()["shipment"]["tracking_number"].as_str().expect("a number").to_owned();
        Self { shop, customer, operator, product: skillet, order, parcel }
    }

    fn path(&self, pattern: &str) -> String {
        pattern
            .replace("{product}", PRODUCT)
            .replace("{id}", &self.product)
            .replace("{order}", &self.order)
            .replace("{parcel}", &self.parcel)
    }

    fn sign_in(&self, browser: &Browser, who: Who) {
        match who {
            Guest => {}
            Shopper => browser.sign_in(&self.customer.email, GOOD_PASSWORD),
            Operator => browser.sign_in(OPERATOR_EMAIL, OPERATOR_PASSWORD),
        }
    }

    /// Opens each page as the visitor that it is for, and calls `look` there.
    pub fn walk(&self, open: &Open, mut look: impl FnMut(&Browser, &str)) {
        for visitor in [Guest, Shopper, Operator] {
            let browser = open(&self.shop);
            // A browser logs every 404, and two of the pages are about one.
            browser.expect_error("/products/no-such-thing");
            browser.expect_error("/no/such/page");
            self.sign_in(&browser, visitor);
            for (_, pattern, heading) in PAGES.iter().filter(|(who, _, _)| *who == visitor) {
                let path = self.path(pattern);
                browser.go_to(&path);
                begins(&browser, heading);
                look(&browser, &path);
            }
        }
    }
}

#[track_caller]
pub fn begins(browser: &Browser, heading: &str) {
    browser.until(&format!("a heading “{heading}…”"), || {
        let seen = browser.run("return document.querySelector('main h1')?.innerText ?? ''", &[]);
        seen.as_str().is_some_and(|seen| seen.starts_with(heading)).then_some(())
    });
}

/// Compares the table above with the shop's own table of pages, `['/orders/:id', () => …],`.
pub fn every_page_of_the_shop_is_among_those_looked_at(_: &Open) {
    let is_at = |pattern: &str, path: &str| {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |(part, given): (&str, &str)| part == given || part.starts_with(':');
        pattern.split('/').count() == path.split('/').count() && pattern.split('/').zip(path.split('/')).all(fits)
    };
    let table = include_str!("../../static/js/main.js").lines();
    let patterns: Vec<_> = table.filter_map(|line| line.strip_prefix("  ['")?.split('\'').next()).collect();
    assert!(patterns.len() > 10, "the table is read: {patterns:?}");
    let forgotten = patterns.iter().filter(|pattern| !PAGES.iter().any(|(_, path, _)| is_at(pattern, path)));
    assert_eq!(forgotten.collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// The visible text of the page without header and footer.
fn words(browser: &Browser) -> String {
    browser.run("return document.querySelector('main').innerText", &[]).as_str().unwrap_or_default().to_owned()
}

pub fn every_page_is_the_same_after_a_reload_and_by_the_back_button(open: &Open) {
    World::new().walk(open, |browser, path| {
        let (title, text) = (browser.title(), words(browser));
        assert!(title.contains("Galleria"), "{path} is called {title}");
        let same = |how: &str| {
            browser.until(&format!("{path} {how} is as it was:\n{text}\n"), || {
                (browser.title() == title && words(browser) == text && browser.path() == path).then_some(())
            });
        };
        browser.reload();
        same("after a reload");
        // On the list of products the header's link to the list changes nothing, so the home page
        // is opened instead.
        let (elsewhere, heading) =
            if path == "/products" { ("Galleria", "Well-made products") } else { ("Shop", "All products") };
        browser.click(elsewhere);
        begins(browser, heading);
        browser.back();
        same("by the back button");
    });
}

pub fn no_page_scrolls_sideways_at_any_width(open: &Open) {
    /// The elements that are wider than the page and not clipped or scrolled by a parent.
    const TOO_WIDE: &str = "const { clientWidth: width, scrollWidth } = document.documentElement; \
        const isFree = it => it === document.body || (getComputedStyle(it).overflowX === 'visible' && isFree(it.parentElement)); \
        return scrollWidth <= width ? [] : [...document.querySelectorAll('body *')] \
          .filter(it => it.getBoundingClientRect().right > width + 1 && isFree(it.parentElement)) \
          .map(it => it.cloneNode(false).outerHTML).slice(0, 3)";
    let mut found = Vec::new();
    World::new().walk(open, |browser, path| {
        for width in [320, 768, 1440] {
            browser.resize(width, 900);
            let too_wide = browser.run(TOO_WIDE, &[]);
            if too_wide != json!([]) {
                found.push(format!("{path} is wider than {width} px: {too_wide:#}"));
            }
        }
        browser.resize(1280, 900);
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

pub fn no_page_asks_another_host_or_jumps_while_it_is_drawn(open: &Open) {
    const STRANGERS: &str = "return performance.getEntriesByType('resource').map(({ name }) => name) \
        .filter(name => !name.startsWith(location.origin) && !name.startsWith('data:'))";
    /// Web Vitals: up to 0.1 is good. The sum of all shifts is never less than the score.
    const SHIFTS: &str = "new Promise(done => { \
        let sum = 0; \
        const moved = []; \
        new PerformanceObserver(list => { \
          for (const { value, sources } of list.getEntries().filter(shift => !shift.hadRecentInput)) { \
            sum += value; \
            moved.push(...sources.map(({ node }) => node?.cloneNode?.(false).outerHTML ?? String(node?.textContent))); \
          } \
        }).observe({ type: 'layout-shift', buffered: true }); \
        setTimeout(() => done({ sum, moved }), 300); })";
    let mut jumps = Vec::new();
    World::new().walk(open, |browser, path| {
        for (width, height) in [(1280, 900), (390, 844)] {
            browser.resize(width, height);
            browser.reload();
            assert_eq!(browser.run(STRANGERS, &[]), json!([]), "{path} asks others");
            let shifts = browser.promised(SHIFTS);
            if shifts["sum"].as_f64().expect("a number") > 0.1 {
                jumps.push(format!("{path} jumps at {width} px: {shifts:#}"));
            }
        }
        browser.resize(1280, 900);
    });
    assert!(jumps.is_empty(), "{}", jumps.join("\n"));
}
