//! Raw bytes on a TCP connection, for requests that no regular client sends.

use super::PATIENCE;
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

/// A connection that sends any bytes.
pub struct RawConnection {
    stream: TcpStream,
    address: SocketAddr,
}

/// The bytes received until the shop closed the connection. The status is `None` where no answer
/// came.
#[derive(Debug)]
pub struct Raw {
    pub status: Option<u16>,
    pub text: String,
}

impl RawConnection {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the gateway accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { stream, address }
    }

    /// Sends the bytes. An error is ignored: the shop may have closed the connection already.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Sends one piece after another until the shop closes the connection. Gives the number of
    /// pieces that were sent before; `None` where the shop took all of them.
    pub fn pour(&mut self, pieces: impl IntoIterator<Item = String>) -> Option<usize> {
        pieces.into_iter().position(|piece| self.stream.write_all(piece.as_bytes()).is_err())
    }

    /// Whether the shop has answered, or closed the connection. It reads nothing.
    pub fn is_answered(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let seen = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        !seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends a request line and the usual headers.
    pub fn head(&mut self, line: &str, headers: &str) -> &mut Self {
        let host = self.address;
        self.say(format!("{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n"))
    }

    /// Reads until the shop closes the connection.
    #[track_caller]
    pub fn listen(&mut self) -> Raw {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("the shop neither answers nor hangs up")
            }
            _ => {}
        }
        let _ = self.stream.shutdown(Shutdown::Both);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        Raw { status, text }
    }
}
