//! A collector of spans. It parses protobuf by the field numbers of the published `trace.proto`,
//! and shares no code with the exporter.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// Accepts requests to `/v1/traces` and keeps them.
pub struct Collector {
    port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// The head and the body of a request.
type Taken = (String, Vec<u8>);

#[derive(Debug, Default)]
pub struct Exported {
    pub trace: String,
    pub span: String,
    pub parent: String,
    pub name: String,
    pub kind: u64,
    pub start: u64,
    pub end: u64,
    pub attributes: HashMap<String, String>,
    /// The ids of the linked traces.
    pub links: Vec<String>,
}

impl Collector {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let taken: Arc<Mutex<Vec<Taken>>> = Arc::default();
        let all = taken.clone();
        // The thread ends with the process; no caller joins it.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = all.clone();
                std::thread::spawn(move || take(stream, &all));
            }
        });
        Self { port, taken }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn heads(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|(head, _)| head.clone()).collect()
    }

    /// All text of the received requests.
    pub fn text(&self) -> String {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|(head, body)| head.clone() + &*String::from_utf8_lossy(body)).collect()
    }

    /// The attributes of the resources: `ExportTraceServiceRequest.resource_spans = 1`,
    /// `ResourceSpans.resource = 1`.
    pub fn resources(&self) -> Vec<HashMap<String, String>> {
        let resources = self.resource_spans().into_iter().flat_map(|each| messages(&each, 1));
        resources.map(|resource| attributes(&resource, 1)).collect()
    }

    /// `ResourceSpans.scope_spans = 2`, `ScopeSpans.spans = 2`.
    pub fn spans(&self) -> Vec<Exported> {
        let scopes = self.resource_spans().into_iter().flat_map(|each| messages(&each, 2));
        scopes.flat_map(|scope| messages(&scope, 2)).map(|span| exported(&span)).collect()
    }

    fn resource_spans(&self) -> Vec<Vec<u8>> {
        self.taken.lock().unwrap().iter().flat_map(|(_, body)| messages(body, 1)).collect()
    }
}

fn take(stream: TcpStream, all: &Mutex<Vec<Taken>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_ascii_lowercase().replacen("post ", "POST ", 1);
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        all.lock().unwrap().push((head, body));
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if reader.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

fn exported(span: &[u8]) -> Exported {
    let mut read = Exported { attributes: attributes(span, 9), ..Exported::default() };
    for (number, value) in fields(span) {
        match (number, value) {
            (1, Field::Bytes(id)) => read.trace = hex(id),
            (2, Field::Bytes(id)) => read.span = hex(id),
            (4, Field::Bytes(id)) => read.parent = hex(id),
            (5, Field::Bytes(name)) => read.name = String::from_utf8_lossy(name).into_owned(),
            (6, Field::Number(kind)) => read.kind = kind,
            (7, Field::Number(nanos)) => read.start = nanos,
            (8, Field::Number(nanos)) => read.end = nanos,
            (13, Field::Bytes(link)) => {
                read.links.extend(messages(link, 1).iter().map(|trace| hex(trace)));
            }
            _ => {}
        }
    }
    read
}

/// `KeyValue { key = 1, value = 2 }`, `AnyValue { string = 1, bool = 2, int = 3 }`.
fn attributes(message: &[u8], number: u64) -> HashMap<String, String> {
    let pairs = messages(message, number).into_iter().map(|pair| {
        let key = messages(&pair, 1).concat();
        let value = messages(&pair, 2).concat();
        let text = fields(&value).into_iter().next().map(|(_, value)| match value {
            Field::Bytes(text) => String::from_utf8_lossy(text).into_owned(),
            Field::Number(number) => number.to_string(),
        });
        (String::from_utf8_lossy(&key).into_owned(), text.unwrap_or_default())
    });
    pairs.collect()
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// All length-delimited fields with that number.
fn messages(message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let found = fields(message).into_iter().filter_map(|(number, value)| match value {
        Field::Bytes(bytes) if number == wanted => Some(bytes.to_vec()),
        _ => None,
    });
    found.collect()
}

/// The wire format of protobuf: a key of number and type, then a varint (0), eight bytes (1), a
/// length and so many bytes (2), or four bytes (5).
fn fields(mut rest: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let value = match key & 7 {
            0 => Field::Number(varint(&mut rest)),
            1 => Field::Number(u64::from_le_bytes(cut(&mut rest, 8).try_into().expect("eight bytes"))),
            2 => {
                let length = varint(&mut rest) as usize;
                Field::Bytes(cut(&mut rest, length))
            }
            5 => Field::Number(u32::from_le_bytes(cut(&mut rest, 4).try_into().expect("four bytes")).into()),
            other => panic!("there is no wire type {other}"),
        };
        found.push((key >> 3, value));
    }
    found
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = cut(rest, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes")
}

fn cut<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (cut, left) = rest.split_at(length);
    *rest = left;
    cut
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
