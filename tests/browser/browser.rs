//! A browser in the hands of a shopper: one method for each thing that people do with a page, by the words that they see.
//!
//! Whoever drops it learns what went wrong meanwhile: errors in the console fail a test that would have passed, and a test
//! that failed prints the page's words and leaves a picture of it.

mod inspection;

use crate::{driver, harness::Shop};
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel, prelude::*};
use tokio::runtime::Runtime;

/// So long a page may take for anything, on a machine that builds something else.
const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(30);

const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-GB",
];

pub struct Browser {
    name: String,
    runtime: Runtime,
    driver: Option<WebDriver>,
    origin: String,
    interactions: Cell<usize>,
    /// Errors in the console that a journey brings about on purpose: what their lines contain.
    expected: RefCell<Vec<&'static str>>,
    /// What the console said so far: the driver tells each line once.
    console: RefCell<Vec<String>>,
    _profile: TempDir,
}

impl Browser {
    /// A new one, without a past, in front of this shop. The name is its pictures'.
    pub fn open(name: &str, driver: &str, shop: &Shop) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let profile = tempfile::tempdir().expect("a folder that goes away");
        let driver = runtime.block_on(WebDriver::new(driver, wanted(&profile))).expect("a browser");
        let browser = Self {
            name: name.replace(|c: char| !c.is_alphanumeric(), "-"),
            runtime,
            driver: Some(driver),
            origin: format!("http://{}", shop.address()),
            interactions: Cell::new(0),
            expected: RefCell::default(),
            console: RefCell::default(),
            _profile: profile,
        };
        browser.resize(1280, 900);
        browser
    }

    fn wait<T, E: std::fmt::Display>(&self, what: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(what).unwrap_or_else(|error| {
            // What the driver adds of itself helps nobody.
            panic!("the browser: {}", error.to_string().split("Stacktrace").next().unwrap_or_default().trim())
        })
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("it is open until it is dropped")
    }

    // Going somewhere.

    /// By the address bar; until the page is drawn.
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

    /// Until the page has its heading and nothing is awaited.
    #[track_caller]
    pub fn settle(&self) {
        const IS_SETTLED: &str = "const main = document.querySelector('main'); \
            return document.readyState === 'complete' && main?.getAttribute('aria-busy') !== 'true' \
              && !!main?.querySelector('h1, h2') && !main.querySelector('[role=status].loading, .loading')";
        self.until("the page is drawn", || (self.run(IS_SETTLED, &[]) == true).then_some(()));
    }

    // What hands do.

    /// A button, a link, a summary, or what is written beside a box to tick.
    #[track_caller]
    pub fn click(&self, words: &str) {
        self.until(&format!("“{words}” to click"), || {
            // What is covered, moves or is drawn anew at this moment can be clicked at the next.
            let target = self.find("press", words)?;
            self.runtime.block_on(target.click()).ok()
        });
        self.count();
    }

    /// Types it in place of what the field holds.
    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) {
        self.until(&format!("a field “{label}”"), || {
            let field = self.find("field", label)?;
            self.runtime
                .block_on(async {
                    field.clear().await?;
                    field.send_keys(text).await
                })
                .ok()
        });
        self.count();
    }

    /// One of a list's entries.
    #[track_caller]
    pub fn choose(&self, label: &str, entry: &str) {
        self.until(&format!("“{entry}” in a list “{label}”"), || {
            let list = self.find("field", label)?;
            let option = By::XPath(format!("./option[normalize-space()='{entry}']"));
            self.runtime.block_on(async { list.find(option).await?.click().await }).ok()
        });
        self.count();
    }

    /// Keys, one after the other, to whatever has the focus.
    #[track_caller]
    pub fn press(&self, keys: impl AsRef<str>) {
        self.wait(self.driver().action_chain().send_keys(keys.as_ref()).perform());
        self.count();
    }

    fn find(&self, kind: &str, words: &str) -> Option<WebElement> {
        let arguments = vec![json!(kind), json!(words)];
        self.runtime.block_on(self.driver().execute(include_str!("finding.js"), arguments)).ok()?.element().ok()
    }

    fn count(&self) {
        self.interactions.set(self.interactions.get() + 1);
    }

    /// How many times it was clicked and typed so far.
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

    // What eyes do.

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

    /// The words of the whole page, as they can be seen.
    pub fn text(&self) -> String {
        let text = self.run("return document.body.innerText", &[]);
        text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Which browser is asked for: one without a past that tells all that its console says.
fn wanted(profile: &TempDir) -> Capabilities {
    let mut wanted = DesiredCapabilities::chrome();
    let set = |wanted: &mut ChromeCapabilities| {
        for flag in FLAGS {
            wanted.add_arg(flag)?;
        }
        wanted.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
        wanted.add_experimental_option("prefs", json!({"intl.accept_languages": "en-GB"}))?;
        wanted.set_binary(&driver::chromium().expect("a browser").display().to_string())?;
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All)
    };
    set(&mut wanted).expect("JSON");
    wanted.into()
}
