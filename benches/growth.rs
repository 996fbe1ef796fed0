//! Whether a shop with many orders is as fast as one with few: orders a second and bytes on disk as they become more.
//! `cargo bench --bench growth -- --size 2000 --size 10000`

mod kit;

use kit::{Args, Seen, Table, Trade, cpu_time, disk, median, micros, resident, spread};

const SIZES: [usize; 3] = [10_000, 50_000, 200_000];
const CLIENTS: usize = 32;
/// Of the orders up to a size, the last fifth is measured, in so many parts: their median is told.
const PARTS: usize = 5;
const MEASURED: usize = 5 * PARTS;

fn main() {
    let args = Args::read();
    let sizes = if args.size.is_empty() { SIZES.to_vec() } else { args.size };
    let trade = Trade::open();
    let shop = &trade.shop;
    let mut table = Table::new([
        "orders in the shop",
        "orders/s",
        "spread",
        "of the first",
        "p50",
        "p99",
        "CPU an order",
        "MB on disk",
        "bytes an order",
        "MB of memory",
    ]);
    let (mut placed, mut first) = (0, None);
    for size in sizes {
        let part = size / MEASURED;
        trade.orders(CLIENTS, (size - part * PARTS).saturating_sub(placed));
        let used = cpu_time(shop.process());
        let seen: Vec<_> = (0..PARTS).map(|_| trade.orders(CLIENTS, part)).collect();
        let cpu = micros(cpu_time(shop.process()) - used) / (part * PARTS) as f64;
        placed = size;
        let each = |figure: fn(&Seen) -> f64| seen.iter().map(figure).collect::<Vec<_>>();
        let rate = each(|seen| seen.per_second);
        let (bytes, first) = (disk(&shop.folder()) as f64, *first.get_or_insert(median(&rate)));
        table.row([
            size.to_string(),
            format!("{:.0}", median(&rate)),
            spread(&rate),
            format!("{:.2}", median(&rate) / first),
            format!("{:.1} ms", median(&each(|seen| micros(seen.p50) / 1e3))),
            format!("{:.1} ms", median(&each(|seen| micros(seen.p99) / 1e3))),
            format!("{cpu:.0} µs"),
            format!("{:.0}", bytes / 1e6),
            format!("{:.0}", bytes / size as f64),
            format!("{:.0}", resident(shop.process()) as f64 / 1e6),
        ]);
    }
    table.print();
    shop.operator().audit();
    println!("The books balance.");
}
