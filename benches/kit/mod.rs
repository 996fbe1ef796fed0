//! What the benches are made of: contenders that are measured in turn (A B A B …), and a table of their medians.
//!
//! Nothing here says what is fast enough on some machine: what counts are ratios of figures that were measured side by side in one run.

#![allow(dead_code, unused_imports)] // Each bench is a program of its own, and uses a part.

mod counters;
mod figures;
/// The shop as the tests start it and speak with it.
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
    /// How often each contender is measured
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// For how long each time
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// How many of what the bench is about: orders, products
    #[arg(long)]
    pub size: Vec<usize>,
    /// How many ask at the same time, where that is another than the bench's own
    #[arg(long)]
    pub clients: Vec<usize>,
    /// Said by cargo
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
