//! Whole orders: over HTTP, through the saga of all services, and on disk before they are answered; beside them, where PostgreSQL is
//! installed, one transaction of five writes by `pgbench` on the same machine.

mod kit;

use kit::{Args, Postgres, Seen, Table, Trade, counter, cpu_time, disk, median, micros, ratio, spread};

const CLIENTS: [usize; 4] = [1, 8, 32, 128];

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
            theirs.extend(postgres.as_ref().map(|it| it.transactions_per_second(clients, args.time())));
        }
        let of = |figure: fn(&Seen) -> f64| ours.iter().map(figure).collect::<Vec<_>>();
        let rate = of(|seen| seen.per_second);
        let (their_rate, times) = match theirs.is_empty() {
            true => ("not installed".to_owned(), String::new()),
            false => (format!("{:.0}", median(&theirs)), format!("{:.2}", ratio(&rate, &theirs))),
        };
        table.row([
            clients.to_string(),
            format!("{:.0}", median(&rate)),
            spread(&rate),
            format!("{:.1} ms", median(&of(|seen| micros(seen.p50) / 1e3))),
            format!("{:.1} ms", median(&of(|seen| micros(seen.p99) / 1e3))),
            format!("{:.0} µs", median(&cpu)),
            format!("{:.2}", median(&flushes)),
            format!("{:.0}", median(&bytes)),
            their_rate,
            times,
        ]);
    }
    table.print();
    shop.operator().audit();
    println!("The books balance.");
}
