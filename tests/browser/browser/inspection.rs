//! What only testers do with a browser: look behind the page, and at what went wrong.

use super::Browser;
use crate::driver;
use serde_json::{Value, json};
use std::thread;

impl Browser {
    /// What a function of this body returns.
    #[track_caller]
    pub fn run(&self, body: &str, arguments: &[Value]) -> Value {
        self.wait(self.driver().execute(body, arguments.to_vec())).json().clone()
    }

    /// As [`Browser::run`], of an expression that is a promise.
    #[track_caller]
    pub fn promised(&self, expression: &str) -> Value {
        let body =
            format!("const done = arguments[0]; ({expression}).then(done, error => done({{ error: String(error) }}))");
        self.wait(self.driver().execute_async(body, Vec::new())).json().clone()
    }

    /// A command of the Chrome DevTools Protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.wait(self.driver().cdp().send_raw(command, parameters))
    }

    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    pub fn set_theme(&self, theme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    /// A line with this in the console is what the journey is about.
    pub fn expect_error(&self, part: &'static str) {
        self.expected.borrow_mut().push(part);
    }

    /// The errors that nobody expected: exceptions, failed requests, breaches of the content policy.
    fn unexpected_errors(&self) -> Vec<String> {
        let entries = self.runtime.block_on(self.driver().browser_log()).unwrap_or_default();
        let mut console = self.console.borrow_mut();
        console.extend(entries.iter().map(|entry| format!("{} {}", entry.level, entry.message)));
        let expected = self.expected.borrow();
        let is_unexpected =
            |line: &&String| line.starts_with("SEVERE") && !expected.iter().any(|part| line.contains(part));
        console.iter().filter(is_unexpected).cloned().collect()
    }

    /// What a failing test leaves to look at.
    fn report(&self) {
        let picture = driver::output().join(format!("{}.png", self.name));
        let _ = self.runtime.block_on(self.driver().screenshot(&picture));
        self.unexpected_errors();
        let url = self.runtime.block_on(self.driver().current_url()).map(String::from).unwrap_or_default();
        let text = self.runtime.block_on(self.driver().execute("return document.body.innerText", Vec::new()));
        let text = text.ok().and_then(|text| text.json().as_str().map(str::to_owned)).unwrap_or_default();
        let console = self.console.borrow().join("\n");
        eprintln!("--- {url}\n{text}\n--- the console\n{console}\n--- a picture: {}", picture.display());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let errors = self.unexpected_errors();
        let is_failing = thread::panicking() || !errors.is_empty();
        if is_failing {
            self.report();
        }
        if let Some(driver) = self.driver.take() {
            let _ = self.runtime.block_on(driver.quit());
        }
        assert!(thread::panicking() || errors.is_empty(), "errors in the console: {errors:#?}");
    }
}
