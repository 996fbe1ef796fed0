//! A browser process with the driver's session. A process is started once and serves one journey
//! after the other: each gets a new tab without cookies, storage or cache, which is what a new
//! browser would be, without the second that it takes to start.

use crate::driver;
use serde_json::json;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel, prelude::*};
use tokio::runtime::Runtime;

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

/// The browsers that no journey uses at the moment. There are as many in all as journeys ran at the
/// same time.
static IDLE: Mutex<Vec<Session>> = Mutex::new(Vec::new());

pub struct Session {
    pub runtime: Runtime,
    pub driver: WebDriver,
    _profile: TempDir,
}

impl Session {
    /// A browser that has seen nothing of this origin, from `url`, the address of chromedriver.
    pub fn open(url: &str, origin: &str) -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = idle.unwrap_or_else(|| Self::start(url));
        session.forget(origin);
        session
    }

    fn start(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let driver = runtime.block_on(WebDriver::new(url, wanted(&profile))).expect("a browser");
        Self { runtime, driver, _profile: profile }
    }

    /// Cookies do not distinguish ports, and two shops one after the other may have the same port.
    fn forget(&self, origin: &str) {
        for (command, parameters) in [
            ("Network.clearBrowserCookies", json!({})),
            ("Network.clearBrowserCache", json!({})),
            ("Storage.clearDataForOrigin", json!({"origin": origin, "storageTypes": "all"})),
        ] {
            let done = self.runtime.block_on(self.driver.cdp().send_raw(command, parameters));
            done.unwrap_or_else(|error| panic!("{command}: {error}"));
        }
    }

    /// For the next journey: a new tab, so that no history, emulation or script of this one is
    /// left.
    pub fn give_back(self) {
        let renewed: WebDriverResult<()> = self.runtime.block_on(async {
            let old = self.driver.windows().await?;
            let new = self.driver.new_tab().await?;
            for window in old {
                self.driver.switch_to_window(window).await?;
                self.driver.close_window().await?;
            }
            self.driver.switch_to_window(new).await?;
            // The log still holds what the old tab said while it was closed.
            self.driver.browser_log().await?;
            Ok(())
        });
        match renewed {
            Ok(()) => IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(self),
            Err(_) => self.quit(),
        }
    }

    pub fn quit(self) {
        let _ = self.runtime.block_on(self.driver.quit());
    }
}

/// Ends the browsers that no journey uses.
pub fn quit_idle() {
    let idle = std::mem::take(&mut *IDLE.lock().unwrap_or_else(PoisonError::into_inner));
    idle.into_iter().for_each(Session::quit);
}

/// The browser that is started: with a new profile, and with everything that its console says in
/// the log.
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
