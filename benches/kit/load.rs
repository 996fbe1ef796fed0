//! Many HTTP clients on one thread. Each sends its next request as soon as it has the response of
//! the last one (a closed loop). Their CPU cost is the same for all contenders.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};

/// The results of the clients.
pub struct Seen {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    pub answers: usize,
}

/// Keeps `connections` busy for `time`. `request(connection, turn)` gives the bytes of a request. A
/// response without a 2xx status ends the bench.
pub fn load(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    request: impl Fn(usize, usize) -> Vec<u8> + 'static,
) -> Seen {
    let begun = Instant::now();
    load_while(address, connections, move |connection, turn| {
        (begun.elapsed() < time).then(|| request(connection, turn))
    })
}

/// As [`load`], but each connection ends when `request` gives `None`.
pub fn load_while(
    address: SocketAddr,
    connections: usize,
    request: impl Fn(usize, usize) -> Option<Vec<u8>> + 'static,
) -> Seen {
    let request = std::rc::Rc::new(request);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clients = LocalSet::new();
    let begun = Instant::now();
    let running: Vec<_> = (0..connections)
        .map(|connection| {
            let request = request.clone();
            clients.spawn_local(async move {
                let mut client = Client::connect(address).await;
                let (mut took, mut turn) = (Vec::new(), 0);
                while let Some(bytes) = request(connection, turn) {
                    let asked = Instant::now();
                    client.ask(&bytes).await;
                    took.push(asked.elapsed());
                    turn += 1;
                }
                took
            })
        })
        .collect();
    let took = runtime.block_on(clients.run_until(async {
        let mut all = Vec::new();
        for client in running {
            all.extend(client.await.expect("a client that does not panic"));
        }
        all
    }));
    let elapsed = begun.elapsed();
    Seen::of(took.len() as f64 / elapsed.as_secs_f64(), took)
}

impl Seen {
    /// The results, from the rate and the response time of each request.
    pub fn of(per_second: f64, mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        Self { per_second, p50: took[took.len() / 2], p99: took[took.len() * 99 / 100], answers: took.len() }
    }
}

/// HTTP/1.1 on one kept connection. It does as little as possible, because its own cost must not
/// shape the result.
struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a server that listens");
        stream.set_nodelay(true).expect("TCP");
        Self { stream, read: Vec::with_capacity(16 * 1024) }
    }

    async fn ask(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("an open connection");
        self.read.clear();
        loop {
            let read = self.stream.read_buf(&mut self.read).await.expect("an open connection");
            assert!(read > 0, "hung up on {}", String::from_utf8_lossy(request));
            if let Some(head) = memchr::memmem::find(&self.read, b"\r\n\r\n") {
                let (head, body) = self.read.split_at(head + 4);
                assert!(head.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&self.read));
                if body.len() >= length(head) {
                    return;
                }
            }
        }
    }
}

/// The length of the body in bytes, by `Content-Length`.
fn length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("a head in ASCII");
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().expect("a number"))
    });
    length.unwrap_or(0)
}

/// The bytes of a request with a JSON body. `what` is the method and the path, such as
/// `POST /api/v1/orders`. Each of the `headers` ends with CR LF.
pub fn json_request(host: SocketAddr, what: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{what} HTTP/1.1\r\nhost: {host}\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
