//! Not too often: GCRA per client and class (`governor`), told by the fields of draft-ietf-httpapi-ratelimit-headers.

use super::{Duty, Leave, Step};
use crate::{
    gateway::{Class, problem::Problem, visit::Visit},
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
    net::{IpAddr, Ipv6Addr},
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

impl Duty for Throttling {
    fn name(&self) -> &'static str {
        "throttling"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, _: &'a mut ServiceRequest) -> Step<'a> {
        let class = visit.route.class;
        let client =
            visit.principal.get().user_id().map_or_else(|| Client::Address(network(visit.client)), Client::User);
        match visit.gateway.throttle.take(class, client) {
            None => Step::On,
            Some(Ok(outcome)) => {
                visit.note(outcome);
                Step::On
            }
            Some(Err(seconds)) => {
                visit.note(Outcome { class, remaining: 0, more_in: seconds });
                Step::Stop(
                    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", class.words())
                        .of_type("https://iana.org/assignments/http-problem-types#quota-exceeded")
                        .with("violated-policies", [class.name()])
                        .with_header("Retry-After", seconds.to_string()),
                )
            }
        }
    }

    fn leave<'a>(&'a self, visit: &'a Visit, _: &'a HttpRequest, mut answer: HttpResponse) -> Leave<'a> {
        if let Some(Outcome { class, remaining, more_in }) = visit.noted()
            && let Some((requests, seconds)) = class.quota()
        {
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
        Leave::With(answer)
    }
}

/// An IPv6 client has a /64 to itself and could count as 2⁶⁴ addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
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

    #[test]
    fn an_ipv6_network_is_one_client() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
