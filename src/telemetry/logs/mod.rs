//! Log lines on stderr, by `env_logger`: `RUST_LOG` says which, the level `info` unless it does.
//!
//! For people a line is `time LEVEL target words key=value …`, in colours on a terminal; for programs one JSON object. Whatever somebody
//! put into a value, it stays in its line and its place: control characters are escaped.

mod sink;

use crate::types::{TraceId, UserId};
use env_logger::{
    Builder, Env, Logger, Target, WriteStyle,
    fmt::{Formatter, style::Style},
};
use log::{
    Level, Log, Metadata, Record,
    kv::{Error, Key, Value, VisitSource},
};
use serde_json::{Map, json};
use sink::Sink;
use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal, Write as _},
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Whether lines are objects.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// To be called once, first of all; and `log::logger().flush()` last of all.
pub fn start(is_json: bool) {
    let mut builder =
        Builder::from_env(Env::default().default_filter_or("info,sled=warn,actix_server=warn,opentelemetry=off"));
    let has_colours = has_colours();
    IS_JSON.store(is_json, Ordering::Relaxed);
    match is_json {
        true => builder.format(|out, record| writeln!(out, "{}", json_line(&out.timestamp_millis(), record))),
        false => builder.format(move |out, record| text_line(out, record, has_colours)),
    };
    // Not to be searched for colours to be taken out: there are none where there should be none.
    builder.write_style(WriteStyle::Always);
    let Ok(sink) = Sink::to(io::stderr()) else { return builder.init() };
    builder.target(Target::Pipe(Box::new(sink.clone())));
    let gathered = Gathered { logger: builder.build(), sink };
    log::set_max_level(gathered.logger.filter());
    // There is another only where this was called before.
    let _ = log::set_boxed_logger(Box::new(gathered));
}

/// As `RUST_LOG_STYLE` says; else where people look on.
fn has_colours() -> bool {
    match std::env::var("RUST_LOG_STYLE").as_deref() {
        Ok("always") => true,
        Ok("never") => false,
        _ => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

/// `env_logger`, whose lines are written many at a time; but errors at once.
struct Gathered {
    logger: Logger,
    sink: Sink,
}

impl Log for Gathered {
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

fn text_line(out: &mut Formatter, record: &Record, has_colours: bool) -> io::Result<()> {
    let style = if has_colours { out.default_level_style(record.level()) } else { Style::new() };
    write!(out, "{} {style}{:5}{style:#} {} ", out.timestamp_millis(), record.level(), record.target())?;
    writeln!(out, "{}", text(record))
}

/// The words, and the values after them.
fn text(record: &Record) -> String {
    let mut line = Line(String::with_capacity(256));
    line.push(record.args(), |byte| matches!(byte, b' '..=b'~'), is_safe, escaped);
    // What cannot be shown is left out; the line is still worth having.
    let _ = record.key_values().visit(&mut line);
    line.0
}

struct Line(String);

impl Line {
    /// As it is, where all of it is `plain` or `may` be; else as `instead` makes it.
    fn push(
        &mut self,
        words: impl fmt::Display,
        plain: impl Fn(&u8) -> bool,
        may: impl Fn(char) -> bool,
        instead: impl Fn(&str) -> String,
    ) {
        let start = self.0.len();
        // Writing to a string does not fail.
        let _ = write!(self.0, "{words}");
        // Nearly all of it is, and that is seen many bytes at a time.
        if self.0.as_bytes()[start..].iter().all(plain) {
            return;
        }
        if !self.0[start..].chars().all(may) {
            let words = self.0.split_off(start);
            self.0.push_str(&instead(&words));
        }
    }
}

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let _ = write!(self.0, " {key}=");
        let start = self.0.len();
        let is_plain = |c: char| is_safe(c) && !c.is_whitespace() && !"\"=\\".contains(c);
        self.push(value, u8::is_ascii_alphanumeric, is_plain, |value| json!(escaped(value)).to_string());
        if self.0.len() == start {
            self.0.push_str("\"\"");
        }
        Ok(())
    }
}

/// With what is not safe to show as `\u{…}`.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match is_safe(c) {
            true => safe.push(c),
            false => safe.extend(c.escape_default()),
        }
        safe
    })
}

/// No control character, and none that nobody sees or that turns the direction of writing.
fn is_safe(c: char) -> bool {
    !c.is_control() && !('\u{200b}'..='\u{200f}').contains(&c) && !('\u{2028}'..='\u{202e}').contains(&c)
}

fn json_line(time: &impl fmt::Display, record: &Record) -> serde_json::Value {
    let mut object = Object(Map::new());
    object.0.insert("time".into(), json!(time.to_string()));
    object.0.insert("level".into(), json!(record.level().as_str().to_ascii_lowercase()));
    object.0.insert("target".into(), json!(record.target()));
    object.0.insert("message".into(), json!(record.args().to_string()));
    let _ = record.key_values().visit(&mut object);
    object.0.into()
}

struct Object(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Object {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let value = if let Some(number) = value.to_u64() {
            json!(number)
        } else if let Some(number) = value.to_f64() {
            json!(number)
        } else if let Some(truth) = value.to_bool() {
            json!(truth)
        } else {
            json!(value.to_string())
        };
        // What the line says of itself no value may overwrite.
        self.0.entry(key.as_str()).or_insert(value);
        Ok(())
    }
}

