//! Login throttling: after a few wrong passwords, each further attempt must wait twice as long.
//!
//! Attempts are counted per account and [`AttemptSource`], never per client address: an attacker
//! with a thousand addresses guesses no faster than with one. The owner of an account has counts of
//! their own (a known network, a session), so that an attacker cannot lock the owner out
//! (OWASP ASVS 5.0 §6.3.1; OWASP Authentication Cheat Sheet, "Account Lockout"). An e-mail address
//! without an account is counted in the same way, so that the answer does not tell whether there is
//! one.
//!
//! Counts are kept in memory only. A restart forgets them, which gains an attacker a few attempts.

use crate::{
    env::{Backoff, later, since},
    types::{Email, SessionId, Timestamp},
};
use moka::{
    ops::compute::Op,
    policy::EvictionPolicy,
    sync::{Cache, CacheBuilder},
};
use std::{net::IpAddr, time::Duration};

/// Attempts in a row without a wait. A person mistypes less often, and signs in on fewer devices at
/// once.
const FREE_ATTEMPTS: u32 = 10;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), LONGEST_WAIT);
/// A count is forgotten this long after its wait has ended.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Keys in each of the two caches; together they take about 15 MB.
const MOST_KEYS: u64 = 25_000;

/// Counts wrong passwords; cheap to clone, one for all instances.
///
/// The times of the policy come from the caller (the environment's clock). The caches only bound
/// the memory: when full they evict the key that was used least recently, and they drop a count
/// when the policy has forgotten it anyway. A key lives in one of two caches, so that a flood of
/// first attempts on many accounts evicts no key that has to wait.
#[derive(Clone)]
pub struct LoginThrottle {
    /// Keys that have free attempts left.
    free: Cache<ThrottleKey, Attempts>,
    /// Keys that must wait, or had to. It takes more than ten password checks to get a key in here.
    slowed: Cache<ThrottleKey, Attempts>,
}

/// What is counted: attempts at one account's password from one source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ThrottleKey {
    pub account: Email,
    pub source: AttemptSource,
}

/// How much is known about the client that tries a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptSource {
    /// Nothing. All these clients share one count per account.
    Unknown,
    /// It comes from a network from which the account was signed in to before.
    KnownNetwork(IpAddr),
    /// It is signed in, and shows the current password in order to change it.
    Session(SessionId),
}

/// Attempts in a row of which none was right so far.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Attempts {
    made: u32,
    /// When the next attempt is allowed.
    free_at: Timestamp,
}

impl Default for LoginThrottle {
    fn default() -> Self {
        let cache = || {
            let bounded = CacheBuilder::new(MOST_KEYS).eviction_policy(EvictionPolicy::lru());
            bounded.time_to_live(LONGEST_WAIT.saturating_add(MEMORY)).build()
        };
        Self { free: cache(), slowed: cache() }
    }
}

impl LoginThrottle {
    /// Counts an attempt before its password is checked, so that attempts made at the same moment
    /// are counted, too. `Err` with the time to wait where the attempt is not allowed yet; such an
    /// attempt does not count.
    pub fn admit(&self, key: &ThrottleKey, now: Timestamp) -> Result<(), Duration> {
        // The lock of the key in `slowed` covers both caches.
        let counted = self.slowed.entry_by_ref(key).and_try_compute_with(|slowed| {
            let known = slowed.map(|entry| entry.into_value()).or_else(|| self.free.get(key));
            let known = known.filter(|attempts| !attempts.is_forgotten(now)).unwrap_or(Attempts::none(now));
            let counted = known.one_more(now)?;
            Ok(if counted.wait().is_zero() {
                self.free.insert(key.clone(), counted);
                Op::Remove
            } else {
                self.free.invalidate(key);
                Op::Put(counted)
            })
        });
        counted.map(drop)
    }

    /// The password was right: forgets the count.
    pub fn reset(&self, key: &ThrottleKey) {
        self.free.invalidate(key);
        self.slowed.invalidate(key);
    }

    /// Cancels an attempt whose password was never checked.
    pub fn cancel(&self, key: &ThrottleKey) {
        self.slowed.entry_by_ref(key).and_compute_with(|slowed| match slowed {
            Some(entry) => Op::Put(entry.into_value().one_less()),
            None => {
                if let Some(attempts) = self.free.get(key) {
                    self.free.insert(key.clone(), attempts.one_less());
                }
                Op::Nop
            }
        });
    }
}

