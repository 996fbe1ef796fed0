//! The buffer of the log: lines are gathered for some milliseconds, then written in one write by a
//! thread of its own.
//!
//! A write for each request would cost as much as most filters of the gateway together, and all
//! workers would wait for each other. A thread that logs faster than lines can be written waits, as
//! it would without the buffer.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::Duration,
};

/// How long lines are gathered. A `kill -9` loses at most the lines of this time.
const GATHER_FOR: Duration = Duration::from_millis(5);
/// The bytes that may wait to be written.
const MOST_BYTES: usize = 1024 * 1024;

/// A handle on the buffer; cheap to clone.
#[derive(Clone)]
pub struct Sink(Arc<SinkInner>);

struct SinkInner {
    waiting: Mutex<Vec<u8>>,
    /// Wakes the writing thread when there are lines, and threads that wait for room.
    changed: Condvar,
    /// Held while lines are written, so that they stay in their order.
    out: Mutex<Box<dyn Write + Send>>,
}

impl Sink {
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let inner = SinkInner { waiting: Mutex::default(), changed: Condvar::new(), out: Mutex::new(Box::new(out)) };
        let sink = Self(Arc::new(inner));
        let inner = sink.0.clone();
        thread::Builder::new().name("log".into()).spawn(move || {
            loop {
                drop(inner.wait_while(Vec::is_empty));
                thread::sleep(GATHER_FOR);
                inner.write_out();
            }
        })?;
        Ok(sink)
    }

    /// Writes the waiting lines now.
    pub fn write_out(&self) {
        self.0.write_out();
    }
}

/// Each write takes one line.
impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.wait_while(|waiting| waiting.len() > MOST_BYTES);
        if waiting.is_empty() {
            self.0.changed.notify_all();
        }
        waiting.extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkInner {
    fn wait_while(&self, condition: impl Fn(&Vec<u8>) -> bool) -> MutexGuard<'_, Vec<u8>> {
        let mut waiting = self.waiting.lock();
        self.changed.wait_while(&mut waiting, |waiting| condition(waiting));
        waiting
    }

    fn write_out(&self) {
        let mut out = self.out.lock();
        let lines = std::mem::take(&mut *self.waiting.lock());
        if lines.len() > MOST_BYTES {
            self.changed.notify_all();
        }
        // A log that cannot be written must not stop the program, and there is no place to report
        // it.
        let _ = out.write_all(&lines).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Passes each write on, and takes the next one only when that was received.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_once_and_in_order_to_a_slow_writer() {
        let (send, written) = mpsc::sync_channel(0);
        let mut sink = Sink::to(Slow(send)).unwrap();
        let writer = thread::spawn(move || {
            for number in 0..100_000 {
                writeln!(sink, "this is the line with the number {number}").unwrap();
            }
            sink.write_out();
        });
        let (mut all, mut writes, whole) = (Vec::new(), 0, "this is the line with the number ".len());
        while all.iter().filter(|byte| **byte == b'\n').count() < 100_000 {
            let lines = written.recv_timeout(Duration::from_secs(30)).expect("more lines");
            assert!(lines.len() <= MOST_BYTES + 2 * whole, "no more than MOST_BYTES and two lines");
            (writes, all) = (writes + 1, [all, lines].concat());
        }
        drop(written);
        writer.join().unwrap();
        let expected: String =
            (0..100_000).map(|number| format!("this is the line with the number {number}\n")).collect();
        assert_eq!(String::from_utf8(all).unwrap(), expected);
        assert!(writes < 10_000, "{writes} writes");
    }
}
