//! The one seam to the world: clock, waiting, randomness, ids, and the threads that blocking work runs on.
//!
//! Everything that would make two runs of the same program differ comes from here, so that the whole shop can run
//! on one thread under tokio's paused clock, twice the same for the same seed ([`Env::simulated`]).

mod backoff;

pub use backoff::Backoff;

use crate::types::{Id, Timestamp};
use jiff::SignedDuration;
use parking_lot::Mutex;
use rand::{
    Rng, RngExt, SeedableRng,
    rngs::{StdRng, SysRng},
};
use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A handle to the world; cheap to clone.
#[derive(Clone)]
pub struct Env(Arc<World>);

struct World {
    clock: Clock,
    // A CSPRNG (ChaCha) in both worlds: tokens and keys are drawn from it.
    random: Mutex<StdRng>,
    threads: Threads,
}

enum Clock {
    System,
    /// Starts at the given moment and moves with tokio's clock, which a test may pause and advance.
    Tokio {
        epoch: Timestamp,
        started: tokio::time::Instant,
    },
}

/// Whether services may have threads of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    Many,
    /// Everything on the thread that runs the system: slower, and always in the same order.
    One,
}

impl Env {
    /// The real world.
    pub fn system() -> Self {
        let random = StdRng::try_from_rng(&mut SysRng).expect("the operating system gives random numbers");
        Self(Arc::new(World { clock: Clock::System, random: Mutex::new(random), threads: Threads::Many }))
    }

    /// A world that happens the same way twice for the same seed. To be made inside a tokio runtime.
    pub fn simulated(seed: u64, epoch: Timestamp) -> Self {
        let clock = Clock::Tokio { epoch, started: tokio::time::Instant::now() };
        Self(Arc::new(World { clock, random: Mutex::new(StdRng::seed_from_u64(seed)), threads: Threads::One }))
    }

    /// Now, in whole milliseconds: what is written down reads back as the same instant.
    pub fn now(&self) -> Timestamp {
        let millis = match self.0.clock {
            Clock::System => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                since.as_millis() as i64
            }
            Clock::Tokio { epoch, started } => epoch.as_millisecond() + started.elapsed().as_millis() as i64,
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Waits so long, to within tenths of a millisecond, and never shorter; in a simulated world, as tokio's clock goes. For spans that
    /// would be another in whole milliseconds, to which tokio's timer rounds them up.
    pub async fn sleep(&self, span: Duration) {
        if span.is_zero() {
            return;
        }
        match self.0.clock {
            Clock::System => futures_timer::Delay::new(span).await,
            Clock::Tokio { .. } => tokio::time::sleep(span).await,
        }
    }

    /// A new id that sorts after those made in earlier milliseconds (UUIDv7, RFC 9562).
    pub fn id<I: Id>(&self) -> I {
        let millis = self.now().as_millisecond().max(0) as u64;
        I::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid())
    }

    /// Bytes that nobody can guess.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    /// A number of the range, each as likely as the others.
    pub fn below(&self, range: Range<u64>) -> u64 {
        self.random(|rng| rng.random_range(range))
    }

    /// A span between zero and `most`: full jitter for whoever is about to try again.
    pub fn jitter(&self, most: Duration) -> Duration {
        Duration::from_micros(self.below(0..(most.as_micros() as u64).saturating_add(1)))
    }

    pub fn threads(&self) -> Threads {
        self.0.threads
    }

    /// Runs work that blocks or computes for long where it holds up nobody; on the spot where there is one thread.
    /// `None` where the work panicked.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.0.threads {
            Threads::Many => tokio::task::spawn_blocking(work).await.ok(),
            Threads::One => Some(work()),
        }
    }

    fn random<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.random.lock())
    }
}

/// `at` moved by a span of time, held at the ends of what a timestamp can say.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// `at` moved back by a span of time, held at the ends of what a timestamp can say.
pub fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// The time from `earlier` to `at`; zero where it is the later one.
pub fn since(at: Timestamp, earlier: Timestamp) -> Duration {
    at.duration_since(earlier).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::OrderId;

    #[tokio::test(start_paused = true)]
    async fn two_worlds_of_one_seed_are_the_same() {
        let (a, b) = (Env::simulated(7, Timestamp::UNIX_EPOCH), Env::simulated(7, Timestamp::UNIX_EPOCH));
        assert_eq!(a.id::<OrderId>(), b.id::<OrderId>());
        assert_eq!(a.below(0..1000), b.below(0..1000));
        assert_ne!(Env::simulated(8, Timestamp::UNIX_EPOCH).bytes::<16>(), a.bytes::<16>());
    }

    #[tokio::test(start_paused = true)]
    async fn simulated_time_moves_with_the_paused_clock() {
        let env = Env::simulated(7, Timestamp::UNIX_EPOCH);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(env.now(), later(Timestamp::UNIX_EPOCH, Duration::from_secs(90)));
        assert_eq!(since(env.now(), Timestamp::UNIX_EPOCH), Duration::from_secs(90));
        assert_eq!(since(Timestamp::UNIX_EPOCH, env.now()), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_simulated_wait_takes_simulated_time() {
        let env = Env::simulated(7, Timestamp::UNIX_EPOCH);
        env.sleep(Duration::from_secs(3600)).await;
        assert_eq!(env.now(), later(Timestamp::UNIX_EPOCH, Duration::from_secs(3600)));
    }

    #[tokio::test]
    async fn a_real_wait_is_never_cut_short() {
        let env = Env::system();
        for span in [Duration::ZERO, Duration::from_micros(1), Duration::from_micros(500), Duration::from_millis(3)] {
            for _ in 0..20 {
                let begun = std::time::Instant::now();
                env.sleep(span).await;
                assert!(begun.elapsed() >= span, "{:?} of {span:?}", begun.elapsed());
            }
        }
    }

    #[test]
    fn ids_sort_by_the_millisecond_in_which_they_were_made() {
        let env = Env::system();
        let first = env.id::<OrderId>();
        std::thread::sleep(Duration::from_millis(2));
        assert!(first < env.id::<OrderId>());
    }
}
