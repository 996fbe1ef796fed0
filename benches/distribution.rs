//! Measures the price of a network between the services. The same checkout runs with messages as
//! they are, with messages as bytes, and with messages as bytes that take time. A hop is one
//! message one way.
//!
//! All rounds use one shop. An operator changes its links between the rounds. A call may take
//! seconds, so no call may time out.

mod kit;

use kit::{Args, Seen, Table, Trade, counter, cpu_time, harness::within, median, micros, ratio, spread};
use serde_json::{Value, json};
use std::time::Duration;

const CLIENTS: [usize; 2] = [1, 8];
/// How many orders are placed to count their messages.
const COUNTED: usize = 100;

/// The links between the services: in one process, in processes of one machine, and far apart.
fn contenders() -> [Contender; 4] {
    let bytes_in = |latency_ms: f64| json!({"serialised": true, "latency_ms": latency_ms});
    [
        Contender { name: "as it is", link: None, hop: 0.0 },
        Contender { name: "as bytes", link: Some(bytes_in(0.0)), hop: 0.0 },
        Contender { name: "as bytes, 0.5 ms a hop", link: Some(bytes_in(0.5)), hop: 0.5 },
        Contender { name: "as bytes, 2 ms a hop", link: Some(bytes_in(2.0)), hop: 2.0 },
    ]
}

struct Contender {
    name: &'static str,
    /// The faults of every link; `None` for links without faults.
    link: Option<Value>,
    /// The latency of one hop in milliseconds.
    hop: f64,
}

impl Contender {
    fn prepare(&self, trade: &Trade) {
        // The operator signs in for each round, because a long bench outlives an access token.
        let operator = trade.shop.operator();
        match &self.link {
            Some(link) => operator.set_link("any.any", link).no_content(),
            None => operator.clear_link("any.any").no_content(),
        };
    }

    /// Gives the round and the CPU time of one order in microseconds. The CPU time includes the
    /// events of the order, which are delivered after its response.
    fn measure(&self, trade: &Trade, clients: usize, args: &Args) -> (Seen, f64) {
        self.prepare(trade);
        let before = cpu_time(trade.shop.process());
        let seen = trade.orders_for(clients, args.time());
        at_rest(trade);
        let used = cpu_time(trade.shop.process()) - before;
        let answers = seen.answers as f64;
        (seen, micros(used) / answers)
    }
}

fn main() {
    let args = Args::read();
    let trade = Trade::open();
    let contenders = contenders();
    let messages = messages_of_an_order(&trade);
    let mut table = Table::new([
        "clients",
        "messages",
        "orders/s",
        "spread",
        "∶ as it is",
        "p50",
        "p50 ∶ as it is",
        "p99",
        "CPU an order",
        "CPU ∶ as it is",
    ]);
    let mut in_a_row = None;
    let clients = if args.clients.is_empty() { CLIENTS.to_vec() } else { args.clients.clone() };
    for clients in clients {
        let mut rounds: Vec<Vec<(Seen, f64)>> = contenders.iter().map(|_| Vec::new()).collect();
        for _ in 0..args.rounds {
            for (contender, seen) in contenders.iter().zip(&mut rounds) {
                seen.push(contender.measure(&trade, clients, &args));
            }
        }
        let figures = |at: usize, of: fn(&(Seen, f64)) -> f64| rounds[at].iter().map(of).collect::<Vec<_>>();
        let (rate, p50, p99, cpu) = (
            |(seen, _): &(Seen, f64)| seen.per_second,
            |(seen, _): &(Seen, f64)| micros(seen.p50) / 1e3,
            |(seen, _): &(Seen, f64)| micros(seen.p99) / 1e3,
            |(_, cpu): &(Seen, f64)| *cpu,
        );
        for (at, contender) in contenders.iter().enumerate() {
            table.row([
                clients.to_string(),
                contender.name.to_owned(),
                format!("{:.0}", median(&figures(at, rate))),
                spread(&figures(at, rate)),
                format!("{:.2}", ratio(&figures(at, rate), &figures(0, rate))),
                format!("{:.1} ms", median(&figures(at, p50))),
                format!("{:.1}", ratio(&figures(at, p50), &figures(0, p50))),
                format!("{:.1} ms", median(&figures(at, p99))),
                format!("{:.0} µs", median(&figures(at, cpu))),
                format!("{:.2}", ratio(&figures(at, cpu), &figures(0, cpu))),
            ]);
        }
        if clients == 1 {
            let (near, far) = (median(&figures(2, p50)), median(&figures(3, p50)));
            in_a_row = Some((far - near) / (contenders[3].hop - contenders[2].hop));
        }
    }
    table.print();
    println!(
        "Published (Service Weaver, HotOS '23, Table 2), another shop: in one process 9 cores and a median latency of 0.38 ms, as \
         services 78 cores and 5.47 ms."
    );
    println!("A checkout sends {messages:.1} messages: two a call, two a delivered event.");
    if let Some(in_a_row) = in_a_row {
        println!("{in_a_row:.0} of them come one after the other before it is answered.");
    }
    contenders[0].prepare(&trade);
    trade.shop.operator().audit();
    println!("The books balance.");
}

/// Messages of one order: two for each call (request and reply), and two for each delivered event
/// (delivery and acknowledgement). Events that follow from the order's events count, too.
fn messages_of_an_order(trade: &Trade) -> f64 {
    let sent = || {
        at_rest(trade);
        2.0 * (counter(&trade.shop, "galleria_mesh_calls_total")
            + counter(&trade.shop, "galleria_event_deliveries_total"))
    };
    // The first orders are not counted: they make calls that later orders save, by caches.
    trade.orders(1, COUNTED);
    let before = sent();
    trade.orders(1, COUNTED);
    (sent() - before) / COUNTED as f64
}

/// Waits until every event is delivered, so that the next round starts without work of this one.
fn at_rest(trade: &Trade) {
    within(Duration::from_secs(60), "every event is delivered", || {
        (counter(&trade.shop, "galleria_outbox_records") == 0.0).then_some(())
    });
}
