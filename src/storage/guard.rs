//! Runs sled's code so that a panic in it becomes an error: sled panics on some damaged data.

use super::StorageError;
use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

/// Runs the work and gives its result. A panic is reported as [`StorageError::Damaged`] with the
/// panic's first line, and is not printed.
///
/// A panic hook suppresses the output. It stands before the hook that was set when `guarded` was
/// first called, and hands all other panics on to that hook.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    thread_local! { static IS_GUARDED: Cell<bool> = const { Cell::new(false) } }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_sleds = std::thread::current().name().is_some_and(|name| name.starts_with("sled-io-"));
            match IS_GUARDED.try_with(Cell::get) {
                Ok(true) => {}
                _ if is_sleds => log::error!("a thread of sled panicked: {panic}"),
                _ => next(panic),
            }
        }));
    });
    let outer = IS_GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(outer);
    result.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or(panic.downcast_ref::<&str>().copied());
        let line = message.and_then(|message| message.lines().next()).unwrap_or("sled stopped");
        Err(StorageError::damaged(line.chars().take(200).collect::<String>()))
    })
}