impl Attempts {
    const fn none(now: Timestamp) -> Self {
        Self { made: 0, free_at: now }
    }

    fn one_more(self, now: Timestamp) -> Result<Self, Duration> {
        if now < self.free_at {
            return Err(since(self.free_at, now));
        }
        let counted = Self { made: self.made.saturating_add(1), ..self };
        Ok(Self { free_at: later(now, counted.wait()), ..counted })
    }

    fn one_less(self) -> Self {
        Self { made: self.made.saturating_sub(1), ..self }
    }

    /// How long the next attempt must wait: 0, then 1, 2, 4, … and at most 60 s.
    fn wait(&self) -> Duration {
        BACKOFF.longest(self.made.saturating_add(1).saturating_sub(FREE_ATTEMPTS))
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        later(self.free_at, MEMORY) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        later("2026-01-01T00:00:00Z".parse().unwrap(), Duration::from_secs(seconds))
    }

    fn unknown(account: &str) -> ThrottleKey {
        ThrottleKey { account: account.parse().unwrap(), source: AttemptSource::Unknown }
    }

    #[test]
    fn each_wrong_attempt_after_the_first_few_waits_twice_as_long_up_to_a_minute() {
        let (throttle, ada) = (LoginThrottle::default(), unknown("ada@example.com"));
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..FREE_ATTEMPTS + 9 {
            match throttle.admit(&ada, at(now)) {
                Ok(()) => {}
                Err(wait) => {
                    waits.push(wait.as_secs());
                    // An attempt one second too early is refused, and makes the wait no longer.
                    assert!(throttle.admit(&ada, at(now + wait.as_secs() - 1)).is_err());
                    now += wait.as_secs();
                    throttle.admit(&ada, at(now)).unwrap();
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(throttle.admit(&unknown("bob@example.com"), at(now)).is_ok());
    }

    #[test]
    fn strangers_do_not_lock_the_owner_out() {
        let (throttle, ada) = (LoginThrottle::default(), unknown("ada@example.com"));
        while throttle.admit(&ada, at(0)).is_ok() {}
        let home = ThrottleKey { source: AttemptSource::KnownNetwork([192, 0, 2, 1].into()), ..ada.clone() };
        assert!(throttle.admit(&home, at(0)).is_ok());
        throttle.reset(&home);
        assert!(throttle.admit(&ada, at(0)).is_err(), "the owner's success does not free the unknown clients");
    }

    #[test]
    fn a_right_password_or_a_cancelled_attempt_or_an_old_one_does_not_count() {
        let (throttle, ada) = (LoginThrottle::default(), unknown("ada@example.com"));
        for _ in 0..FREE_ATTEMPTS * 3 {
            throttle.admit(&ada, at(0)).unwrap();
            throttle.reset(&ada);
        }
        for _ in 0..FREE_ATTEMPTS - 1 {
            throttle.admit(&ada, at(0)).unwrap();
        }
        throttle.cancel(&ada);
        throttle.admit(&ada, at(0)).unwrap();
        throttle.admit(&ada, at(0)).unwrap();
        assert_eq!(throttle.admit(&ada, at(0)), Err(BACKOFF.longest(1)));
        let much_later = at(2 + MEMORY.as_secs());
        for _ in 0..FREE_ATTEMPTS {
            throttle.admit(&ada, much_later).unwrap();
        }
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_first_attempts_ends_no_wait() {
        let (throttle, ada) = (LoginThrottle::default(), unknown("ada@example.com"));
        while throttle.admit(&ada, at(0)).is_ok() {}
        for n in 0..MOST_KEYS + 10 {
            throttle.admit(&unknown(&format!("u{n}@example.com")), at(0)).unwrap();
        }
        throttle.free.run_pending_tasks();
        throttle.slowed.run_pending_tasks();
        assert!(throttle.free.entry_count() <= MOST_KEYS);
        assert_eq!(throttle.slowed.entry_count(), 1);
        assert_eq!(throttle.admit(&ada, at(0)), Err(BACKOFF.longest(1)));
    }

    #[test]
    fn attempts_at_the_same_moment_are_all_counted() {
        let (throttle, ada) = (LoginThrottle::default(), unknown("ada@example.com"));
        let admitted: usize = std::thread::scope(|scope| {
            let attempts = || (0..10).filter(|_| throttle.admit(&ada, at(0)).is_ok()).count();
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(attempts)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert_eq!(admitted, FREE_ATTEMPTS as usize);
    }
}
