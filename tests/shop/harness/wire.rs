//! Bytes on the wire, for requests that no decent client sends.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// A connection on which anything can be said.
pub struct Wire {
    stream: TcpStream,
    address: SocketAddr,
}

/// What came back until the shop closed the connection; nothing where it just closed it.
#[derive(Debug)]
pub struct Raw {
    pub status: Option<u16>,
    pub text: String,
    pub after: Duration,
}

impl Wire {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10)).expect("the door is open");
        stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a time-out");
        Self { stream, address }
    }

    /// Says it; a shop that has heard enough may have hung up.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// A request line and the headers that any request has.
    pub fn head(&mut self, line: &str, headers: &str) -> &mut Self {
        let host = self.address;
        self.say(format!("{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n"))
    }

    /// Reads until the shop hangs up.
    #[track_caller]
    pub fn listen(&mut self) -> Raw {
        let begun = Instant::now();
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the shop neither answers nor hangs up")
            }
            _ => {}
        }
        let _ = self.stream.shutdown(Shutdown::Both);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        Raw { status, text, after: begun.elapsed() }
    }
}
