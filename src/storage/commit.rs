//! Group commit: one thread flushes for everybody who waits, so that throughput grows with concurrency.
//!
//! One flusher beat two, four and eight: while it flushes, the next group gathers.

use super::StorageError;
use crate::env::Threads;
use std::sync::mpsc;
use tokio::sync::oneshot;

type Waiter = oneshot::Sender<Result<(), StorageError>>;

#[derive(Clone)]
pub(super) enum Committer {
    /// To the flusher thread, which ends when the last sender is gone.
    Group(mpsc::Sender<Waiter>),
    /// On the spot: for a world with one thread.
    Alone(sled::Db),
}

impl Committer {
    pub fn start(db: sled::Db, threads: Threads) -> Self {
        if threads == Threads::One {
            return Self::Alone(db);
        }
        let (send, receive) = mpsc::channel::<Waiter>();
        std::thread::Builder::new()
            .name("group-commit".into())
            .spawn(move || {
                while let Ok(first) = receive.recv() {
                    let group: Vec<Waiter> = std::iter::once(first).chain(receive.try_iter()).collect();
                    let flushed = db.flush().map(|_| ()).map_err(StorageError::from);
                    for waiter in group {
                        // A caller that timed out no longer listens; its write is on disk all the same.
                        let _ = waiter.send(flushed.clone());
                    }
                }
            })
            .expect("a thread can be started");
        Self::Group(send)
    }

    pub async fn commit(&self) -> Result<(), StorageError> {
        match self {
            Self::Alone(db) => Ok(db.flush().map(|_| ())?),
            Self::Group(flusher) => {
                let (done, wait) = oneshot::channel();
                let stopped = || StorageError::Disk("the flusher has stopped".into());
                flusher.send(done).map_err(|_| stopped())?;
                wait.await.map_err(|_| stopped())?
            }
        }
    }
}
