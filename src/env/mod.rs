//! The one seam to the outside world: clock, waiting, randomness, ids, and threads for blocking
//! work.
//!
//! Everything that could make two runs of the program differ comes from here. The whole shop can
//! therefore run on one thread under tokio's paused clock, and does the same for the same seed
//! ([`Env::simulated`]).
//!
//! # Decisions
//!
//! **One seam, and two worlds behind it.** Context: crashes, lost messages and races must be tested
//! in days of simulated time, and a failed run must be repeatable. Decision: only this room asks
//! the clock, draws random numbers and starts blocking work; [`Env`] hides whether the world is
//! real or simulated; a test of the boundaries refuses other uses. Consequence: `tests/simulation`
//! replays a run from its seed; code that needs the time takes an [`Env`].
//!
//! **A cryptographic generator for everything.** Context: tokens, keys and ids must not be
//! guessable, and jitter must be repeatable in a simulation. Decision: one ChaCha generator, seeded
//! by the operating system or by the simulation's seed. Consequence: one lock for all random
//! numbers, which is held for less than a microsecond.

mod backoff;
mod time;
mod world;

pub use backoff::Backoff;
pub use time::{earlier, later, since};
pub use world::{Env, Threads};
