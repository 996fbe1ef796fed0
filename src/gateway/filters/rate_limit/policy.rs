//! The classes of requests, the rate and the message of each, and how rates are set.

use crate::types::parse_bool;
use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

/// A class of requests. Each has its own bucket for every client, its own rate, and its own
/// message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Reading pages and records.
    Browse,
    /// Changing a cart, an account, a product.
    Write,
    /// Signing in and signing up: a password is hashed.
    SignIn,
    /// Placing, paying and returning orders.
    Checkout,
    /// Experiments of an operator.
    Lab,
    /// Requests of any class whose token is not valid. No route has this class.
    BadToken,
    /// Probes. They are not counted and not limited.
    Free,
}

impl Class {
    /// The number of classes that are counted.
    pub const COUNTED: usize = 6;
    /// The classes that are counted; each stands at the index of its number.
    pub const ALL: [Self; Self::COUNTED] =
        [Self::Browse, Self::Write, Self::SignIn, Self::Checkout, Self::Lab, Self::BadToken];

    /// The name in settings, in `RateLimit` fields and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Write => "write",
            Self::SignIn => "sign-in",
            Self::Checkout => "checkout",
            Self::Lab => "lab",
            Self::BadToken => "bad-token",
            Self::Free => "free",
        }
    }

    /// The rate, unless the settings or an operator give another.
    pub const fn default_rate(self) -> Rate {
        match self {
            Self::Browse => Rate::of(100.0, 1000),
            Self::Write => Rate::of(30.0, 300),
            Self::SignIn | Self::Checkout | Self::BadToken => Rate::of(5.0, 300),
            Self::Lab | Self::Free => Rate::of(10.0, 600),
        }
    }

    /// A response that takes longer counts as late, see
    /// [`crate::gateway::filters::admission::concurrency_limit`]. It is twice the time that
    /// responses take at a load that keeps two cores busy. With five times that time, an admitted
    /// request waits three times as long at three times the load. `None` for classes whose work
    /// itself may take long.
    pub const fn answered_within(self) -> Option<Duration> {
        match self {
            Self::Browse => Some(Duration::from_millis(25)),
            Self::Write => Some(Duration::from_millis(50)),
            Self::Checkout => Some(Duration::from_millis(60)),
            // Hashing a password is slow on purpose.
            Self::SignIn => Some(Duration::from_secs(1)),
            Self::Lab | Self::BadToken | Self::Free => None,
        }
    }

    /// The `detail` of the problem that a client above the rate gets.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Free | Self::Browse => {
                "You are looking at more pages than a person can read. Wait a moment and go on."
            }
            Self::Write => "You are changing things faster than a person can. Wait a moment and try again.",
            Self::SignIn => "There were too many sign-ins from here. Wait a little before the next one.",
            Self::Checkout => "There were too many orders in a short time. Wait a little before the next one.",
            Self::BadToken => "There were too many requests with tokens that are not valid. Sign in, or wait a little.",
            Self::Lab => "There were too many requests to the Lab. Wait a little and go on.",
        }
    }
}

/// The requests a second that a client can send continuously, and the burst that it can send at
/// once after a pause.
#[derive(Clone, Copy, PartialEq)]
pub struct Rate {
    per_second: f64,
    burst: NonZeroU32,
}

/// One request an hour: no client waits longer than that for its next request.
const LEAST_PER_SECOND: f64 = 1.0 / 3600.0;
/// More than any machine serves.
const MOST_PER_SECOND: f64 = 1e6;
/// The greatest burst, in requests.
const MOST_BURST: u32 = 1_000_000;

impl Rate {
    /// For the constants of this file.
    const fn of(per_second: f64, burst: u32) -> Self {
        match NonZeroU32::new(burst) {
            Some(burst) => Self { per_second, burst },
            None => panic!("a burst of 0 admits no request"),
        }
    }

    /// A rate from one request an hour to a million a second, with a burst from 1 to a million.
    /// `Err` says which bound was missed.
    pub fn new(per_second: f64, burst: u32) -> Result<Self, String> {
        if !(LEAST_PER_SECOND..=MOST_PER_SECOND).contains(&per_second) {
            return Err(format!(
                "a rate of {per_second} is not between one request an hour and {MOST_PER_SECOND} a second"
            ));
        }
        let burst = NonZeroU32::new(burst).filter(|burst| burst.get() <= MOST_BURST);
        let burst = burst.ok_or_else(|| format!("a burst is a whole number from 1 to {MOST_BURST}"))?;
        Ok(Self { per_second, burst })
    }

