//! The shop in a real browser: what shoppers and operators do with its pages, by the text that they
//! see.
//!
//! Each journey has a shop of its own and a browser without a past. One chromedriver serves them
//! all, and a browser serves one journey after the other. Without a browser the tests are reported
//! as ignored; with `TEST_BROWSER=required` that is a failure. A test that fails prints the page's
//! text and writes a screenshot to `target/browser`.

mod broken_services;
mod browser;
mod browsing;
mod buying;
mod clients;
mod driver;
#[path = "../shop/harness/mod.rs"]
#[allow(dead_code, unused_imports)] // the tests of the HTTP interface use all of it
mod harness;
mod keyboard;
mod operating;
mod pages;
mod pictures;
mod quality;

use browser::Browser;
use driver::Driver;
use harness::Shop;
use libtest_mimic::{Arguments, Completion, Trial};
use std::{process::ExitCode, sync::RwLock};

/// Opens a browser in front of this shop.
type Open<'a> = dyn Fn(&Shop) -> Browser + 'a;

/// A journey, the tool that it needs besides a browser, and whether it runs alone because it
/// measures.
struct Test {
    name: &'static str,
    run: fn(&Open),
    tool: Option<&'static str>,
    alone: bool,
}

macro_rules! test {
    ($run:path) => {
        Test { name: stringify!($run), run: $run, tool: None, alone: false }
    };
    ($run:path, with $tool:expr) => {
        Test { tool: Some($tool), ..test!($run) }
    };
    ($run:path, with $tool:expr, alone) => {
        Test { alone: true, ..test!($run, with $tool) }
    };
}

#[rustfmt::skip]
const TESTS: [Test; 18] = [
    test!(browsing::a_list_follows_what_is_typed_and_the_back_button_leads_through_its_pages),
    test!(buying::a_newcomer_has_ordered_within_a_minute_and_twelve_moves),
    test!(buying::a_shopper_registers_finds_pays_at_the_second_try_follows_the_parcel_and_returns_it),
    test!(buying::a_session_that_ends_at_the_checkout_costs_nothing_of_what_was_typed),
    test!(keyboard::a_purchase_needs_no_mouse_and_always_shows_where_the_focus_is),
    test!(operating::an_operator_makes_a_product_and_packs_ships_and_refunds_an_order),
    test!(broken_services::a_page_says_what_is_missing_shows_the_rest_and_is_whole_again),
    test!(clients::the_api_is_read_and_tried_out_at_docs),
    test!(clients::a_generated_client_buys_something,           with clients::GENERATOR),
    test!(pages::every_page_of_the_shop_is_among_those_looked_at),
    test!(pages::every_page_is_the_same_after_a_reload_and_by_the_back_button),
    test!(pages::no_page_scrolls_sideways_at_any_width),
    test!(pages::no_page_asks_another_host_or_jumps_while_it_is_drawn),
    test!(pictures::the_picture_of_the_readme_shows_the_shop_as_it_is),
    test!(quality::the_first_page_is_light),
    test!(quality::axe_finds_nothing_on_any_page_in_the_light,  with quality::AXE),
    test!(quality::axe_finds_nothing_on_any_page_in_the_dark,   with quality::AXE),
    test!(quality::lighthouse_finds_the_pages_fast_and_sound,   with quality::LIGHTHOUSE, alone),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // More browsers only wait for each other.
    arguments.test_threads.get_or_insert(2);
    let driver = if arguments.list { None } else { Driver::start() };
    let trials = TESTS.iter().map(|test| trial(test, driver.as_ref().map(|driver| driver.url.clone())));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    browser::quit_idle();
    conclusion.exit_code()
}

fn trial(test: &'static Test, driver: Option<String>) -> Trial {
    static MACHINE: RwLock<()> = RwLock::new(());
    Trial::ignorable_test(test.name, move || {
        let missing = match (&driver, test.tool) {
            (None, _) => Some("chromium and chromedriver"),
            (_, Some(file)) if driver::tool(file).is_none() => Some(file),
            _ => None,
        };
        if let Some(missing) = missing {
            let is_required = std::env::var("TEST_BROWSER").is_ok_and(|it| it == "required");
            assert!(!is_required, "{missing} not found: tests/run installs what the tests in a browser need");
            return Ok(Completion::ignored_with(format!("no {missing}; tests/run installs it")));
        }
        // A test that measures waits until the others are done. A test that failed does not affect
        // the next.
        let _shared = (!test.alone).then(|| MACHINE.read().unwrap_or_else(|broken| broken.into_inner()));
        let _alone = test.alone.then(|| MACHINE.write().unwrap_or_else(|broken| broken.into_inner()));
        if test.alone {
            browser::quit_idle();
        }
        (test.run)(&|shop: &Shop| Browser::open(test.name, driver.as_deref().expect("it was looked for"), shop));
        Ok(Completion::Completed)
    })
}
