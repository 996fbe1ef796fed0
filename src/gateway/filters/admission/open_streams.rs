//! Bounds the streams that are open at one time: a client can keep a stream open without limit.

use crate::{gateway::respond::Problem, types::UserId};
use actix_web::http::StatusCode;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};

/// The streams of one user: more than the orders that one user watches at a time.
const MOST_OF_A_USER: usize = 16;
/// The streams of all users. Each costs a connection, some kilobytes, and a call to orders every
/// few seconds.
const MOST: usize = 1000;
/// `Retry-After` in seconds. A client that has gone is noticed at its second heartbeat that cannot
/// be sent.
const RETRY_AFTER_SECONDS: u64 = 20;

/// The streams that are open. All workers share it.
#[derive(Clone, Default)]
pub struct OpenStreams(Arc<Mutex<StreamCounts>>);

#[derive(Default)]
struct StreamCounts {
    count: usize,
    /// Users with at least one.
    by_user: HashMap<UserId, usize>,
}

/// One open stream, until this is dropped.
pub struct OpenStream {
    streams: OpenStreams,
    user: UserId,
}

impl OpenStreams {
    /// Counts one more stream of `user`. `Err` is 429 `too_many_streams` for a user with too many,
    /// or 503 `overloaded` if there are too many in all.
    pub fn open(&self, user: UserId) -> Result<OpenStream, Problem> {
        let mut open = self.lock();
        if open.by_user.get(&user).is_some_and(|own| *own >= MOST_OF_A_USER) {
            let detail = format!(
                "You are already following {MOST_OF_A_USER} orders, in this window or another. Close one of them."
            );
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
                .with_header("Retry-After", RETRY_AFTER_SECONDS.to_string()));
        }
        if open.count >= MOST {
            let detail = "Too many customers are following orders at the moment. Try again later.";
            return Err(Problem::unavailable("overloaded", detail, RETRY_AFTER_SECONDS));
        }
        open.count += 1;
        *open.by_user.entry(user).or_default() += 1;
        Ok(OpenStream { streams: self.clone(), user })
    }

    fn lock(&self) -> MutexGuard<'_, StreamCounts> {
        self.0.lock()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.count -= 1;
        let left = open.by_user.get_mut(&self.user).map_or(0, |own| {
            *own -= 1;
            *own
        });
        if left == 0 {
            open.by_user.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use uuid::Uuid;

    fn user(n: usize) -> UserId {
        UserId::from_uuid(Uuid::from_u128(n as u128))
    }

    #[test]
    fn the_streams_of_one_user_are_bounded_until_one_is_closed() {
        let streams = OpenStreams::default();
        let mut own: Vec<_> = (0..MOST_OF_A_USER).map(|_| streams.open(user(1)).unwrap()).collect();
        assert_eq!(streams.open(user(1)).err().map(|problem| problem.code()), Some("too_many_streams"));
        assert!(streams.open(user(2)).is_ok(), "another user has a bound of its own");
        own.pop();
        assert!(streams.open(user(1)).is_ok());
        drop(own);
        assert!(streams.lock().by_user.is_empty(), "a user without streams has no entry");
    }

    #[test]
    fn the_streams_of_all_users_are_bounded() {
        let streams = OpenStreams::default();
        let all: Vec<_> = (0..MOST).map(|n| streams.open(user(n / MOST_OF_A_USER)).unwrap()).collect();
        assert_eq!(streams.open(user(MOST)).err().map(|problem| problem.code()), Some("overloaded"));
        drop(all);
        assert_eq!(streams.lock().count, 0);
    }
}
