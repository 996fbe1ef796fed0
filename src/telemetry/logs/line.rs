//! Log lines in text and in JSON format.

use env_logger::fmt::{Formatter, style::Style};
use log::{
    Record,
    kv::{Error, Key, Value, VisitSource},
};
use serde_json::{Map, json};
use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
};

pub fn text_line(out: &mut Formatter, record: &Record, has_colours: bool) -> io::Result<()> {
    let style = if has_colours { out.default_level_style(record.level()) } else { Style::new() };
    write!(out, "{} {style}{:5}{style:#} {} ", out.timestamp_millis(), record.level(), record.target())?;
    writeln!(out, "{}", text(record))
}

/// The message of a record, and its values after it.
pub fn text(record: &Record) -> String {
    let mut line = TextLine(String::with_capacity(256));
    line.push(record.args(), |byte| matches!(byte, b' '..=b'~'), is_safe, escaped);
    // A value that cannot be shown is left out.
    let _ = record.key_values().visit(&mut line);
    line.0
}

/// A line in text format.
struct TextLine(String);

impl TextLine {
    /// Adds the text unchanged if all of its bytes are `plain`, or all of its characters are
    /// `allowed`. Otherwise adds what `escape` makes of it.
    fn push(
        &mut self,
        text: impl fmt::Display,
        plain: impl Fn(&u8) -> bool,
        allowed: impl Fn(char) -> bool,
        escape: impl Fn(&str) -> String,
    ) {
        let start = self.0.len();
        // Writing to a string does not fail.
        let _ = write!(self.0, "{text}");
        // Nearly all text is plain. This check reads many bytes at a time.
        if self.0.as_bytes()[start..].iter().all(plain) {
            return;
        }
        if !self.0[start..].chars().all(allowed) {
            let text = self.0.split_off(start);
            self.0.push_str(&escape(&text));
        }
    }
}

impl<'kvs> VisitSource<'kvs> for TextLine {
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

/// The text with unsafe characters as `\u{…}`.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match is_safe(c) {
            true => safe.push(c),
            false => safe.extend(c.escape_default()),
        }
        safe
    })
}

/// Whether a character is neither a control character, nor invisible, nor changes the direction of
/// the text.
fn is_safe(c: char) -> bool {
    !c.is_control() && !('\u{200b}'..='\u{200f}').contains(&c) && !('\u{2028}'..='\u{202e}').contains(&c)
}

/// The line of a record as a JSON object.
pub fn json_line(time: &impl fmt::Display, record: &Record) -> serde_json::Value {
    let mut object = JsonLine(Map::new());
    object.0.insert("time".into(), json!(time.to_string()));
    object.0.insert("level".into(), json!(record.level().as_str().to_ascii_lowercase()));
    object.0.insert("target".into(), json!(record.target()));
    object.0.insert("message".into(), json!(record.args().to_string()));
    let _ = record.key_values().visit(&mut object);
    object.0.into()
}

struct JsonLine(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for JsonLine {
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
        // A value must not overwrite `time`, `level`, `target` or `message`.
        self.0.entry(key.as_str()).or_insert(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with<T>(message: &str, value: &str, line: impl FnOnce(&Record) -> T) -> T {
        let values = [("user", value), ("message", value)];
        line(
            &Record::builder()
                .level(log::Level::Info)
                .target("access")
                .args(format_args!("{message}"))
                .key_values(&values)
                .build(),
        )
    }

    proptest! {
        #[test]
        fn no_message_or_value_forges_a_line_or_another_value(message in any::<String>(), value in any::<String>()) {
            let line = with(&message, &value, text);
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            let object = with(&message, &value, |record| json_line(&"now", record));
            prop_assert_eq!(&object["message"], &json!(message));
            prop_assert_eq!(&object["user"], &json!(value));
            prop_assert!(!object.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_value_that_needs_quotes_is_quoted() {
        assert_eq!(with("GET /", "usr_1", text), "GET / user=usr_1 message=usr_1");
        let injected = with("GET /", "x status=200\n\u{1b}[31mINFO", text);
        assert_eq!(injected.lines().count(), 1);
        assert!(injected.starts_with(r#"GET / user="x status=200\\n"#), "{injected}");
        assert_eq!(with("GET /", "\u{202e}moc", text), r#"GET / user="\\u{202e}moc" message="\\u{202e}moc""#);
    }
}
