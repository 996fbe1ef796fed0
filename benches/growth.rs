//! Measures whether a shop with many orders is as fast as a shop with few orders: orders a second
//! and bytes on disk at growing sizes. A young shop on the same machine runs in turns with it.
//!
//! `cargo bench --bench growth -- --size 2000 --size 10000`

mod kit;

use kit::{Args, Seen, Table, Trade, cpu_time, disk, median, micros, ratio, resident, spread};
use std::time::Duration;

/// Orders in the shop. The first number is also the size of the young shop.
const SIZES: [usize; 3] = [10_000, 50_000, 200_000];
const CLIENTS: usize = 32;

/// A shop, and the results of its rounds.
struct Subject {
    trade: Trade,
    placed: usize,
    seen: Vec<Seen>,
    cpu: Vec<f64>,
}

impl Subject {
    fn open() -> Self {
        Self { trade: Trade::open(), placed: 0, seen: Vec::new(), cpu: Vec::new() }
    }

    fn grow(&mut self, size: usize) {
        self.trade.orders(CLIENTS, size.saturating_sub(self.placed));
        self.placed = self.placed.max(size);
        (self.seen, self.cpu) = (Vec::new(), Vec::new());
    }

    fn round(&mut self, time: Duration) {
        let used = cpu_time(self.trade.shop.process());
        let seen = self.trade.orders_for(CLIENTS, time);
        self.cpu.push(micros(cpu_time(self.trade.shop.process()) - used) / seen.answers as f64);
        self.placed += seen.answers;
        self.seen.push(seen);
    }

    fn each(&self, figure: fn(&Seen) -> f64) -> Vec<f64> {
        self.seen.iter().map(figure).collect()
    }
}

fn main() {
    let args = Args::read();
    let sizes = if args.size.is_empty() { SIZES.to_vec() } else { args.size.clone() };
    let mut old = Subject::open();
    let mut table = Table::new([
        "orders in the shop",
        "orders/s",
        "spread",
        "a young one's",
        "∶ a young one's",
        "p50",
        "p99",
        "CPU an order",
        "CPU ∶ a young one's",
        "MB on disk",
        "bytes an order",
        "MB of memory",
    ]);
    for size in &sizes {
        old.grow(*size);
        let mut young = Subject::open();
        young.grow(sizes[0]);
        for _ in 0..args.rounds {
            old.round(args.time());
            young.round(args.time());
        }
        let (rate, young_rate) = (old.each(|seen| seen.per_second), young.each(|seen| seen.per_second));
        let shop = &old.trade.shop;
        let bytes = disk(&shop.folder()) as f64;
        table.row([
            old.placed.to_string(),
            format!("{:.0}", median(&rate)),
            spread(&rate),
            format!("{:.0}", median(&young_rate)),
            format!("{:.2}", ratio(&rate, &young_rate)),
            format!("{:.1} ms", median(&old.each(|seen| micros(seen.p50) / 1e3))),
            format!("{:.1} ms", median(&old.each(|seen| micros(seen.p99) / 1e3))),
            format!("{:.0} µs", median(&old.cpu)),
            format!("{:.2}", ratio(&old.cpu, &young.cpu)),
            format!("{:.0}", bytes / 1e6),
            format!("{:.0}", bytes / old.placed as f64),
            format!("{:.0}", resident(shop.process()) as f64 / 1e6),
        ]);
    }
    table.print();
    old.trade.shop.operator().audit();
    println!("The books balance.");
}
