//! What only testers do with a browser: scripts, DevTools commands, the console, screenshots.

use super::Browser;
use crate::driver;
use serde_json::{Value, json};
use std::thread;

impl Browser {
    /// The value that a function with this body returns.
    #[track_caller]
    pub fn run(&self, body: &str, arguments: &[Value]) -> Value {
        self.wait(self.driver().execute(body, arguments.to_vec())).json().clone()
    }

    /// The value of an expression that is a promise.
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

    /// Allows console lines that contain this text.
    pub fn expect_error(&self, part: &'static str) {
        self.expected.borrow_mut().push(part);
    }

    /// The unexpected errors: exceptions, failed requests, violations of the
    /// Content-Security-Policy.
    fn unexpected_errors(&self) -> Vec<String> {
        let entries = self.block_on(self.driver().browser_log()).unwrap_or_default();
        let mut console = self.console.borrow_mut();
        console.extend(entries.iter().map(|entry| format!("{} {}", entry.level, entry.message)));
        let expected = self.expected.borrow();
        let is_unexpected =
            |line: &&String| line.starts_with("SEVERE") && !expected.iter().any(|part| line.contains(part));
        console.iter().filter(is_unexpected).cloned().collect()
    }

    /// Prints the page's text and console, and writes a screenshot.
    fn report(&self) {
        let picture = driver::output().join(format!("{}.png", self.name));
        let _ = self.block_on(self.driver().screenshot(&picture));
        self.unexpected_errors();
        let url = self.block_on(self.driver().current_url()).map(String::from).unwrap_or_default();
        let text = self.block_on(self.driver().execute("return document.body.innerText", Vec::new()));
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
        // After a failure the state of the browser is unknown, so the next journey gets another
        // one.
        match self.session.take() {
            Some(session) if is_failing => session.quit(),
            Some(session) => session.give_back(),
            None => {}
        }
        assert!(thread::panicking() || errors.is_empty(), "errors in the console: {errors:#?}");
    }
}
