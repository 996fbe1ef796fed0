//! What was answered before is answered again, where the route table lets it (RFC 9111), and said to be so (`Cache-Status`, RFC 9211).
//!
//! Who asks was authenticated, authorized and counted before: a cached answer is no way around that.

use super::{Duty, Leave, Step, conditional::tag_of};
use crate::{
    gateway::{
        cache::{self, Entry, Fill, Freshness, Key, Landing, STALE_IF_ERROR, Tag, Turn},
        problem::Problem,
        route::CachePolicy,
        visit::Visit,
    },
    types::Principal,
};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::ServiceRequest,
    http::{
        Method, StatusCode,
        header::{self, AGE, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, SET_COOKIE},
    },
};
use std::{fmt, time::Duration};

pub struct Cache;

pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A question that the cache did not answer.
struct Forwarded {
    /// Why, for `Cache-Status`.
    why: &'static str,
    /// Whose old answer takes the place of a failure; `None` where the client wants it anew, and would rather have the error.
    or_old: Option<Key>,
}

/// What the client wants of caches (RFC 9111 §5.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wishes {
    no_cache: bool,
    no_store: bool,
    only_if_cached: bool,
    max_age: Option<u64>,
}

impl Wishes {
    fn of(headers: &HeaderMap) -> Self {
        let mut wishes = Self::default();
        let lines = || headers.get_all(CACHE_CONTROL).filter_map(|line| line.to_str().ok());
        for directive in lines().flat_map(|line| line.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" => wishes.no_cache = true,
                "no-store" => wishes.no_store = true,
                "only-if-cached" => wishes.only_if_cached = true,
                // What is no number is taken for the strictest.
                "max-age" => wishes.max_age = Some(value.trim().trim_matches('"').parse().unwrap_or(0)),
                _ => {}
            }
        }
        // What HTTP/1.0 had for it counts only where there is nothing newer (§5.4).
        let is_old_way =
            || headers.get(header::PRAGMA).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"no-cache"));
        wishes.no_cache |= lines().next().is_none() && is_old_way();
        wishes
    }

    fn takes(&self, age: Duration) -> bool {
        !self.no_cache && self.max_age.is_none_or(|most| age.as_secs() <= most && most > 0)
    }
}

impl Duty for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, request: &'a mut ServiceRequest) -> Step<'a> {
        let is_read = *request.method() == Method::GET || *request.method() == Method::HEAD;
        let Some(ttl) = cache::ttl(visit.route.cache, visit.settings.cache_ttl_ms).filter(|_| is_read) else {
            return Step::On;
        };
        let wishes = Wishes::of(request.headers());
        if wishes.no_store {
            visit.note(Forwarded { why: "fwd=request", or_old: None });
            return Step::On;
        }
        let key = key_of(visit, request);
        let found = visit.gateway.cache.get(&key);
        if let Some(entry) = found.as_ref().filter(|entry| wishes.takes(entry.made.elapsed())) {
            match Freshness::of(entry.made.elapsed(), ttl) {
                Freshness::Fresh(left) => return Step::Answer(hit(entry, format_args!("hit; ttl={left}"))),
                // Who says how old it may be wants it fresh besides (RFC 9111 §5.2.1.1).
                Freshness::Stale(past) if wishes.max_age.is_none() => {
                    let answer = hit(entry, format_args!("hit; ttl=-{past}"));
                    // One fetches the new one for all.
                    return match visit.gateway.cache.begin(&key) {
                        Turn::Lead(fill) => {
                            visit.note(fill);
                            Step::AnswerAndGoOn(answer)
                        }
                        Turn::Follow(_) => Step::Answer(answer),
                    };
                }
                Freshness::Stale(_) | Freshness::Old(_) => {}
            }
        }
        if wishes.only_if_cached {
            return Step::Stop(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "not_cached",
                "There is no answer in the cache that would do.",
            ));
        }
        let asks_anew = wishes.no_cache || wishes.max_age.is_some();
        visit.note(match &found {
            _ if asks_anew => Forwarded { why: "fwd=request", or_old: None },
            Some(_) => Forwarded { why: "fwd=stale", or_old: Some(key.clone()) },
            None => Forwarded { why: "fwd=miss", or_old: Some(key.clone()) },
        });
        match visit.gateway.cache.begin(&key) {
            Turn::Lead(fill) => {
                visit.note(fill);
                Step::On
            }
            // Who wants it anew is not served with what was asked for before he came.
            Turn::Follow(_) if asks_anew => Step::On,
            Turn::Follow(landing) => Step::Wait(Box::pin(follow(visit, key, landing))),
        }
    }

    fn leave<'a>(&'a self, visit: &'a Visit, _: &'a HttpRequest, answer: HttpResponse) -> Leave<'a> {
        Leave::With(keep(visit, visit.take_note(), answer))
    }
}

