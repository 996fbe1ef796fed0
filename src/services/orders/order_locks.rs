//! At most one saga execution per order in this process.

use crate::types::OrderId;
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc};

/// The orders whose saga is being executed by this process. All instances of the service share it.
#[derive(Clone, Default)]
pub struct OrderLocks(Arc<Mutex<HashSet<OrderId>>>);

/// The right to execute the saga of one order. Dropping it releases the order, also while a panic
/// unwinds.
pub struct OrderLock {
    locks: OrderLocks,
    id: OrderId,
}

impl OrderLocks {
    /// `None` while another execution holds the order.
    pub fn take(&self, id: OrderId) -> Option<OrderLock> {
        self.0.lock().insert(id).then(|| OrderLock { locks: self.clone(), id })
    }

    pub fn is_taken(&self, id: OrderId) -> bool {
        self.0.lock().contains(&id)
    }
}

impl Drop for OrderLock {
    fn drop(&mut self) {
        self.locks.0.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn an_order_is_released_also_when_its_execution_panics() {
        let (locks, id) = (OrderLocks::default(), OrderId::from_uuid(uuid::Uuid::nil()));
        let taken = locks.take(id).unwrap();
        assert!(locks.take(id).is_none() && locks.is_taken(id));
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _taken = taken;
            panic!("the execution panicked");
        }));
        assert!(panicked.is_err() && !locks.is_taken(id));
    }
}
