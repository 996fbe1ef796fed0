//! The log line of a request.

use crate::{
    telemetry::{CacheStatus, logs},
    types::{TraceId, UserId},
};
use std::{fmt, net::IpAddr, time::Duration};

/// The log line of one request.
pub struct AccessLine<'a> {
    pub method: &'a str,
    /// The route's template, never the raw path: lines can be counted by it, and it holds no text
    /// of a client.
    pub route: &'a str,
    pub status: u16,
    pub duration: Duration,
    pub trace: TraceId,
    pub client: IpAddr,
    pub user: Option<UserId>,
    pub cache: Option<CacheStatus>,
    /// The code of the problem document; empty if the response is not a problem.
    pub problem: &'a str,
}

/// Envoy's response flags, by the code of the problem. `RC` is an addition of this gateway.
#[rustfmt::skip]
const FLAGS: &[(&str, &str)] = &[
    ("too_many_requests", "RL"),   // rate limit
    ("too_many_guesses",  "RL"),
    ("overloaded",        "UO"),   // overloaded: the gateway, or the service
    ("busy",              "UO"),
    ("too_many_streams",  "UO"),
    ("circuit_open",      "UO"),   // the circuit breaker is open
    ("unavailable",       "UH"),   // no instance
    ("service_failed",    "UF"),   // the instance crashed
    ("timed_out",         "UT"),   // no answer in time
    ("body_too_slow",     "DT"),   // no body in time
    ("unauthorized",      "UAEX"), // not authenticated, not authorized
    ("invalid_token",     "UAEX"),
    ("forbidden",         "UAEX"),
    ("hung_up",           "DC"),   // the client disconnected
    ("route_closed",      "RC"),   // an operator disabled the route
];

impl AccessLine<'_> {
    /// Writes the line to the log with the target `access`, as text or as JSON.
    pub fn write(&self) {
        if !logs::are_json() {
            return log::info!(target: "access", "{self}");
        }
        log::info!(
            target: "access",
            status = self.status,
            ms = (self.duration.as_secs_f64() * 1_000_000.0).round() / 1000.0,
            trace:% = self.trace,
            client:% = self.client,
            user = self.user.map_or("-".to_owned(), |user| user.to_string()).as_str(),
            cache = self.cache.map_or("-".to_owned(), |cache| cache.to_string()).as_str(),
            problem = dash(self.problem),
            flags = self.flags();
            "{} {}", self.method, self.route
        );
    }

    fn flags(&self) -> &'static str {
        FLAGS.iter().find(|(code, _)| *code == self.problem).map_or("-", |(_, flags)| flags)
    }
}

/// The same text as `logs` would write, in one go. No value is text of a client, so no value has to
/// be escaped. Escaping would take three times as long.
impl fmt::Display for AccessLine<'_> {
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
            None => f.write_str(" cache=-")?,
            Some(cache) => write!(f, " cache=\"{cache}\"")?,
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
    use log::Record;

    #[test]
    fn the_access_line_reads_as_the_log_would_write_its_values() {
        let access = AccessLine {
            method: "GET",
            route: "/api/v1/products/{id}",
            status: 404,
            duration: Duration::from_micros(12_007),
            trace: TraceId([1; 16]),
            client: [127, 0, 0, 1].into(),
            user: None,
            cache: Some(CacheStatus::Fresh { ttl: 59 }),
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
            ("cache", "galleria; hit; ttl=59"),
            ("problem", access.problem),
            ("flags", "UAEX"),
        ];
        let message = format_args!("GET /api/v1/products/{{id}}");
        assert_eq!(line, logs::text(&Record::builder().args(message).key_values(&values).build()));
    }
}
