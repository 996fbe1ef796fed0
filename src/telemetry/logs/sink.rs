//! Where log lines go: gathered for some milliseconds, then written in one go by a thread of its own.
//!
//! A write for each request costs as much as most duties of the door together, and all workers queue for it. Whoever writes faster
//! than the lines can be taken away waits, as he would without this.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// So long lines are gathered: a `kill -9` can lose no more of the log.
const GATHER: Duration = Duration::from_millis(5);
/// So many bytes may wait.
const MOST: usize = 1024 * 1024;

/// A handle; cheap to clone.
#[derive(Clone)]
pub struct Sink(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    /// Tells the writer that there is something, and who waits for room that there is.
    changed: Condvar,
    /// Held while lines are written, so that they stay in their order.
    out: Mutex<Box<dyn Write + Send>>,
}

impl Sink {
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Shared { waiting: Mutex::default(), changed: Condvar::new(), out: Mutex::new(Box::new(out)) };
        let sink = Self(Arc::new(shared));
        let shared = sink.0.clone();
        thread::Builder::new().name("log".into()).spawn(move || {
            loop {
                drop(shared.wait_while(Vec::is_empty));
                thread::sleep(GATHER);
                shared.write_out();
            }
        })?;
        Ok(sink)
    }

    /// Writes what waits, now.
    pub fn write_out(&self) {
        self.0.write_out();
    }
}

/// Takes a line.
impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.wait_while(|waiting| waiting.len() > MOST);
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

impl Shared {
    fn wait_while(&self, what: impl Fn(&Vec<u8>) -> bool) -> MutexGuard<'_, Vec<u8>> {
        self.changed.wait_while(self.lock(), |waiting| what(waiting)).unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_out(&self) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut *self.lock());
        if lines.len() > MOST {
            self.changed.notify_all();
        }
        // A log that cannot be written is nothing to stop for, and there is nowhere to say so.
        let _ = out.write_all(&lines).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Hands on each write, and takes the next one only when that was received.
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
    fn every_line_is_written_once_and_in_order_however_slowly_they_are_taken() {
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
            assert!(lines.len() <= MOST + 2 * whole, "no more than there is room for");
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
