//! How often a password may be guessed: after the first few, each wrong guess makes the next wait twice as long.
//!
//! All strangers to an account share one count, so that a thousand addresses guess no faster than one. Who has signed in from the
//! same network before has a count of his own, and so has a session: strangers cannot lock the owner out (OWASP, Authentication
//! Cheat Sheet, "Account Lockout"). An address without an account is counted like any other, and so tells nothing.
//!
//! Counts are in memory: a restart costs a guesser more than it gives.

use crate::{
    env::{later, since},
    types::{Email, SessionId, Timestamp},
};
use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

#[derive(Clone, Default)]
pub struct Guesses(Arc<Mutex<HashMap<Guesser, Count>>>);

/// Who guesses at which account's password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Guesser {
    pub account: Email,
    pub standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    Stranger,
    /// From a network from which the account was signed in to before.
    Known(IpAddr),
    SignedIn(SessionId),
}

/// Guesses in a row that were not right (yet).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Count {
    guesses: u32,
    /// When the next may be made.
    free_at: Timestamp,
}

/// Nobody mistypes more often in a row, or signs in more often at once.
const FREE: u32 = 10;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After so long without a guess all is forgotten.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Of guessers that are remembered; some 15 MB.
const MOST: usize = 50_000;

impl Guesses {
    /// Counts a guess before it is looked at, so that guesses made at once are counted, too; `Err` with how long to wait.
    pub fn begin(&self, guesser: &Guesser, now: Timestamp) -> Result<(), Duration> {
        let mut counts = self.0.lock();
        if counts.len() >= MOST {
            tidy(&mut counts, now);
        }
        let count = counts.get(guesser).copied().filter(|count| !count.is_forgotten(now)).unwrap_or(Count::new(now));
        counts.insert(guesser.clone(), count.one_more(now)?);
        Ok(())
    }

    /// It was right: nothing is held against him any more.
    pub fn was_right(&self, guesser: &Guesser) {
        self.0.lock().remove(guesser);
    }

    /// Nobody has looked at it: it is as if it had not been made.
    pub fn take_back(&self, guesser: &Guesser) {
        if let Some(count) = self.0.lock().get_mut(guesser) {
            count.guesses = count.guesses.saturating_sub(1);
        }
    }
}

impl Count {
    const fn new(now: Timestamp) -> Self {
        Self { guesses: 0, free_at: now }
    }

    fn one_more(self, now: Timestamp) -> Result<Self, Duration> {
        if now < self.free_at {
            return Err(since(self.free_at, now));
        }
        let guesses = self.guesses.saturating_add(1);
        Ok(Self { guesses, free_at: later(now, wait_after(guesses)) })
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        later(self.free_at, MEMORY) <= now
    }
}

fn wait_after(guesses: u32) -> Duration {
    match guesses.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(beyond) => FIRST_WAIT.saturating_mul(1 << beyond.min(16)).min(LONGEST_WAIT),
    }
}

/// Makes room: for those who still wait, if there is no other.
fn tidy(counts: &mut HashMap<Guesser, Count>, now: Timestamp) {
    counts.retain(|_, count| !count.is_forgotten(now));
    if counts.len() >= MOST {
        counts.retain(|_, count| count.free_at > now);
    }
    if counts.len() >= MOST {
        counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        later("2026-01-01T00:00:00Z".parse().unwrap(), Duration::from_secs(seconds))
    }

    fn stranger(account: &str) -> Guesser {
        Guesser { account: account.parse().unwrap(), standing: Standing::Stranger }
    }

    #[test]
    fn each_wrong_guess_after_the_first_few_waits_twice_as_long_and_never_for_ever() {
        let (guesses, ada) = (Guesses::default(), stranger("ada@example.com"));
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..FREE + 9 {
            match guesses.begin(&ada, at(now)) {
                Ok(()) => {}
                Err(wait) => {
                    waits.push(wait.as_secs());
                    // A moment too early is too early; and asking makes it no longer.
                    assert!(guesses.begin(&ada, at(now + wait.as_secs() - 1)).is_err());
                    now += wait.as_secs();
                    guesses.begin(&ada, at(now)).unwrap();
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(guesses.begin(&stranger("bob@example.com"), at(now)).is_ok());
    }

    #[test]
    fn strangers_do_not_lock_the_owner_out() {
        let (guesses, ada) = (Guesses::default(), stranger("ada@example.com"));
        while guesses.begin(&ada, at(0)).is_ok() {}
        let home = Guesser { standing: Standing::Known([192, 0, 2, 1].into()), ..ada.clone() };
        assert!(guesses.begin(&home, at(0)).is_ok());
        guesses.was_right(&home);
        assert!(guesses.begin(&ada, at(0)).is_err(), "the owner's success is not the strangers'");
    }

    #[test]
    fn what_was_right_or_never_looked_at_or_long_ago_does_not_count() {
        let (guesses, ada) = (Guesses::default(), stranger("ada@example.com"));
        for _ in 0..FREE * 3 {
            guesses.begin(&ada, at(0)).unwrap();
            guesses.was_right(&ada);
        }
        for _ in 0..FREE - 1 {
            guesses.begin(&ada, at(0)).unwrap();
        }
        guesses.take_back(&ada);
        guesses.begin(&ada, at(0)).unwrap();
        guesses.begin(&ada, at(0)).unwrap();
        assert_eq!(guesses.begin(&ada, at(0)), Err(FIRST_WAIT));
        let much_later = at(2 + MEMORY.as_secs());
        for _ in 0..FREE {
            guesses.begin(&ada, much_later).unwrap();
        }
    }

    #[test]
    fn memory_is_bounded() {
        let guesses = Guesses::default();
        for n in 0..MOST + 10 {
            guesses.begin(&stranger(&format!("u{n}@example.com")), at(n as u64 / 1000)).unwrap();
        }
        assert!(guesses.0.lock().len() <= MOST);
    }
}
