//! Bounds the streams that are open at one time: a client can keep one open as long as it likes.

use crate::{gateway::respond::Problem, types::UserId};
use actix_web::http::StatusCode;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};

/// OpenStreams of one user: more than a user has windows open on orders that are under way.
const MOST_OF_A_USER: usize = 16;
/// OpenStreams of all users. Each is a connection, some kilobytes, and a call to orders every few seconds.
const MOST: usize = 1000;
/// `Retry-After`. A client that is gone is noticed when its second heartbeat cannot be delivered.
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
    pub fn open(&self, user: UserId) -> Result<OpenStream, Problem> {
        let mut open = self.lock();
        if open.by_user.get(&user).is_some_and(|own| *own >= MOST_OF_A_USER) {
            let detail =
                format!("You follow {MOST_OF_A_USER} orders already, in this window or another. Close one of them.");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
                .with_header("Retry-After", RETRY_AFTER_SECONDS.to_string()));
        }
        if open.count >= MOST {
            let detail = "Too many people follow their orders at the moment. Look again in a while.";
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
    fn a_user_has_so_many_streams_and_no_more_until_one_is_closed() {
        let streams = OpenStreams::default();
        let mut own: Vec<_> = (0..MOST_OF_A_USER).map(|_| streams.open(user(1)).unwrap()).collect();
        assert_eq!(streams.open(user(1)).err().map(|problem| problem.code()), Some("too_many_streams"));
        assert!(streams.open(user(2)).is_ok(), "that is nobody else's concern");
        own.pop();
        assert!(streams.open(user(1)).is_ok());
        drop(own);
        assert!(streams.lock().by_user.is_empty(), "nothing is kept of who has none");
    }

    #[test]
    fn the_shop_has_so_many_streams_and_no_more() {
        let streams = OpenStreams::default();
        let all: Vec<_> = (0..MOST).map(|n| streams.open(user(n / MOST_OF_A_USER)).unwrap()).collect();
        assert_eq!(streams.open(user(MOST)).err().map(|problem| problem.code()), Some("overloaded"));
        drop(all);
        assert_eq!(streams.lock().count, 0);
    }
}