    /// Requests a second.
    pub fn per_second(self) -> f64 {
        self.per_second
    }

    /// Requests at once after a pause.
    pub fn burst(self) -> NonZeroU32 {
        self.burst
    }

    /// The seconds after which a client that has used up its burst has the whole burst again; at
    /// least 1.
    pub fn window_seconds(self) -> u64 {
        // The rounding error of 1000.0 / 100.0 must not add a second.
        (f64::from(self.burst.get()) / self.per_second - 1e-6).ceil().max(1.0) as u64
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} a second, {} at once", self.per_second, self.burst)
    }
}

/// Whether rate limits are on, and the rate of each class.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttling {
    /// Whether requests are counted at all.
    pub on: bool,
    rates: [Rate; Class::COUNTED],
}

impl Default for Throttling {
    fn default() -> Self {
        Self { on: true, rates: Class::ALL.map(Class::default_rate) }
    }
}

impl Throttling {
    /// The rate of the class; `None` for a class that is not counted.
    pub fn rate(&self, class: Class) -> Option<Rate> {
        self.rates.get(class as usize).copied()
    }

    /// Reads `true`, `false`, or `browse.rate=100,browse.burst=1000` and so on. A value that is not
    /// named is not changed. `Err` says in one line what could not be read; the values before it
    /// are set.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some((name, value)) if name.trim() != "on" => self.set_rate(name.trim(), value.trim())?,
                on => self.on = parse_bool(on.map_or(part, |(_, value)| value.trim()))?,
            }
        }
        Ok(())
    }

    fn set_rate(&mut self, name: &str, value: &str) -> Result<(), String> {
        let known = || Class::ALL.map(Class::name).join(", ");
        let (class, part) = name.split_once('.').unwrap_or((name, ""));
        let class = Class::ALL.into_iter().find(|known| known.name() == class);
        let class = class.ok_or_else(|| format!("`{name}` is not a rate or burst of one of {}", known()))?;
        let rate = &mut self.rates[class as usize];
        let bad = |reason: String| format!("`{name}`: {reason}");
        *rate = match part {
            "rate" => Rate::new(number(value).map_err(bad)?, rate.burst.get()),
            "burst" => Rate::new(rate.per_second, number(value).map_err(bad)?),
            _ => return Err(format!("`{name}` is neither `{0}.rate` nor `{0}.burst`", class.name())),
        }
        .map_err(bad)?;
        Ok(())
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is not a valid number here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_the_index_of_its_number() {
        for (at, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(at, class as usize);
        }
        assert_eq!(Throttling::default().rate(Class::Free), None);
    }

    #[test]
    fn a_value_that_is_set_replaces_the_default_and_the_others_stay() {
        let mut throttling = Throttling::default();
        throttling.set("browse.rate = 0.5, browse.burst=7").unwrap();
        throttling.set("off").unwrap();
        throttling.set("sign-in.burst=9").unwrap();
        assert!(!throttling.on);
        assert_eq!(throttling.rate(Class::Browse), Some(Rate::of(0.5, 7)));
        assert_eq!(throttling.rate(Class::SignIn), Some(Rate::of(5.0, 9)));
        assert_eq!(throttling.rate(Class::Write), Some(Class::Write.default_rate()));
        throttling.set("on=true").unwrap();
        assert!(throttling.on);
    }

    #[test]
    fn a_text_that_is_not_a_rate_is_refused() {
        for wrong in [
            "",
            "maybe",
            "browse",
            "browse=3",
            "browse.rate",
            "browse.rate=",
            "browse.rate=0",
            "browse.rate=-1",
            "browse.rate=NaN",
            "browse.rate=inf",
            "browse.rate=1000001",
            "browse.rate=0.0001",
            "browse.burst=0",
            "browse.burst=1.5",
            "browse.burst=1000001",
            "browse.speed=1",
            "free.rate=1",
            "window.rate=1",
        ] {
            let mut throttling = Throttling::default();
            assert!(throttling.set(wrong).is_err(), "{wrong}");
            assert_eq!(throttling, Throttling::default(), "{wrong}");
        }
    }

    #[test]
    fn the_window_is_the_time_until_the_burst_is_full_again() {
        assert_eq!(Class::Browse.default_rate().window_seconds(), 10);
        assert_eq!(Rate::of(30.0, 300).window_seconds(), 10);
        assert_eq!(Rate::of(300.0, 1000).window_seconds(), 4);
        assert_eq!(Rate::of(1000.0, 1).window_seconds(), 1);
    }
}
