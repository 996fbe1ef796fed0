//! What happened, line by line: what people did, and what the shop logged.

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

/// To be called before the first world. Instances that are told to crash say nothing on the way.
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

/// All since the last time.
pub fn take() -> Vec<String> {
    LINES.take()
}
