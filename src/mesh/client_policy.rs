//! The policy of one caller for one service: the circuit breaker, the retry budget, the link
//! (compare Istio's DestinationRule and Envoy's clusters).

use super::{
    Caller, MeshError, RequestKind,
    breaker::{Breaker, BreakerState, Pass},
    call_result::CallResult,
    link::Link,
    retry,
    settings::{BreakerSettings, ClientPolicySettings},
    window::Counts,
};
use crate::types::Service;
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use utoipa::ToSchema;

pub(super) struct ClientPolicy {
    breaker: Mutex<Breaker>,
    link: ArcSwapOption<Link>,
}

/// The state of one caller's policy for one service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClientPolicyReport {
    /// The service that calls, `gateway`, or another caller outside the services.
    #[schema(value_type = String, example = "gateway")]
    pub caller: Caller,
    /// The service that is called.
    pub service: Service,
    /// The state of the circuit breaker.
    pub state: BreakerState,
    /// The settings of the policy.
    pub settings: ClientPolicySettings,
    /// The faults of the link; `null` if there are none.
    pub link: Option<Link>,
    /// Calls that ended in the last ten seconds.
    pub calls: u32,
    /// Failed calls of the last ten seconds.
    pub failures: u32,
    /// Slow calls of the last ten seconds.
    pub slow: u32,
    /// Retries of the last ten seconds.
    pub retries: u32,
    /// How often the breaker has opened since the start.
    pub opened: u64,
    /// The number of calls that the breaker has refused since the start.
    pub refused: u64,
}

/// A call that the breaker let through. A ticket that is dropped before [`Ticket::end`] belongs to
/// a caller that stopped waiting, which says nothing about the service.
pub(super) struct Ticket<'a> {
    policy: &'a ClientPolicy,
    pass: Pass,
    since: Instant,
    result: CallResult,
}

impl Ticket<'_> {
    pub fn end(mut self, result: CallResult) {
        self.result = result;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.policy.breaker.lock().record(self.pass, self.result, now - self.since, now);
    }
}

impl ClientPolicy {
    pub fn new() -> Self {
        let breaker = Breaker::new(BreakerSettings::default(), Instant::now());
        Self { breaker: Mutex::new(breaker), link: ArcSwapOption::empty() }
    }

    /// Lets a call through, unless the breaker is open. A long poll gets no ticket: it takes as
    /// long as there is no news, which says nothing about the service.
    pub fn admit(&self, kind: RequestKind) -> Result<Option<Ticket<'_>>, MeshError> {
        let (now, mut breaker) = (Instant::now(), self.breaker.lock());
        if kind != RequestKind::LongPoll {
            let pass = breaker.admit(now).map_err(|retry_after| MeshError::CircuitOpen { retry_after })?;
            return Ok(Some(Ticket { policy: self, pass, since: now, result: CallResult::Unknown }));
        }
        if breaker.state(now) == BreakerState::Open {
            breaker.refused += 1;
            return Err(MeshError::CircuitOpen { retry_after: Duration::from_secs(1) });
        }
        Ok(None)
    }

    /// Takes a retry out of the budget; `false` if the budget is spent.
    pub fn may_retry(&self) -> bool {
        retry::spend(&mut self.breaker.lock().window, Instant::now())
    }

    pub fn set(&self, ClientPolicySettings { breaker: settings, forced }: ClientPolicySettings) {
        let mut breaker = self.breaker.lock();
        (breaker.settings, breaker.forced) = (settings, forced);
    }

    pub fn settings(&self) -> ClientPolicySettings {
        let breaker = self.breaker.lock();
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
        let mut breaker = self.breaker.lock();
        let Counts { calls, failures, slow, retries } = breaker.window.sum(now);
        let (state, opened, refused) = (breaker.state(now), breaker.opened, breaker.refused);
        ClientPolicyReport { caller, service, state, settings, link, calls, failures, slow, retries, opened, refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::settings::Forced;

    #[test]
    fn a_long_poll_is_not_counted_and_is_refused_like_other_calls() {
        let policy = ClientPolicy::new();
        assert!(policy.admit(RequestKind::LongPoll).unwrap().is_none());
        policy.admit(RequestKind::Query).unwrap().unwrap().end(CallResult::Success);
        assert_eq!(policy.report(Caller::GATEWAY, Service::Orders).calls, 1);
        policy.set(ClientPolicySettings { forced: Some(Forced::Open), ..ClientPolicySettings::default() });
        assert!(policy.admit(RequestKind::LongPoll).is_err() && policy.admit(RequestKind::Query).is_err());
        assert_eq!(policy.report(Caller::GATEWAY, Service::Orders).refused, 2);
    }
}
