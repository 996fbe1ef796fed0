//! Log lines on stderr, by `env_logger`: `RUST_LOG` says which, the level `info` unless it does.

use env_logger::{Builder, Env};
use std::time::Duration;

/// To be called once, first of all.
pub fn start() {
    Builder::from_env(Env::default().default_filter_or("info,sled=warn,actix_server=warn"))
        .format_timestamp_millis()
        .init();
}

/// One line for each request that came to the door.
pub struct Access<'a> {
    pub method: &'a str,
    /// The route's template, never the raw path: it is what the lines are counted by, and it holds nothing of the sender's.
    pub route: &'a str,
    pub status: u16,
    pub duration: Duration,
    pub trace: &'a str,
    pub client: &'a str,
    pub user: &'a str,
    /// The problem's code, where the answer is one.
    pub problem: &'a str,
}

impl Access<'_> {
    pub fn write(&self) {
        log::info!(
            target: "access",
            status = self.status,
            ms = format!("{:.3}", self.duration.as_secs_f64() * 1000.0).as_str(),
            trace = self.trace,
            client = self.client,
            user = self.user,
            problem = self.problem;
            "{} {}", self.method, self.route
        );
    }
}
