//! Measures whole orders: over HTTP, through the saga of all services, and on disk before the
//! response. Where PostgreSQL is installed, `pgbench` runs one transaction of five writes on the
//! same machine for comparison.

mod kit;

use kit::{Args, Postgres, Seen, Table, Trade, counter, cpu_time, disk, median, micros, ratio, spread};

const CLIENTS: [usize; 4] = [1, 8, 32, 128];

/// One figure of a round; times are in milliseconds.
type Figure = fn(&Seen) -> f64;
const PER_SECOND: Figure = |seen| seen.per_second;
const P50: Figure = |seen| micros(seen.p50) / 1e3;
const P99: Figure = |seen| micros(seen.p99) / 1e3;

fn main() {
    let args = Args::read();
    let trade = Trade::open();
    let shop = &trade.shop;
    let postgres = Postgres::start();
    let mut table = Table::new([
        "clients",
        "orders/s",
        "spread",
        "p50",
        "p99",
        "CPU an order",
        "flushes an order",
        "bytes an order",
        "PostgreSQL/s",
        "its p50",
        "its p99",
        "∶ PostgreSQL",
    ]);
    let clients = if args.clients.is_empty() { CLIENTS.to_vec() } else { args.clients.clone() };
    for clients in clients {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut bytes, mut cpu, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
        let flushed = || counter(shop, "galleria_commit_flushes_total");
        for _ in 0..args.rounds {
            let (size, used, before) = (disk(&shop.folder()), cpu_time(shop.process()), flushed());
            let seen = trade.orders_for(clients, args.time());
            let answers = seen.answers as f64;
            cpu.push(micros(cpu_time(shop.process()) - used) / answers);
            bytes.push((disk(&shop.folder()) as f64 - size as f64) / answers);
            flushes.push((flushed() - before) / answers);
            ours.push(seen);
            theirs.extend(postgres.as_ref().map(|it| it.transactions_for(clients, args.time())));
        }
        let (rate, their_rate) = (each(&ours, PER_SECOND), each(&theirs, PER_SECOND));
        let is_installed = !theirs.is_empty();
        let told = |figure: String| if is_installed { figure } else { String::new() };
        table.row([
            clients.to_string(),
            format!("{:.0}", median(&rate)),
            spread(&rate),
            format!("{:.1} ms", median(&each(&ours, P50))),
            format!("{:.1} ms", median(&each(&ours, P99))),
            format!("{:.0} µs", median(&cpu)),
            format!("{:.2}", median(&flushes)),
            format!("{:.0}", median(&bytes)),
            told(format!("{:.0}", median(&their_rate))),
            told(format!("{:.1} ms", median(&each(&theirs, P50)))),
            told(format!("{:.1} ms", median(&each(&theirs, P99)))),
            told(format!("{:.2}", ratio(&rate, &their_rate))),
        ]);
    }
    table.print();
    shop.operator().audit();
    println!("The books balance.");
}

fn each(rounds: &[Seen], figure: Figure) -> Vec<f64> {
    rounds.iter().map(figure).collect()
}
