//! Not too often: GCRA per client and class (`governor`), told by the fields of draft-ietf-httpapi-ratelimit-headers.

use super::{Duty, Leave, Step};
use crate::{
    gateway::{Access, Class, problem::Problem, visit::Visit},
    types::UserId,
};
use actix_web::{
    HttpRequest, HttpResponse,
    dev::ServiceRequest,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

pub struct Throttling;

type Limiter = RateLimiter<Client, DashMapStateStore<Client>, DefaultClock, StateInformationMiddleware>;

/// Who is counted: a user wherever they are, or else an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    User(UserId),
    Address(IpAddr),
}

/// One bucket for each client and class.
pub struct Throttle {
    on: bool,
    limiters: Vec<(Class, Limiter)>,
    clock: DefaultClock,
    checks: AtomicU64,
}

/// What is left in the client's bucket.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    class: Class,
    remaining: u32,
    /// Seconds until there is more.
    more_in: u64,
}

/// After so many checks the buckets that are full again are forgotten, so that memory does not grow with addresses.
const TIDY_EVERY: u64 = 10_000;

impl Throttle {
    pub fn new(on: bool) -> Self {
        let limiter = |class: Class| {
            let (requests, seconds) = class.quota()?;
            let one_more = Duration::from_secs(seconds.into()) / requests.get();
            let quota = Quota::with_period(one_more)?.allow_burst(requests);
            Some((class, RateLimiter::keyed(quota).with_middleware()))
        };
        let limiters = Class::ALL.into_iter().filter_map(limiter).collect();
        Self { on, limiters, clock: DefaultClock::default(), checks: AtomicU64::new(0) }
    }

    /// Takes one request out of the client's bucket; `Err` with the seconds to wait where it is empty.
    fn take(&self, class: Class, client: Client) -> Option<Result<Outcome, u64>> {
        let (_, limiter) = self.limiters.iter().find(|(limited, _)| self.on && *limited == class)?;
        if self.checks.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        Some(match limiter.check_key(&client) {
            Ok(state) => {
                let one_more = state.quota().replenish_interval().as_secs_f64();
                Ok(Outcome {
                    class,
                    remaining: state.remaining_burst_capacity(),
                    more_in: one_more.ceil().max(1.0) as u64,
                })
            }
            Err(not_until) => Err(not_until.wait_time_from(self.clock.now()).as_secs_f64().ceil().max(1.0) as u64),
        })
    }
}

/// Takes one request out of the bucket of whoever asks.
fn take(visit: &Visit, class: Class) -> Result<(), Problem> {
    let client = match visit.principal.get().user_id() {
        // Who signs in has an account or none, and may have a thousand to guess from: what counts is where he is.
        Some(user) if class != Class::SignIn || visit.route.access != Access::Public => Client::User(user),
        _ => Client::Address(visit.network()),
    };
    match visit.gateway.throttle.take(class, client) {
        None => Ok(()),
        Some(Ok(outcome)) => {
            visit.note(outcome);
            Ok(())
        }
        Some(Err(seconds)) => {
            visit.note(Outcome { class, remaining: 0, more_in: seconds });
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", class.words())
                .of_type("https://iana.org/assignments/http-problem-types#quota-exceeded")
                .with("violated-policies", [class.name()])
                .with_header("Retry-After", seconds.to_string()))
        }
    }
}

/// Counts a request whose token was not good; `Err` where its sender has sent too many.
pub fn bad_token(visit: &Visit) -> Result<(), Problem> {
    take(visit, Class::BadToken)
}

/// The fields of draft-ietf-httpapi-ratelimit-headers.
fn tell(visit: &Visit, answer: &mut HttpResponse) {
    let Some(Outcome { class, remaining, more_in }) = visit.noted() else { return };
    let Some((requests, seconds)) = class.quota() else { return };
    let name = class.name();
    let fields = [
        ("ratelimit-policy", format!("\"{name}\";q={requests};w={seconds}")),
        ("ratelimit", format!("\"{name}\";r={remaining};t={more_in}")),
    ];
    for (field, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(HeaderName::from_static(field), value);
        }
    }
}

impl Duty for Throttling {
    fn name(&self) -> &'static str {
        "throttling"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, _: &'a mut ServiceRequest) -> Step<'a> {
        match take(visit, visit.route.class) {
            Ok(()) => Step::On,
            Err(problem) => Step::Stop(problem),
        }
    }

    fn leave<'a>(&'a self, visit: &'a Visit, _: &'a HttpRequest, mut answer: HttpResponse) -> Leave<'a> {
        tell(visit, &mut answer);
        Leave::With(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_burst_and_then_has_to_wait() {
        let throttle = Throttle::new(true);
        let client = Client::Address([127, 0, 0, 1].into());
        let burst = Class::SignIn.quota().unwrap().0.get();
        let granted = (0..burst + 5).filter(|_| throttle.take(Class::SignIn, client).unwrap().is_ok()).count();
        assert!(granted >= burst as usize && granted <= burst as usize + 1, "{granted}");
        assert!(throttle.take(Class::SignIn, client).unwrap().is_err_and(|seconds| seconds >= 1));
        let another = Client::Address([127, 0, 0, 2].into());
        assert!(throttle.take(Class::SignIn, another).unwrap().is_ok());
        assert!(throttle.take(Class::Free, client).is_none());
    }
}
