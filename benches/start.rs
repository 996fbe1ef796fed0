//! Measures the time from the command to the first page and the memory at that moment, with a
//! growing number of orders on disk.
//!
//! `cargo bench --bench start -- --size 0 --size 5000`

mod kit;

use kit::{Args, Table, Trade, disk, median, resident, spread};
use std::time::Instant;

const SIZES: [usize; 3] = [0, 10_000, 100_000];
const CLIENTS: usize = 32;

fn main() {
    let args = Args::read();
    let sizes = if args.size.is_empty() { SIZES.to_vec() } else { args.size };
    let mut trade = Trade::open();
    let operator = trade.shop.operator();
    for _ in 0..900 {
        operator.stock_up(100, 10);
    }
    let mut table = Table::new(["orders on disk", "MB on disk", "ms to the first page", "spread", "MB of memory then"]);
    let mut placed = 0;
    for size in sizes {
        if size > placed {
            trade.orders(CLIENTS, size - placed);
        }
        placed = size.max(placed);
        let (mut took, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            assert_eq!(trade.shop.stop(), Some(0));
            let begun = Instant::now();
            trade.shop.start();
            trade.shop.anonymous().get("/").ok();
            took.push(begun.elapsed().as_secs_f64() * 1e3);
            memory.push(resident(trade.shop.process()) as f64 / 1e6);
        }
        table.row([
            placed.to_string(),
            format!("{:.0}", disk(&trade.shop.folder()) as f64 / 1e6),
            format!("{:.0}", median(&took)),
            spread(&took),
            format!("{:.0}", median(&memory)),
        ]);
    }
    table.print();
}