/// Waits for the answer that another has asked for.
async fn follow(
    visit: &Visit,
    key: Key,
    mut landing: tokio::sync::watch::Receiver<Landing>,
) -> Result<Option<HttpResponse>, Problem> {
    loop {
        // The sender is dropped when it has landed, whatever came of it.
        let landed = async { while landing.changed().await.is_ok() {} };
        if tokio::time::timeout_at(visit.context().deadline, landed).await.is_err() {
            return Err(crate::mesh::MeshError::TimedOut.into());
        }
        let landed = *landing.borrow();
        if landed == Landing::Kept
            && let Some(entry) = visit.gateway.cache.get(&key)
        {
            let why = visit.take_note().map_or("fwd=miss", |Forwarded { why, .. }| why);
            return Ok(Some(hit(&entry, format_args!("{why}; collapsed"))));
        }
        if landed == Landing::Unkept {
            // What the other got is nobody else's, or nothing to keep: all those who waited ask for themselves, at once.
            return Ok(None);
        }
        match visit.gateway.cache.begin(&key) {
            Turn::Lead(fill) => {
                visit.note(fill);
                return Ok(None);
            }
            Turn::Follow(next) => landing = next,
        }
    }
}

fn key_of(visit: &Visit, request: &ServiceRequest) -> Key {
    let user = match (visit.route.cache, visit.principal.get()) {
        (CachePolicy::Private(_), Principal::User { id, .. }) => Some(id),
        _ => None,
    };
    Key::new(visit.route.path, request.match_info().get("id").unwrap_or_default(), request.query_string(), user)
}

fn hit(entry: &Entry, status: impl fmt::Display) -> HttpResponse {
    let mut answer = entry.answer();
    let age = entry.made.elapsed().as_secs();
    answer.headers_mut().insert(AGE, age.into());
    say(&mut answer, status);
    answer
}

fn say(answer: &mut HttpResponse, status: impl fmt::Display) {
    if let Ok(value) = HeaderValue::try_from(format!("galleria; {status}")) {
        answer.headers_mut().insert(CACHE_STATUS, value);
    }
}

/// Keeps the handler's answer where it was asked for to be kept; where it is a failure, what was kept earlier takes its place.
pub fn keep(visit: &Visit, fill: Option<Fill>, mut answer: HttpResponse) -> HttpResponse {
    let forwarded = visit.take_note::<Forwarded>();
    if let Some(old) = forwarded.as_ref().and_then(|forwarded| instead_of(visit, forwarded, &answer)) {
        fill.into_iter().for_each(Fill::keep_nothing);
        return old;
    }
    let why = forwarded.map(|forwarded| forwarded.why);
    let Some(fill) = fill else {
        if let Some(why) = why {
            say(&mut answer, why);
        }
        return answer;
    };
    let why = why.unwrap_or("fwd=stale");
    if !is_to_be_kept(&answer) {
        fill.keep_nothing();
        say(&mut answer, why);
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(stream) => {
            fill.keep_nothing();
            return head.set_body(stream);
        }
    };
    if !head.headers().contains_key(ETAG)
        && let Ok(tag) = HeaderValue::from_str(&tag_of(&body))
    {
        head.headers_mut().insert(ETAG, tag);
    }
    if let (CachePolicy::Shared(_), false) = (visit.route.cache, head.headers().contains_key(CACHE_CONTROL)) {
        // Clients' own caches ask each time whether it is still so: no purge reaches them.
        head.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, public"));
    }
    let headers = head.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let is_kept =
        fill.keep(headers, body.clone(), visit.take_note::<Tags>().map(|Tags(tags)| tags).unwrap_or_default());
    let mut answer = head.set_body(BoxBody::new(body));
    say(&mut answer, if is_kept { format!("{why}; stored") } else { why.to_owned() });
    answer
}

