//! The access log: one line for each request.

use super::logger::are_json;
use crate::types::{TraceId, UserId};
use std::{fmt, net::IpAddr, time::Duration};

/// One line for each request that came to the door.
pub struct Access<'a> {
    pub method: &'a str,
    /// The route's template, never the raw path: it is what the lines are counted by, and it holds
    /// nothing of the sender's.
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

/// Why an answer is no plain one, in the letters of Envoy's response flags, by the problem's code.
/// `RC` is this door's own.
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
        if !are_json() {
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

/// As its words and values would be written, in one go: nothing in it is anybody's but ours, so
/// nothing has to be looked at one by one, which takes three times as long.
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
    use crate::telemetry::logs::text;
    use log::Record;

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
}
