//! How many bodies are waited for at a time: a client that sends one slowly, or never, keeps nobody else from sending his.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Of one client, which may be a proxy with many behind it.
const MOST_OF_A_CLIENT: usize = 256;
/// Of all: at 64 KB each that is 64 MB. Requests without a body find their way past them.
const MOST: usize = 1024;

/// The bodies that have not come yet. What all workers of the door share.
#[derive(Clone, Default)]
pub struct Readers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, until this is dropped.
pub struct Reader {
    readers: Readers,
    client: IpAddr,
}

impl Readers {
    /// `None` where too many are waited for.
    pub fn begin(&self, client: IpAddr) -> Option<Reader> {
        let mut waiting = self.lock();
        let own = waiting.get(&client).copied().unwrap_or(0);
        // There are never more clients than bodies: this is a short sum.
        if own >= MOST_OF_A_CLIENT || waiting.values().sum::<usize>() >= MOST {
            return None;
        }
        waiting.insert(client, own + 1);
        Some(Reader { readers: self.clone(), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut waiting = self.readers.lock();
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
    fn one_client_leaves_room_for_the_others_and_all_of_them_end_somewhere() {
        let readers = Readers::default();
        let of = |n: u8| std::iter::from_fn(|| readers.begin([127, 0, 0, n].into())).collect::<Vec<_>>();
        let first = of(1);
        assert_eq!(first.len(), MOST_OF_A_CLIENT);
        let all: Vec<_> = (2..100).map(of).collect();
        assert_eq!(all.iter().flatten().count(), MOST - MOST_OF_A_CLIENT);
        drop(first);
        assert_eq!(of(1).len(), MOST_OF_A_CLIENT, "who is done makes room");
        drop(all);
        assert!(readers.lock().is_empty());
    }
}
