//! The journal of a run: the requests of the customers and the log lines of the shop.

use log::{LevelFilter, Log, Metadata, Record};
use std::cell::RefCell;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Journal;

impl Log for Journal {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        if record.target().starts_with("galleria") {
            let mut line = format!("{} {}: {}", record.level(), record.target(), record.args());
            let mut pairs = Pairs(&mut line);
            let _ = record.key_values().visit(&mut pairs);
            note(line);
        }
    }

    fn flush(&self) {}
}

struct Pairs<'a>(&'a mut String);

impl<'kvs> log::kv::VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: log::kv::Key<'kvs>, value: log::kv::Value<'kvs>) -> Result<(), log::kv::Error> {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}

/// Must be called before the first world. The crash of an instance prints no panic message.
pub fn install() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let _ = log::set_logger(&Journal);
        log::set_max_level(LevelFilter::Debug);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"asked to crash") {
                usual(info);
            }
        }));
    });
}

pub fn note(line: String) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

/// Takes all lines since the last call.
pub fn take() -> Vec<String> {
    LINES.take()
}
