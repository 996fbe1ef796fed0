//! The fingerprint of a request: two requests with one `Idempotency-Key` are the same request if
//! their fingerprints are equal.

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::borrow::Cow;

/// The members of a body that are left out of a fingerprint if the response carries tokens: the
/// passwords. A keyed hash is fast, and its key is in the same data folder. A thief of the folder
/// could guess a password with it, which the password's slow hash prevents.
pub const SECRET_MEMBERS: [&str; 1] = ["password"];

/// The key of fingerprints. A fingerprint is a keyed hash (HMAC-SHA-256, RFC 2104). The body may
/// hold a card number, and all card numbers can be tried, so a plain hash of it must not be on disk
/// (PCI DSS 3.5.1.1).
pub struct FingerprintKey(Hmac<Sha256>);

impl FingerprintKey {
    /// Derives the key from the gateway's secret, so that it is the same after a restart.
    pub fn derived_from(secret: &[u8; 32]) -> Self {
        let key = |bytes: &[u8]| <Hmac<Sha256> as Mac>::new_from_slice(bytes).expect("HMAC takes a key of any length");
        Self(key(&key(secret).chain_update("fingerprints of requests").finalize().into_bytes()))
    }

    /// The fingerprint of a request, as 64 hexadecimal digits. The length of each part is hashed
    /// with it, so that `/a` with `bc` differs from `/ab` with `c`.
    pub fn fingerprint(&self, method: &str, path: &str, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The body without its [`SECRET_MEMBERS`]. A body that is not a JSON object stays as it is: its
/// request is refused, and nothing is kept.
pub fn without_secrets(body: &[u8]) -> Cow<'_, [u8]> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut members)) => {
            members.retain(|name, _| !SECRET_MEMBERS.contains(&name.as_str()));
            Value::Object(members).to_string().into_bytes().into()
        }
        _ => body.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_differs_by_method_path_body_and_key() {
        let (key, other) = (FingerprintKey::derived_from(&[1; 32]), FingerprintKey::derived_from(&[2; 32]));
        let known = key.fingerprint("POST", "/a", b"bc");
        assert_eq!(known, key.fingerprint("POST", "/a", b"bc"));
        let unlike = [
            key.fingerprint("PUT", "/a", b"bc"),
            key.fingerprint("POST", "/ab", b"c"),
            other.fingerprint("POST", "/a", b"bc"),
        ];
        assert!(unlike.iter().all(|fingerprint| *fingerprint != known));
    }

    #[test]
    fn a_fingerprint_of_a_request_whose_response_carries_tokens_leaves_the_password_out() {
        let text = |body: &str| String::from_utf8(without_secrets(body.as_bytes()).into_owned()).unwrap();
        assert_eq!(text(r#"{"email":"a@b.c","password":"a long walk"}"#), r#"{"email":"a@b.c"}"#);
        assert_eq!(text(r#"{"email":"a@b.c","passw\u006frd":"a long walk"}"#), r#"{"email":"a@b.c"}"#);
        for no_object in ["", "[1]", "{"] {
            assert_eq!(text(no_object), no_object);
        }
    }
}
