//! The common parts of the benches: contenders are measured in turns (A B A B …), and a table shows
//! their medians.
//!
//! No bench has an absolute goal, because machines differ. Only ratios of figures from one run
//! count.

#![allow(dead_code, unused_imports)] // each bench is a program of its own and uses only a part

mod counters;
mod figures;
/// Starts the shop and sends requests to it; the tests use the same harness.
#[path = "../../tests/shop/harness/mod.rs"]
pub mod harness;
mod load;
mod postgres;
mod process;
mod trade;

pub use counters::counter;
pub use figures::{Table, median, micros, ratio, spread};
pub use load::{Seen, json_request, load, load_while};
pub use postgres::Postgres;
pub use process::{Child, cpu_time, disk, resident};

pub use trade::Trade;

use clap::Parser;
use std::time::Duration;

/// `cargo bench --bench gateway -- --rounds 9 --seconds 5`
#[derive(Parser)]
pub struct Args {
    /// Rounds of each contender
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Seconds of each round
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// Number of orders or products, whichever the bench is about; may be repeated
    #[arg(long)]
    pub size: Vec<usize>,
    /// Clients at the same time [default: those of the bench]; may be repeated
    #[arg(long)]
    pub clients: Vec<usize>,
    /// Cargo passes this flag
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    pub fn read() -> Self {
        Self::parse()
    }

    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