/// What was kept earlier, where the answer is a failure and the client takes what is old.
fn instead_of(visit: &Visit, forwarded: &Forwarded, failure: &HttpResponse) -> Option<HttpResponse> {
    let key = forwarded.or_old.as_ref().filter(|_| failure.status().is_server_error())?;
    let entry = visit.gateway.cache.get(key)?;
    let ttl = cache::ttl(visit.route.cache, visit.settings.cache_ttl_ms)?;
    let past = entry.made.elapsed().saturating_sub(ttl);
    let status = format!("fwd=stale; fwd-status={}; ttl=-{}", failure.status().as_u16(), past.as_secs());
    (past < STALE_IF_ERROR).then(|| hit(&entry, status))
}

fn is_to_be_kept(answer: &HttpResponse) -> bool {
    let headers = answer.headers();
    let is_whole = headers.get("x-completed").is_none_or(|value| value != "false");
    let may_be = |line: &HeaderValue| {
        line.to_str().is_ok_and(|line| {
            line.split(',')
                .all(|directive| !matches!(directive.trim().to_ascii_lowercase().as_str(), "no-store" | "private"))
        })
    };
    answer.status() == StatusCode::OK
        && is_whole
        && !headers.contains_key(SET_COOKIE)
        && headers.get_all(CACHE_CONTROL).all(may_be)
}

/// What the answer is about, said by its handler.
struct Tags(Vec<Tag>);

impl Visit {
    /// What the answer is about: when that changes, the answer is not given again.
    pub fn is_about(&self, tags: impl IntoIterator<Item = Tag>) {
        self.note(Tags(tags.into_iter().collect()));
    }

    /// To be called by who has changed something, before he says so.
    pub fn has_changed(&self, tags: impl IntoIterator<Item = Tag>) {
        tags.into_iter().for_each(|tag| self.gateway.cache.purge(tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn wishes(lines: &[&str]) -> Wishes {
        let request =
            lines.iter().fold(TestRequest::default(), |request, line| request.append_header((CACHE_CONTROL, *line)));
        Wishes::of(request.to_http_request().headers())
    }

    #[test]
    fn what_a_client_wants_is_read_directive_by_directive() {
        assert_eq!(wishes(&[]), Wishes::default());
        assert_eq!(
            wishes(&["private, MAX-AGE=60", "no-store"]),
            Wishes { max_age: Some(60), no_store: true, ..Wishes::default() }
        );
        assert_eq!(wishes(&["no-cachet, xno-cache"]), Wishes::default(), "no substring of it counts");
        assert_eq!(wishes(&["max-age=soon"]).max_age, Some(0));
        assert!(wishes(&["only-if-cached , no-cache"]).only_if_cached);
        let old = TestRequest::default().insert_header((header::PRAGMA, "no-cache")).to_http_request();
        assert!(Wishes::of(old.headers()).no_cache);
    }

    #[test]
    fn an_answer_is_taken_up_to_the_age_that_is_wanted() {
        let second = Duration::from_secs(1);
        assert!(wishes(&[]).takes(999 * second));
        assert!(wishes(&["max-age=5"]).takes(5 * second) && !wishes(&["max-age=5"]).takes(6 * second));
        assert!(!wishes(&["max-age=0"]).takes(Duration::ZERO) && !wishes(&["no-cache"]).takes(Duration::ZERO));
    }

    #[test]
    fn only_whole_answers_for_everybody_are_kept() {
        assert!(is_to_be_kept(&HttpResponse::Ok().finish()));
        assert!(is_to_be_kept(&HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache, public")).finish()));
        assert!(is_to_be_kept(&HttpResponse::Ok().insert_header(("x-completed", "true")).finish()));
        for (name, value) in [
            ("cache-control", "max-age=60, private"),
            ("cache-control", "No-Store"),
            ("set-cookie", "a=b"),
            ("x-completed", "false"),
        ] {
            assert!(!is_to_be_kept(&HttpResponse::Ok().insert_header((name, value)).finish()), "{name}: {value}");
        }
        assert!(!is_to_be_kept(&HttpResponse::NotFound().finish()));
        assert!(!is_to_be_kept(&HttpResponse::PartialContent().finish()));
    }
}
