//! Bounds the bodies that are awaited at one time (protection from slow-body attacks, such as slow
//! POST): a client that sends slowly does not keep other clients from sending.

use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// The bodies of one client, which may be a proxy with many clients.
const MOST_OF_A_CLIENT: usize = 256;
/// The bodies of all clients: 64 MB at 64 KB each. Requests without a body are not counted.
const MOST: usize = 1024;

/// The bodies that have not arrived yet. All workers share it.
#[derive(Clone, Default)]
pub struct BodyReads(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One awaited body, until this is dropped.
pub struct BodyRead {
    reads: BodyReads,
    client: IpAddr,
}

impl BodyReads {
    /// Counts one more body of `client`; `None` if too many are awaited.
    pub fn begin(&self, client: IpAddr) -> Option<BodyRead> {
        let mut waiting = self.lock();
        let own = waiting.get(&client).copied().unwrap_or(0);
        // There are never more clients than bodies, so the sum has at most `MOST` parts.
        if own >= MOST_OF_A_CLIENT || waiting.values().sum::<usize>() >= MOST {
            return None;
        }
        waiting.insert(client, own + 1);
        Some(BodyRead { reads: self.clone(), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock()
    }
}

impl Drop for BodyRead {
    fn drop(&mut self) {
        let mut waiting = self.reads.lock();
        let left = waiting.get_mut(&self.client).map_or(0, |own| {
            *own -= 1;
            *own
        });
        if left == 0 {
            waiting.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_of_one_client_are_bounded_and_those_of_all_clients_too() {
        let reads = BodyReads::default();
        let of = |n: u8| std::iter::from_fn(|| reads.begin([127, 0, 0, n].into())).collect::<Vec<_>>();
        let first = of(1);
        assert_eq!(first.len(), MOST_OF_A_CLIENT);
        let all: Vec<_> = (2..100).map(of).collect();
        assert_eq!(all.iter().flatten().count(), MOST - MOST_OF_A_CLIENT);
        drop(first);
        assert_eq!(of(1).len(), MOST_OF_A_CLIENT, "a finished read makes room");
        drop(all);
        assert!(reads.lock().is_empty());
    }
}
