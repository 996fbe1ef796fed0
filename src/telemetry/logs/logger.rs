//! Starts the logger in text or JSON format.

use super::{
    line::{json_line, text_line},
    sink::Sink,
};
use env_logger::{Builder, Env, Logger, Target, WriteStyle};
use log::{Level, Log, Metadata, Record};
use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether each line is a JSON object.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Starts logging. To be called once, before anything else; `log::logger().flush()` is called
/// before the program ends.
pub fn start(is_json: bool) {
    let mut builder =
        Builder::from_env(Env::default().default_filter_or("info,sled=warn,actix_server=warn,opentelemetry=off"));
    let has_colours = has_colours();
    IS_JSON.store(is_json, Ordering::Relaxed);
    match is_json {
        true => builder.format(|out, record| writeln!(out, "{}", json_line(&out.timestamp_millis(), record))),
        false => builder.format(move |out, record| text_line(out, record, has_colours)),
    };
    // The formats above write colours only where they are wanted, so nothing needs to be stripped.
    builder.write_style(WriteStyle::Always);
    let Ok(sink) = Sink::to(io::stderr()) else { return builder.init() };
    builder.target(Target::Pipe(Box::new(sink.clone())));
    let buffered = BufferedLogger { logger: builder.build(), sink };
    log::set_max_level(buffered.logger.filter());
    // It fails only if this function was called before.
    let _ = log::set_boxed_logger(Box::new(buffered));
}

/// Whether each line is a JSON object.
pub fn are_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// As `RUST_LOG_STYLE` says. Otherwise on a terminal, unless `NO_COLOR` is set.
fn has_colours() -> bool {
    match std::env::var("RUST_LOG_STYLE").as_deref() {
        Ok("always") => true,
        Ok("never") => false,
        _ => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

/// `env_logger` with a buffer: lines are written many at a time, and errors at once.
struct BufferedLogger {
    logger: Logger,
    sink: Sink,
}

impl Log for BufferedLogger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record) {
        self.logger.log(record);
        if record.level() == Level::Error {
            self.sink.write_out();
        }
    }

    fn flush(&self) {
        self.sink.write_out();
    }
}
