//! Measures the cost of the gateway: the same JSON from a bare actix-web handler, and from a shop
//! through every filter (cached and uncached, anonymous and signed in).

mod kit;

use actix_web::{App, HttpResponse, HttpServer, web};
use kit::harness::Shop;
use kit::{Args, Child, Seen, Table, cpu_time, load, median, micros, ratio, spread};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::Command,
};

const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// Environment variable that turns this program into the bare handler (the ceiling). Its value is
/// the JSON that the handler sends.
const ANSWER: &str = "CEILING_ANSWER";

fn main() {
    if let Ok(answer) = std::env::var(ANSWER) {
        return ceiling(&serde_json::from_str(&answer).expect("JSON"));
    }
    let args = Args::read();
    let cached = Shop::options().demo().open();
    let uncached = Shop::options().demo().open();
    uncached.operator().change_control("routes", "products.get", &json!({"cache_ttl_ms": 0})).ok();
    let blind = Shop::options().demo().flag("--trace-memory", "0").open();
    blind.operator().change_control("routes", "products.get", &json!({"cache_ttl_ms": 0})).ok();
    for shop in [&cached, &uncached, &blind] {
        // The concurrency limit must not reject requests: this bench measures throughput.
        shop.operator().change_control("limits", "browse", &json!({"answered_within_ms": 60_000})).ok();
    }
    let slug = |shop: &Shop| {
        shop.anonymous().get("/api/v1/products?limit=1").ok().items()[0]["slug"].as_str().expect("a slug").to_owned()
    };
    let product = format!("/api/v1/products/{}", slug(&cached));
    let answer = cached.anonymous().get(&product).ok().body;
    let mut bare =
        Child::spawn(Command::new(std::env::current_exe().expect("this program")).env(ANSWER, answer.to_string()));
    let mut line = String::new();
    BufReader::new(bare.out()).read_line(&mut line).expect("its address");
    let bare_address: SocketAddr = line.trim().parse().expect("an address");

    let token = uncached.shopper().token().to_owned();
    let contenders = [
        Contender {
            name: "bare actix-web handler",
            address: bare_address,
            process: bare.id(),
            path: "/".into(),
            token: None,
        },
        Contender {
            name: "product, cached",
            address: cached.address(),
            process: cached.process(),
            path: product.clone(),
            token: None,
        },
        Contender {
            name: "product, uncached",
            address: uncached.address(),
            process: uncached.process(),
            path: product.clone(),
            token: None,
        },
        Contender {
            name: "product, uncached, no spans kept",
            address: blind.address(),
            process: blind.process(),
            path: product.clone(),
            token: None,
        },
        Contender {
            name: "product, uncached, signed in",
            address: uncached.address(),
            process: uncached.process(),
            path: product,
            token: Some(token),
        },
        Contender {
            name: "storefront, composed",
            address: uncached.address(),
            process: uncached.process(),
            path: "/api/v1/storefront".into(),
            token: None,
        },
    ];
    let mut table = Table::new([
        "connections",
        "what",
        "requests/s",
        "spread",
        "of the ceiling",
        "p50",
        "p99",
        "p99 ∶ ceiling's",
        "CPU a request",
    ]);
    for connections in CONNECTIONS {
        let mut rounds: Vec<Vec<(Seen, f64)>> = contenders.iter().map(|_| Vec::new()).collect();
        for _ in 0..args.rounds {
            for (contender, seen) in contenders.iter().zip(&mut rounds) {
                seen.push(contender.measure(connections, &args));
            }
        }
        let figures = |at: usize, of: fn(&(Seen, f64)) -> f64| rounds[at].iter().map(of).collect::<Vec<_>>();
        let (rate, p50, p99, cpu) = (
            |(seen, _): &(Seen, f64)| seen.per_second,
            |(seen, _): &(Seen, f64)| micros(seen.p50),
            |(seen, _): &(Seen, f64)| micros(seen.p99),
            |(_, cpu): &(Seen, f64)| *cpu,
        );
        for (at, contender) in contenders.iter().enumerate() {
            table.row([
                connections.to_string(),
                contender.name.to_owned(),
                format!("{:.0}", median(&figures(at, rate))),
                spread(&figures(at, rate)),
                format!("{:.2}", ratio(&figures(at, rate), &figures(0, rate))),
                format!("{:.0} µs", median(&figures(at, p50))),
                format!("{:.0} µs", median(&figures(at, p99))),
                format!("{:.2}", ratio(&figures(at, p99), &figures(0, p99))),
                format!("{:.1} µs", median(&figures(at, cpu))),
            ]);
        }
    }
    table.print();
}

struct Contender {
    name: &'static str,
    address: SocketAddr,
    process: u32,
    path: String,
    token: Option<String>,
}

impl Contender {
    /// Gives the round and the CPU time of one request in microseconds, in the server's process.
    fn measure(&self, connections: usize, args: &Args) -> (Seen, f64) {
        let authorization = self.token.as_ref().map(|token| format!("authorization: Bearer {token}\r\n"));
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\n{}\r\n",
            self.path,
            self.address,
            authorization.unwrap_or_default()
        );
        let before = cpu_time(self.process);
        let seen = load(self.address, connections, args.time(), move |_, _| request.clone().into_bytes());
        let used = cpu_time(self.process) - before;
        let answers = seen.answers as f64;
        (seen, micros(used) / answers)
    }
}

/// Serves the bare handler in a process of its own, as the shop has one. Prints the address that
/// it listens on, and serves until the bench ends it.
fn ceiling(answer: &Value) {
    let answer = web::Data::new(answer.clone());
    let workers = std::thread::available_parallelism().map_or(2, Into::into);
    actix_web::rt::System::new()
        .block_on(async move {
            let handler = |answer: web::Data<Value>| async move { HttpResponse::Ok().json(&**answer) };
            let server =
                HttpServer::new(move || App::new().app_data(answer.clone()).route("/", web::get().to(handler)))
                    .workers(workers)
                    .bind("127.0.0.1:0")?;
            println!("{}", server.addrs()[0]);
            server.run().await
        })
        .expect("a server");
}
