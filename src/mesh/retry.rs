//! Which calls are tried again, after which pause, and how many at most (Google's SRE book, ch. 21
//! and 22: retry budgets, and why retries must not overload a service that recovers).

use super::{MeshError, RequestKind, window::Window};
use crate::env::{Backoff, Env};
use std::time::Duration;
use tokio::time::Instant;

/// Attempts of one call, the first one included.
pub(super) const MOST_ATTEMPTS: u32 = 3;

/// Envoy's default bounds: 25 ms and ten times that.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(25), Duration::from_millis(250));

/// Retries may be this percentage of the calls of the last ten seconds (the retry budget).
const BUDGET_PERCENT: u32 = 20;
/// Retries that are allowed each second in any case, so that a caller with few calls may retry,
/// too.
const BUDGET_LEAST: u32 = 3;

/// Whether a call that failed may be tried again, and may then succeed.
///
/// - `Crashed` is not retried. Requests that waited in the crashed instance's mailbox go to another
///   instance anyway, so the request itself nearly always caused the crash, and would crash the
///   next instance, too.
/// - `Overloaded` is not retried: more calls make an overload worse.
/// - `TimedOut` is not retried: no time is left.
pub(super) fn is_retriable(kind: RequestKind, error: &MeshError) -> bool {
    let may_be_repeated = match kind {
        RequestKind::Query | RequestKind::LongPoll | RequestKind::Keyed => true,
        // `NoInstance` may come from a call that the handler made after it had changed something.
        RequestKind::Command => false,
    };
    may_be_repeated && matches!(error, MeshError::NoInstance | MeshError::Failed(_))
}

/// The pause before the next attempt, drawn from zero to the backoff ("full jitter": Brooker,
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Callers that failed together do
/// then not come back together.
pub(super) fn pause(failed: u32, env: &Env) -> Duration {
    env.jitter(BACKOFF.longest(failed))
}

/// Takes one retry out of the budget; `false` if the budget is spent. Without a budget, the retries
/// of all callers together could keep a service from recovering.
pub(super) fn spend(window: &mut Window, now: Instant) -> bool {
    let sum = window.sum(now);
    let this_second = window.now(now);
    let may = this_second.retries < BUDGET_LEAST
        || u64::from(sum.retries + 1) * 100 <= u64::from(sum.calls) * u64::from(BUDGET_PERCENT);
    this_second.retries += u32::from(may);
    may
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_a_key_is_never_retried() {
        for error in [MeshError::NoInstance, MeshError::Failed("its disk failed".into())] {
            for kind in [RequestKind::Query, RequestKind::Keyed, RequestKind::LongPoll] {
                assert!(is_retriable(kind, &error));
            }
            assert!(!is_retriable(RequestKind::Command, &error));
        }
    }

    #[test]
    fn errors_that_a_retry_cannot_help_are_not_retried() {
        for error in [
            MeshError::Crashed,
            MeshError::TimedOut,
            MeshError::Overloaded,
            MeshError::Refused,
            MeshError::CircuitOpen { retry_after: Duration::ZERO },
        ] {
            assert!(!is_retriable(RequestKind::Query, &error), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_up_to_a_quarter_of_a_second() {
        let env = Env::simulated(7, crate::types::Timestamp::UNIX_EPOCH);
        for (failed, longest) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (u32::MAX, 250)] {
            let longest_drawn = (0..1_000).map(|_| pause(failed, &env)).max().unwrap();
            let longest = Duration::from_millis(longest);
            assert!(longest_drawn <= longest && longest_drawn > longest * 9 / 10, "{failed}: {longest_drawn:?}");
        }
    }

    #[test]
    fn retries_are_at_most_a_fifth_of_the_calls_or_three_a_second() {
        let begun = Instant::now();
        let mut window = Window::new(begun);
        assert_eq!((0..10).filter(|_| spend(&mut window, begun)).count(), 3);
        window.now(begun).calls = 1_000;
        assert_eq!((0..1_000).filter(|_| spend(&mut window, begun)).count(), 197, "200 with the first three");
        let next = begun + Duration::from_secs(1);
        assert_eq!((0..10).filter(|_| spend(&mut window, next)).count(), 3);
        let later = begun + Duration::from_secs(11);
        window.now(later).calls = 100;
        assert_eq!((0..100).filter(|_| spend(&mut window, later)).count(), 20);
    }
}
