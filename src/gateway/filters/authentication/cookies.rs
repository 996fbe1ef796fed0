//! The cookies of the shop: a browser's tokens, which scripts cannot read, and the guest's cart.

use crate::types::{CartId, Secret};
use actix_web::HttpRequest;
use cookie::{Cookie, CookieJar, Key, SameSite, time::Duration};

/// The cookie of the access token.
///
/// `__Host-` binds a cookie to this host (draft-ietf-httpbis-rfc6265bis §4.1.3.2): no other host,
/// no subdomain and no path can set it. Over plain HTTP, browsers take such a cookie from localhost
/// and 127.0.0.1 only.
pub const ACCESS: &str = "__Host-access";
/// The cookie of the refresh token.
pub const REFRESH: &str = "__Host-refresh";
/// The guest's cart over plain HTTP.
const CART: &str = "cart";
/// The guest's cart over TLS. The gateway reads one of the two names, never both: an attacker that
/// can set `cart`, from another port or over plain HTTP, cannot replace the cart of a guest on TLS.
const CART_OVER_TLS: &str = "__Host-cart";

const CART_DAYS: i64 = 90;
const REFRESH_DAYS: i64 = 30;

/// The cookie that holds the access token, for as many seconds as the token lives.
pub fn access(token: &Secret, seconds: u64) -> Cookie<'static> {
    protected(ACCESS, token.expose().clone(), Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
}

/// The cookie that holds the refresh token, for 30 days.
pub fn refresh(token: &Secret) -> Cookie<'static> {
    protected(REFRESH, token.expose().clone(), Duration::days(REFRESH_DAYS))
}

/// Two cookies that remove both tokens from the browser.
pub fn forget_tokens() -> [Cookie<'static>; 2] {
    [ACCESS, REFRESH].map(|name| protected(name, String::new(), Duration::ZERO))
}

/// A cookie that no script reads, and that a browser sends only over TLS and only from this site.
fn protected(name: &'static str, value: String, age: Duration) -> Cookie<'static> {
    Cookie::build(name, value).path("/").http_only(true).secure(true).same_site(SameSite::Strict).max_age(age).finish()
}

/// The key that the guest cart's cookie is signed with. Without it a client cannot try the ids of
/// other carts.
///
/// The value is `<HMAC-SHA-256 in Base64><cart id>`, as the `cookie` crate's signed jar writes it.
pub struct CartKey {
    key: Key,
    over_tls: bool,
}

impl CartKey {
    /// The signing key is derived from `secret` by HKDF (RFC 5869). `over_tls` says whether clients
    /// reach this server by TLS.
    pub fn new(secret: [u8; 32], over_tls: bool) -> Self {
        Self { key: Key::derive_from(&secret), over_tls }
    }

    /// The signed cookie that names the cart, for 90 days.
    pub fn cookie(&self, cart: CartId) -> Cookie<'static> {
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.key).add(self.build(cart.to_string(), Duration::days(CART_DAYS)));
        jar.get(self.name()).cloned().expect("the jar holds the cookie that was added")
    }

    /// A cookie that removes the guest's cart from the browser.
    pub fn forget(&self) -> Cookie<'static> {
        self.build(String::new(), Duration::ZERO)
    }

    /// Not `Secure` without TLS: a shop on a LAN over plain HTTP would lose its guests' carts, and
    /// the id of a guest's cart protects no personal data.
    fn build(&self, value: String, age: Duration) -> Cookie<'static> {
        let mut cookie = protected(self.name(), value, age);
        cookie.set_secure(self.over_tls);
        cookie
    }

    fn name(&self) -> &'static str {
        if self.over_tls { CART_OVER_TLS } else { CART }
    }

    /// The guest's cart; `None` if the request has no such cookie, or its signature is not valid.
    pub fn cart(&self, request: &HttpRequest) -> Option<CartId> {
        let mut jar = CookieJar::new();
        jar.add_original(request.cookie(self.name())?);
        jar.signed(&self.key).get(self.name())?.value().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    fn id(n: u128) -> CartId {
        CartId::from_uuid(Uuid::from_u128(n))
    }

    fn read(key: &CartKey, name: &'static str, value: &str) -> Option<CartId> {
        key.cart(&TestRequest::default().cookie(Cookie::new(name, value.to_owned())).to_http_request())
    }

    #[test]
    fn a_cart_cookie_is_accepted_only_with_its_own_signature() {
        let (key, other) = (CartKey::new([1; 32], false), CartKey::new([2; 32], false));
        let good = key.cookie(id(1));
        assert_eq!(read(&key, CART, good.value()), Some(id(1)));
        assert_eq!(read(&other, CART, good.value()), None, "signed with another key");
        let of_another_cart = good.value().replace(&id(1).to_string(), &id(2).to_string());
        assert_ne!(of_another_cart, good.value());
        assert_eq!(read(&key, CART, &of_another_cart), None, "the signature of another cart");
        assert_eq!(read(&key, CART, &id(1).to_string()), None, "no signature");
    }

    #[test]
    fn a_cart_cookie_that_was_cut_or_changed_in_one_character_is_refused() {
        let key = CartKey::new([1; 32], false);
        let good = key.cookie(id(1)).value().to_owned();
        for at in 0..good.len() {
            assert_eq!(read(&key, CART, &good[..at]), None, "cut after {at} characters");
            let other = if &good[at..=at] == "7" { "8" } else { "7" };
            let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
            assert_eq!(read(&key, CART, &changed), None, "changed at {at}");
        }
    }

    #[test]
    fn only_the_cookie_name_of_the_protocol_in_use_is_read() {
        let (plain, tls) = (CartKey::new([1; 32], false), CartKey::new([1; 32], true));
        assert_eq!((tls.cookie(id(1)).name(), tls.cookie(id(1)).secure()), (CART_OVER_TLS, Some(true)));
        assert_eq!(read(&tls, CART, plain.cookie(id(1)).value()), None);
        assert_eq!(read(&plain, CART_OVER_TLS, tls.cookie(id(1)).value()), None);
    }
}
