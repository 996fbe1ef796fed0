//! A browser as a shopper uses it: one method for each thing that people do with a page, by the
//! text that they see.
//!
//! Dropping it checks the console: an unexpected error there fails the test. A test that fails
//! prints the page's text and writes a screenshot.

mod inspection;
mod session;

pub use session::quit_idle;

use crate::harness::Shop;
use serde_json::json;
use session::Session;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    thread,
    time::{Duration, Instant},
};
use thirtyfour::prelude::*;

/// The longest that a page may take for anything, on a machine that also builds something.
const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(30);

pub struct Browser {
    name: String,
    /// Until it is dropped.
    session: Option<Session>,
    origin: String,
    interactions: Cell<usize>,
    /// Parts of the console's lines for errors that a journey causes on purpose.
    expected: RefCell<Vec<&'static str>>,
    /// All lines of the console so far: the driver returns each line once.
    console: RefCell<Vec<String>>,
}

impl Browser {
    /// A browser without a past, in front of this shop. `name` is the name of its screenshots,
    /// `driver` chromedriver's address.
    pub fn open(name: &str, driver: &str, shop: &Shop) -> Self {
        let origin = format!("http://{}", shop.address());
        let browser = Self {
            name: name.replace(|c: char| !c.is_alphanumeric(), "-"),
            session: Some(Session::open(driver, &origin)),
            origin,
            interactions: Cell::new(0),
            expected: RefCell::default(),
            console: RefCell::default(),
        };
        browser.resize(1280, 900);
        browser
    }

    fn wait<T, E: std::fmt::Display>(&self, what: impl Future<Output = Result<T, E>>) -> T {
        self.block_on(what).unwrap_or_else(|error| {
            // The driver's own stack trace is left out.
            panic!("the browser: {}", error.to_string().split("Stacktrace").next().unwrap_or_default().trim())
        })
    }

    fn session(&self) -> &Session {
        self.session.as_ref().expect("it is open until it is dropped")
    }

    fn driver(&self) -> &WebDriver {
        &self.session().driver
    }

    fn block_on<T>(&self, what: impl Future<Output = T>) -> T {
        self.session().runtime.block_on(what)
    }

    // Navigation.

    /// Opens a path, and waits until the page is drawn.
    #[track_caller]
    pub fn go_to(&self, path: &str) {
        self.wait(self.driver().goto(format!("{}{path}", self.origin)));
        self.settle();
    }

    #[track_caller]
    pub fn reload(&self) {
        self.wait(self.driver().refresh());
        self.settle();
    }

    #[track_caller]
    pub fn back(&self) {
        self.wait(self.driver().back());
        self.settle();
    }

    /// The path and the query of the page that is shown.
    pub fn path(&self) -> String {
        self.wait(self.driver().current_url()).as_str().replace(&self.origin, "")
    }

    pub fn title(&self) -> String {
        self.wait(self.driver().title())
    }

    /// Waits until the page has its heading and has loaded its data.
    #[track_caller]
    pub fn settle(&self) {
        const IS_SETTLED: &str = "const main = document.querySelector('main'); \
            return document.readyState === 'complete' && main?.getAttribute('aria-busy') !== 'true' \
              && !!main?.querySelector('h1, h2') && !main.querySelector('[role=status].loading, .loading')";
        self.until("the page is drawn", || (self.run(IS_SETTLED, &[]) == true).then_some(()));
    }

    // Mouse and keyboard.

    /// Clicks a button, a link, a summary, or the label of a checkbox.
    #[track_caller]
    pub fn click(&self, words: &str) {
        self.until(&format!("“{words}” to click"), || {
            // An element that is covered, moving or replaced at this moment is tried again.
            let target = self.find("press", words)?;
            self.block_on(target.click()).ok()
        });
        self.count();
    }

    /// Replaces the text of a field.
    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) {
        self.until(&format!("a field “{label}”"), || {
            let field = self.find("field", label)?;
            self.block_on(async {
                field.clear().await?;
                field.send_keys(text).await
            })
            .ok()
        });
        self.count();
    }

    /// Chooses an entry of a select.
    #[track_caller]
    pub fn choose(&self, label: &str, entry: &str) {
        self.until(&format!("“{entry}” in a list “{label}”"), || {
            let list = self.find("field", label)?;
            let option = By::XPath(format!("./option[normalize-space()='{entry}']"));
            self.block_on(async { list.find(option).await?.click().await }).ok()
        });
        self.count();
    }

    /// Presses keys, one after the other. The element with the focus gets them.
    #[track_caller]
    pub fn press(&self, keys: impl AsRef<str>) {
        self.wait(self.driver().action_chain().send_keys(keys.as_ref()).perform());
        self.count();
    }

    fn find(&self, kind: &str, words: &str) -> Option<WebElement> {
        let arguments = vec![json!(kind), json!(words)];
        self.block_on(self.driver().execute(include_str!("../finding.js"), arguments)).ok()?.element().ok()
    }

    fn count(&self) {
        self.interactions.set(self.interactions.get() + 1);
    }

    /// The number of clicks and filled-in fields so far.
    pub fn interactions(&self) -> usize {
        self.interactions.get()
    }

    #[track_caller]
    pub fn sign_in(&self, email: &str, password: &str) {
        self.go_to("/sign-in");
        self.fill("E-mail", email);
        self.fill("Password", password);
        self.click("Sign in");
        self.until("the way to the inbox", || self.find("press", "Inbox"));
        self.settle();
    }

    // Reading the page.

    #[track_caller]
    pub fn see(&self, words: &str) {
        let wanted = words.to_lowercase();
        self.until(&format!("“{words}” on the page"), || {
            self.text().to_lowercase().contains(&wanted).then_some(())
        });
    }

    #[track_caller]
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            thread::sleep(GLANCE);
        }
    }

    /// The visible text of the whole page, with single spaces.
    pub fn text(&self) -> String {
        let text = self.run("return document.body.innerText", &[]);
        text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