/// One line for each request that came to the door.
pub struct Access<'a> {
    pub method: &'a str,
    /// The route's template, never the raw path: it is what the lines are counted by, and it holds nothing of the sender's.
    pub route: &'a str,
    pub status: u16,
    pub duration: Duration,
    pub trace: TraceId,
    pub client: IpAddr,
    pub user: Option<UserId>,
    /// `Cache-Status`.
    pub cache: &'a str,
    /// The problem's code, where the answer is one.
    pub problem: &'a str,
}

/// Why an answer is no plain one, in the letters of Envoy's response flags, by the problem's code. `RC` is this door's own.
#[rustfmt::skip]
const FLAGS: &[(&str, &str)] = &[
    ("too_many_requests", "RL"),   // told to wait
    ("too_many_guesses",  "RL"),
    ("overloaded",        "UO"),   // no place: here, or in the service
    ("busy",              "UO"),
    ("too_many_streams",  "UO"),
    ("circuit_open",      "UO"),   // too many failed lately
    ("unavailable",       "UH"),   // no instance there to ask
    ("service_failed",    "UF"),   // it broke down, or went down
    ("timed_out",         "UT"),   // no answer in time
    ("body_too_slow",     "DT"),   // no request in time
    ("unauthorized",      "UAEX"), // not let in
    ("invalid_token",     "UAEX"),
    ("forbidden",         "UAEX"),
    ("hung_up",           "DC"),   // the client did not wait
    ("route_closed",      "RC"),   // closed by an operator
];

impl Access<'_> {
    pub fn write(&self) {
        if !IS_JSON.load(Ordering::Relaxed) {
            return log::info!(target: "access", "{self}");
        }
        log::info!(
            target: "access",
            status = self.status,
            ms = (self.duration.as_secs_f64() * 1_000_000.0).round() / 1000.0,
            trace:% = self.trace,
            client:% = self.client,
            user = self.user.map_or("-".to_owned(), |user| user.to_string()).as_str(),
            cache = dash(self.cache),
            problem = dash(self.problem),
            flags = self.flags();
            "{} {}", self.method, self.route
        );
    }

    fn flags(&self) -> &'static str {
        FLAGS.iter().find(|(code, _)| *code == self.problem).map_or("-", |(_, flags)| flags)
    }
}

/// As its words and values would be written, in one go: nothing in it is anybody's but ours, so nothing has to be looked at one by one,
/// which takes three times as long.
impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, route, status, trace, client, .. } = self;
        let micros = self.duration.as_micros();
        write!(
            f,
            "{method} {route} status={status} ms={}.{:03} trace={trace} client={client}",
            micros / 1000,
            micros % 1000
        )?;
        match self.user {
            Some(user) => write!(f, " user={user}")?,
            None => f.write_str(" user=-")?,
        }
        match self.cache {
            "" => f.write_str(" cache=-")?,
            cache => write!(f, " cache={cache:?}")?,
        }
        write!(f, " problem={} flags={}", dash(self.problem), self.flags())
    }
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with<T>(words: &str, value: &str, line: impl FnOnce(&Record) -> T) -> T {
        let values = [("user", value), ("message", value)];
        line(
            &Record::builder()
                .level(log::Level::Info)
                .target("access")
                .args(format_args!("{words}"))
                .key_values(&values)
                .build(),
        )
    }

    proptest! {
        #[test]
        fn nothing_that_somebody_sends_makes_another_line_or_another_value(words in any::<String>(), value in any::<String>()) {
            let line = with(&words, &value, text);
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            let object = with(&words, &value, |record| json_line(&"now", record));
            prop_assert_eq!(&object["message"], &json!(words));
            prop_assert_eq!(&object["user"], &json!(value));
            prop_assert!(!object.to_string().contains('\n'));
        }
    }

    #[test]
    fn the_line_of_a_request_reads_as_its_values_would() {
        let access = Access {
            method: "GET",
            route: "/api/v1/products/{id}",
            status: 404,
            duration: Duration::from_micros(12_007),
            trace: TraceId([1; 16]),
            client: [127, 0, 0, 1].into(),
            user: None,
            cache: "galleria; hit; ttl=59",
            problem: "unauthorized",
        };
        let line = format!("{access}");
        let trace = access.trace.to_string();
        let values = [
            ("status", "404"),
            ("ms", "12.007"),
            ("trace", &trace),
            ("client", "127.0.0.1"),
            ("user", "-"),
            ("cache", access.cache),
            ("problem", access.problem),
            ("flags", "UAEX"),
        ];
        let words = format_args!("GET /api/v1/products/{{id}}");
        assert_eq!(line, text(&Record::builder().args(words).key_values(&values).build()));
    }

    #[test]
    fn a_value_ends_where_it_ends() {
        assert_eq!(with("GET /", "usr_1", text), "GET / user=usr_1 message=usr_1");
        let injected = with("GET /", "x status=200\n\u{1b}[31mINFO", text);
        assert_eq!(injected.lines().count(), 1);
        assert!(injected.starts_with(r#"GET / user="x status=200\\n"#), "{injected}");
        assert_eq!(with("GET /", "\u{202e}moc", text), r#"GET / user="\\u{202e}moc" message="\\u{202e}moc""#);
    }
}
