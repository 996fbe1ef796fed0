//! The `Cache-Control` directives of a request (RFC 9111 §5.2.1).

use actix_web::http::header::{self, CACHE_CONTROL, HeaderMap};
use std::time::Duration;

/// The directives of a request, as far as this cache follows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheDirectives {
    /// The client wants no stored response, but the new one may be stored.
    pub no_cache: bool,
    /// The client wants no stored response, and the new one must not be stored.
    pub no_store: bool,
    /// The client wants a stored response or 504.
    pub only_if_cached: bool,
    /// The greatest age in seconds that the client accepts.
    pub max_age: Option<u64>,
}

impl CacheDirectives {
    /// Reads the directives. Names that are not known are ignored (§5.2.3).
    pub fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        let lines = || headers.get_all(CACHE_CONTROL).filter_map(|line| line.to_str().ok());
        for directive in lines().flat_map(|line| line.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" => directives.no_cache = true,
                "no-store" => directives.no_store = true,
                "only-if-cached" => directives.only_if_cached = true,
                // A value that is not a number counts as 0, the strictest.
                "max-age" => directives.max_age = Some(value.trim().trim_matches('"').parse().unwrap_or(0)),
                _ => {}
            }
        }
        // `Pragma` of HTTP/1.0 counts only without `Cache-Control` (§5.4).
        let has_pragma =
            || headers.get(header::PRAGMA).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"no-cache"));
        directives.no_cache |= lines().next().is_none() && has_pragma();
        directives
    }

    /// Whether the client accepts a stored response of this age.
    pub fn accepts(&self, age: Duration) -> bool {
        !self.no_cache && self.max_age.is_none_or(|most| age.as_secs() <= most && most > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(lines: &[&str]) -> CacheDirectives {
        let request =
            lines.iter().fold(TestRequest::default(), |request, line| request.append_header((CACHE_CONTROL, *line)));
        CacheDirectives::of(request.to_http_request().headers())
    }

    #[test]
    fn the_directives_of_a_request_are_read_one_by_one() {
        assert_eq!(read(&[]), CacheDirectives::default());
        assert_eq!(
            read(&["private, MAX-AGE=60", "no-store"]),
            CacheDirectives { max_age: Some(60), no_store: true, ..CacheDirectives::default() }
        );
        assert_eq!(read(&["no-cachet, xno-cache"]), CacheDirectives::default(), "a part of a name does not count");
        assert_eq!(read(&["max-age=soon"]).max_age, Some(0));
        assert!(read(&["only-if-cached , no-cache"]).only_if_cached);
        let old = TestRequest::default().insert_header((header::PRAGMA, "no-cache")).to_http_request();
        assert!(CacheDirectives::of(old.headers()).no_cache);
    }

    #[test]
    fn a_stored_response_is_accepted_up_to_max_age() {
        let second = Duration::from_secs(1);
        assert!(read(&[]).accepts(999 * second));
        assert!(read(&["max-age=5"]).accepts(5 * second) && !read(&["max-age=5"]).accepts(6 * second));
        assert!(!read(&["max-age=0"]).accepts(Duration::ZERO) && !read(&["no-cache"]).accepts(Duration::ZERO));
    }
}
