//! The faults of the connection to the payment provider, as an operator sets them.

use std::{str::FromStr, time::Duration};

/// No faults by default. Parsed from `delay=300,fail=30,lose=10,twice=20`: milliseconds and
/// percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProviderFaults {
    /// How long a request takes to arrive, at most 60 s. It arrives even if its sender has timed
    /// out.
    pub delay: Duration,
    /// Percent of the requests that fail before anything is done.
    pub fail_rate: u8,
    /// Percent of the requests that are carried out, but whose answer arrives after the timeout.
    pub lose_rate: u8,
    /// Percent of the requests that arrive twice, the second time up to 30 s later.
    pub twice_rate: u8,
}

/// In milliseconds. A longer delay is an outage: use `fail=100`.
const LONGEST_DELAY: u64 = 60_000;

impl FromStr for ProviderFaults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form fault=n"))?;
            let most = |most: u64| {
                let value = value.trim().parse().ok().filter(|value: &u64| *value <= most);
                value.ok_or_else(|| format!("`{part}` must be a whole number from 0 to {most}"))
            };
            // At most 100: it fits.
            let percent = || most(100).map(|value| value as u8);
            match name.trim() {
                "delay" => faults.delay = Duration::from_millis(most(LONGEST_DELAY)?),
                "fail" => faults.fail_rate = percent()?,
                "lose" => faults.lose_rate = percent()?,
                "twice" => faults.twice_rate = percent()?,
                other => return Err(format!("`{other}` is not one of delay, fail, lose, twice")),
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_parsed_and_wrong_ones_are_refused() {
        let faults =
            ProviderFaults { delay: Duration::from_millis(300), fail_rate: 30, lose_rate: 10, twice_rate: 100 };
        assert_eq!("delay=300, fail=30,lose = 10,twice=100".parse(), Ok(faults));
        assert_eq!("".parse(), Ok(ProviderFaults::default()));
        for wrong in ["fail", "fail=101", "fail=-1", "delay=60001", "late=10", "fail=often"] {
            assert!(wrong.parse::<ProviderFaults>().is_err(), "{wrong}");
        }
    }
}
