//! Forged, foreign and misused tokens.

use crate::harness::Shop;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

#[test]
fn a_token_with_a_wrong_signature_or_purpose_is_refused() {
    let shop = Shop::open();
    let user = shop.shopper();
    let parts: Vec<_> = user.token().split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("no JWT: {}", user.token()) };
    assert_eq!((&decode(header)["alg"], &decode(header)["typ"]), (&json!("EdDSA"), &json!("at+jwt")));

    let with = |part: &str, name: &str, value: Value| {
        let mut part = decode(part);
        part[name] = value;
        encode(&part)
    };
    let jwks = shop.anonymous().get("/.well-known/jwks.json").ok();
    let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    let hmac_by_public_key = {
        let signed = format!("{}.{claims}", with(header, "alg", json!("HS256")));
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&public).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    let by_another_key = |header: &str, claims: &str| {
        let signed = format!("{header}.{claims}");
        let signature = SigningKey::from_bytes(&[7; 32]).sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    };
    let own_key = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(SigningKey::from_bytes(&[7; 32]).verifying_key())});
    let operator = with(claims, "role", json!("operator"));
    let last = if signature.ends_with('A') { "B" } else { "A" };
    let forged = [
        ("alg none", format!("{}.{claims}.", with(header, "alg", json!("none")))),
        ("alg None", format!("{}.{claims}.{signature}", with(header, "alg", json!("None")))),
        ("no signature", format!("{header}.{claims}.")),
        ("the public key as a secret", hmac_by_public_key),
        ("another key", by_another_key(header, claims)),
        ("another key under its own name", by_another_key(&with(header, "kid", json!("mine")), &operator)),
        ("another key in the header", by_another_key(&with(header, "jwk", own_key), &operator)),
        ("a made-up role", format!("{header}.{operator}.{signature}")),
        ("a later end", format!("{header}.{}.{signature}", with(claims, "exp", json!(4_000_000_000u64)))),
        ("a changed signature", format!("{header}.{claims}.{last}{}", &signature[1..])),
        ("another type", format!("{}.{claims}.{signature}", with(header, "typ", json!("JWT")))),
        ("a part too many", format!("{}.x", user.token())),
        ("a part too few", format!("{header}.{claims}")),
        ("a refresh token", user.refresh_token.clone()),
        ("nothing", String::new()),
        ("dots", "...".into()),
        ("length", "a".repeat(8000)),
    ];
    for (what, token) in forged {
        for path in ["/api/v1/users/me", "/api/v1/products", "/api/v1/audit"] {
            let refused = user.bearing(Some(&token)).get(path);
            assert_eq!(
                (refused.status, &refused["code"]),
                (401, &json!("invalid_token")),
                "{what} at {path}: {refused:#?}"
            );
            assert!(refused.header("www-authenticate").contains("invalid_token"), "{what}: {refused:#?}");
        }
    }
    let guest = shop.anonymous();
    for (credentials, code) in [
        ("Basic YWRhOnB3", "unauthorized"),
        (user.token(), "unauthorized"),
        ("Bearer", "invalid_token"),
        ("Bearer ", "invalid_token"),
    ] {
        guest.send("GET", "/api/v1/users/me", &[("authorization", credentials)], None).problem(401, code);
    }
    let lower = format!("bearer {}", user.token());
    guest.send("GET", "/api/v1/users/me", &[("authorization", &lower)], None).ok();
    user.me().ok();
}

#[test]
fn a_token_of_another_shop_is_refused() {
    let (here, there) = (Shop::open(), Shop::open());
    let user = there.operator();
    here.anonymous().bearing(Some(user.token())).me().problem(401, "invalid_token");
}

#[test]
fn the_key_set_holds_only_public_keys() {
    let shop = Shop::open();
    let jwks = shop.anonymous().get("/.well-known/jwks.json").ok();
    let keys = jwks["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!(
            (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig"))
        );
        assert!(key.get("d").is_none(), "the private half: {key}");
    }
}
