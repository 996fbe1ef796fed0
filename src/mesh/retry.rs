//! Which calls are tried again, after what pause, and how many of them at most.

use super::{Kind, MeshError, window::Window};
use std::time::Duration;
use tokio::time::Instant;

/// The first included.
pub(super) const MOST_ATTEMPTS: u32 = 3;

const BASE: Duration = Duration::from_millis(25);
const CAP: Duration = Duration::from_millis(250);

/// So many of a hundred calls of the last ten seconds may be tries that failed before.
const BUDGET_PERCENT: u32 = 20;
/// So many a second in any case: a caller that calls seldom may try again, too.
const BUDGET_LEAST: u32 = 3;

/// Whether that call may succeed at a second try, and may be tried again at all.
///
/// One that crashed its instance is not: what lay in the mailbox beside it went to a sibling anyhow, so it is nearly always the request
/// itself that did it, and would go on to kill one instance after the other. One that found all places taken is not: more calls are the
/// last thing that helps there. One that ran out of time has none left.
pub(super) fn is_worth_while(kind: Kind, error: &MeshError) -> bool {
    let may_be_repeated = match kind {
        Kind::Query | Kind::LongPoll | Kind::Keyed => true,
        // Even "nobody is there" may be what its handler met on the way, half done.
        Kind::Command => false,
    };
    may_be_repeated && matches!(error, MeshError::NoInstance | MeshError::Failed(_))
}

/// The longest pause before the try after `failed` of them: 25 ms, 75 ms, 175 ms, then 250 ms, as Envoy has it. The pause itself is
/// drawn from zero to that ("full jitter"; Brooker, "Exponential Backoff And Jitter", 2015), so that those who failed together do not
/// come back together.
pub(super) fn longest_pause(failed: u32) -> Duration {
    (BASE * 2u32.saturating_pow(failed.min(8)).saturating_sub(1)).min(CAP)
}

/// Takes one retry out of the budget; `false` where it is spent. Without one, callers who all try again would keep a service that is
/// down from ever coming back.
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
    fn a_command_without_a_key_is_never_tried_again() {
        for error in [MeshError::NoInstance, MeshError::Failed("its disk failed".into())] {
            for kind in [Kind::Query, Kind::Keyed, Kind::LongPoll] {
                assert!(is_worth_while(kind, &error));
            }
            assert!(!is_worth_while(Kind::Command, &error));
        }
    }

    #[test]
    fn what_cannot_help_is_not_tried() {
        for error in [
            MeshError::Crashed,
            MeshError::TimedOut,
            MeshError::Overloaded,
            MeshError::Refused,
            MeshError::CircuitOpen { retry_after: Duration::ZERO },
        ] {
            assert!(!is_worth_while(Kind::Query, &error), "{error}");
        }
    }

    #[test]
    fn pauses_grow_up_to_a_quarter_of_a_second() {
        let pauses: Vec<_> = (1..=6).map(|failed| longest_pause(failed).as_millis()).collect();
        assert_eq!(pauses, [25, 75, 175, 250, 250, 250]);
        assert_eq!(longest_pause(u32::MAX), CAP);
    }

    #[test]
    fn a_fifth_of_the_calls_may_be_tried_again_and_three_a_second_in_any_case() {
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
