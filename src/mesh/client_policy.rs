//! What stands between one caller and one service: the breaker, the retry budget, the link.

use super::{
    Caller, Failure, Kind, Link, MeshError,
    breaker::{Breaker, BreakerSettings, BreakerState, Forced, Pass},
    retry,
    window::Counts,
};
use crate::types::Service;
use arc_swap::ArcSwapOption;
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use utoipa::ToSchema;

pub(super) use super::breaker::Outcome;

pub(super) struct ClientPolicy {
    breaker: Mutex<Breaker>,
    link: ArcSwapOption<Link>,
}

/// How an edge is run. All of it can be changed while calls are under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientPolicySettings {
    pub breaker: BreakerSettings,
    /// What the breaker is to be whatever it counts; `null` for what it finds right.
    pub forced: Option<Forced>,
}

impl ClientPolicySettings {
    /// `Err` begins with the field that makes no sense.
    pub fn checked(self) -> Result<Self, String> {
        self.breaker.checked().map_err(|words| format!("breaker.{words}"))?;
        Ok(self)
    }
}

/// An edge as it is now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClientPolicyReport {
    #[schema(value_type = String, example = "gateway")]
    pub caller: Caller,
    pub service: Service,
    pub state: BreakerState,
    pub settings: ClientPolicySettings,
    /// What goes wrong on the way; `null` where nothing does.
    pub link: Option<Link>,
    /// Of the last ten seconds, as all that follows but the last two.
    pub calls: u32,
    pub failures: u32,
    pub slow: u32,
    pub retries: u32,
    /// How often the breaker has opened, and how many calls it has refused, since the start.
    pub opened: u64,
    pub refused: u64,
}

/// A call that the breaker let through. Let go without a word, it says nothing about the service: its caller went away.
pub(super) struct Ticket<'a> {
    policy: &'a ClientPolicy,
    pass: Pass,
    since: Instant,
    outcome: Outcome,
}

impl Ticket<'_> {
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.policy.breaker().record(self.pass, self.outcome, now - self.since, now);
    }
}

impl ClientPolicy {
    pub fn new() -> Self {
        let breaker = Breaker::new(BreakerSettings::default(), Instant::now());
        Self { breaker: Mutex::new(breaker), link: ArcSwapOption::empty() }
    }

    /// Lets a call through, unless the breaker is open. No ticket is for who waits for news: that takes as long as it takes, and says
    /// nothing about the service.
    pub fn admit(&self, kind: Kind) -> Result<Option<Ticket<'_>>, MeshError> {
        let (now, mut breaker) = (Instant::now(), self.breaker());
        if kind != Kind::LongPoll {
            let pass = breaker.admit(now).map_err(|retry_after| MeshError::CircuitOpen { retry_after })?;
            return Ok(Some(Ticket { policy: self, pass, since: now, outcome: Outcome::Unknown }));
        }
        if breaker.state(now) == BreakerState::Open {
            breaker.refused += 1;
            return Err(MeshError::CircuitOpen { retry_after: Duration::from_secs(1) });
        }
        Ok(None)
    }

    /// Takes a retry out of the budget; `false` where it is spent.
    pub fn may_retry(&self) -> bool {
        retry::spend(&mut self.breaker().window, Instant::now())
    }

    pub fn set(&self, ClientPolicySettings { breaker: settings, forced }: ClientPolicySettings) {
        let mut breaker = self.breaker();
        (breaker.settings, breaker.forced) = (settings, forced);
    }

    pub fn settings(&self) -> ClientPolicySettings {
        let breaker = self.breaker();
        ClientPolicySettings { breaker: breaker.settings, forced: breaker.forced }
    }

    pub fn set_link(&self, link: Option<Link>) {
        self.link.store(link.map(Arc::new));
    }

    pub fn link(&self) -> Option<Link> {
        self.link.load().as_deref().copied()
    }

    pub fn report(&self, caller: Caller, service: Service) -> ClientPolicyReport {
        let now = Instant::now();
        let (settings, link) = (self.settings(), self.link());
        let mut breaker = self.breaker();
        let Counts { calls, failures, slow, retries } = breaker.window.sum(now);
        let (state, opened, refused) = (breaker.state(now), breaker.opened, breaker.refused);
        ClientPolicyReport { caller, service, state, settings, link, calls, failures, slow, retries, opened, refused }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock()
    }
}

/// What an answer says about who gave it. A service's own words are no failure, whatever they say.
pub(super) fn outcome_of<T, E>(answer: &Result<T, Failure<E>>) -> Outcome {
    match answer {
        Ok(_) | Err(Failure::Domain(_)) => Outcome::Success,
        Err(Failure::Fault(MeshError::TimedOut | MeshError::Crashed | MeshError::Failed(_))) => Outcome::Failure,
        // Refused before anybody was asked: that is over in a moment, and a breaker would only make it last.
        Err(Failure::Fault(
            MeshError::NoInstance | MeshError::Overloaded | MeshError::Refused | MeshError::CircuitOpen { .. },
        )) => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_news_says_nothing_of_the_service_and_is_refused_like_others() {
        let policy = ClientPolicy::new();
        assert!(policy.admit(Kind::LongPoll).unwrap().is_none());
        policy.admit(Kind::Query).unwrap().unwrap().end(Outcome::Success);
        assert_eq!(policy.report(Caller::GATEWAY, Service::Orders).calls, 1);
        policy.set(ClientPolicySettings { forced: Some(Forced::Open), ..ClientPolicySettings::default() });
        assert!(policy.admit(Kind::LongPoll).is_err() && policy.admit(Kind::Query).is_err());
        assert_eq!(policy.report(Caller::GATEWAY, Service::Orders).refused, 2);
    }
}
