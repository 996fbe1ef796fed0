//! The cookies of the shop: the browser's tokens, out of scripts' reach, and the guest's cart.

use crate::types::{CartId, Secret};
use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// `__Host-` binds a cookie to this host: no other host, no subdomain, no path may set it. Browsers take such a cookie
/// over plain HTTP from localhost and 127.0.0.1 only.
pub const ACCESS: &str = "__Host-access";
pub const REFRESH: &str = "__Host-refresh";
/// The guest's cart: by the second name over TLS. Only the name of the day is believed, so that nobody who can set the first, from another
/// port or on the way to a plain door, can put a cart of theirs in place of the guest's.
const CART: &str = "cart";
const CART_OVER_TLS: &str = "__Host-cart";

const CART_DAYS: i64 = 90;
const REFRESH_DAYS: i64 = 30;

pub fn access(token: &Secret, seconds: u64) -> Cookie<'static> {
    sealed(ACCESS, token.expose().clone(), Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
}

pub fn refresh(token: &Secret) -> Cookie<'static> {
    sealed(REFRESH, token.expose().clone(), Duration::days(REFRESH_DAYS))
}

pub fn forget_tokens() -> [Cookie<'static>; 2] {
    [ACCESS, REFRESH].map(|name| sealed(name, String::new(), Duration::ZERO))
}

fn sealed(name: &'static str, value: String, age: Duration) -> Cookie<'static> {
    Cookie::build(name, value).path("/").http_only(true).secure(true).same_site(SameSite::Strict).max_age(age).finish()
}

/// The key that the guest cart's cookie is signed with, so that nobody can try other carts' ids.
pub struct CartKey {
    key: [u8; 32],
    over_tls: bool,
}

impl CartKey {
    pub fn new(key: [u8; 32], over_tls: bool) -> Self {
        Self { key, over_tls }
    }

    pub fn cookie(&self, cart: CartId) -> Cookie<'static> {
        let signature = URL_SAFE_NO_PAD.encode(self.mac(cart).finalize().into_bytes());
        self.build(format!("{cart}.{signature}"), Duration::days(CART_DAYS))
    }

    pub fn forget(&self) -> Cookie<'static> {
        self.build(String::new(), Duration::ZERO)
    }

    /// Not `Secure` without TLS: a guest's cart is no secret worth losing over plain HTTP on a LAN.
    fn build(&self, value: String, age: Duration) -> Cookie<'static> {
        let mut cookie = sealed(self.name(), value, age);
        cookie.set_secure(self.over_tls);
        cookie
    }

    fn name(&self) -> &'static str {
        if self.over_tls { CART_OVER_TLS } else { CART }
    }

    /// The guest's cart, if the request has one and its signature holds.
    pub fn cart(&self, request: &HttpRequest) -> Option<CartId> {
        let cookie = request.cookie(self.name())?;
        let (cart, signature) = cookie.value().split_once('.')?;
        let cart = cart.parse().ok()?;
        self.mac(cart).verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        Some(cart)
    }

    fn mac(&self, cart: CartId) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(cart.to_string().as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    #[test]
    fn a_cart_cookie_is_believed_only_with_its_own_signature() {
        let (key, other) = (CartKey::new([1; 32], false), CartKey::new([2; 32], false));
        let cart = CartId::from_uuid(Uuid::from_u128(1));
        let good = key.cookie(cart);
        let read = |key: &CartKey, value: &str| {
            key.cart(&TestRequest::default().cookie(Cookie::new(CART, value.to_owned())).to_http_request())
        };
        assert_eq!(read(&key, good.value()), Some(cart));
        assert_eq!(read(&other, good.value()), None);
        let someone_elses = good.value().replace(&cart.to_string(), &CartId::from_uuid(Uuid::from_u128(2)).to_string());
        assert_eq!(read(&key, &someone_elses), None);
        assert_eq!(read(&key, &cart.to_string()), None);
    }
}
