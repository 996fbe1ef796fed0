//! Tokens: signed access tokens, and the opaque refresh tokens that are exchanged for them.

use super::messages::{ACCESS_TOKEN_LIFE, AUDIENCE, AccessClaims, ISSUER, PublicKey, TOKEN_TYPE, User};
use crate::{
    env::{Env, later},
    mesh::MeshError,
    types::{Secret, SessionId, Timestamp},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use hmac::{Hmac, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A key that signs access tokens (Ed25519, RFC 8032). It has no `Debug`, because the secret key
/// must not appear in a log.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenKey {
    /// The thumbprint of the public key (RFC 7638).
    pub kid: String,
    /// The secret key, base64url.
    seed: String,
    pub created_at: Timestamp,
    /// When it stopped signing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
}

impl TokenKey {
    pub fn from_seed(seed: [u8; 32], created_at: Timestamp) -> Self {
        let kid = thumbprint(&public_key(&SigningKey::from_bytes(&seed)));
        Self { kid, seed: URL_SAFE_NO_PAD.encode(seed), created_at, retired_at: None }
    }

    pub fn public(&self) -> Result<PublicKey, MeshError> {
        Ok(PublicKey { kid: self.kid.clone(), x: public_key(&self.key()?) })
    }

    /// Signs the access token of a session, valid from `now` on.
    pub fn sign(&self, user: &User, session: SessionId, now: Timestamp, env: &Env) -> Result<Secret, MeshError> {
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id,
            sid: session,
            role: user.role,
            iat: now.as_second(),
            nbf: now.as_second(),
            exp: later(now, ACCESS_TOKEN_LIFE).as_second(),
            jti: URL_SAFE_NO_PAD.encode(env.bytes::<16>()),
        };
        let header =
            Header { typ: Some(TOKEN_TYPE.to_owned()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        let der = self.key()?.to_pkcs8_der().map_err(|_| self.damaged())?;
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(der.as_bytes()));
        token.map(Secret::new).map_err(|_| self.damaged())
    }

    fn key(&self) -> Result<SigningKey, MeshError> {
        let seed = URL_SAFE_NO_PAD.decode(&self.seed).ok().and_then(|seed| seed.try_into().ok());
        seed.map(|seed| SigningKey::from_bytes(&seed)).ok_or_else(|| self.damaged())
    }

    fn damaged(&self) -> MeshError {
        MeshError::Failed(format!("the signing key {} is damaged", self.kid))
    }
}

fn public_key(key: &SigningKey) -> String {
    URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes())
}

/// RFC 7638 for an Ed25519 key (RFC 8037 §2): a hash over its required members, sorted by name.
fn thumbprint(x: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

/// What is stored of a secret token: its SHA-256, base64url. A token has at least 128 random bits,
/// so a slow hash would protect it no better. Comparing fingerprints reveals nothing about a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub fn of(secret: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(secret)))
    }
}

/// 256 random bits, base64url: a set-up token, or the key that derives the next refresh token.
pub fn random_token(env: &Env) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(env.bytes::<32>()))
}

/// A refresh token: `ses_…`, a dot, and 48 random bytes in base64url.
///
/// The first 16 bytes are the same in all tokens of a session (the *family*), so that an old token
/// is told from a made-up one. The other 32 bytes change with each token.
pub struct RefreshToken {
    pub session_id: SessionId,
    family: Secret<[u8; 16]>,
    own: Secret<[u8; 32]>,
}

impl RefreshToken {
    pub fn first(session_id: SessionId, env: &Env) -> Self {
        Self { session_id, family: Secret::new(env.bytes()), own: Secret::new(env.bytes()) }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (session_id, secrets) = text.split_once('.')?;
        let secrets = Zeroizing::new(URL_SAFE_NO_PAD.decode(secrets).ok()?);
        let (family, own) = secrets.split_first_chunk::<16>()?;
        let (family, own) = (Secret::new(*family), Secret::new(own.try_into().ok()?));
        Some(Self { session_id: session_id.parse().ok()?, family, own })
    }

    pub fn text(&self) -> Secret {
        let secrets = Zeroizing::new([&self.family.expose()[..], self.own.expose()].concat());
        Secret::new(format!("{}.{}", self.session_id, URL_SAFE_NO_PAD.encode(&*secrets)))
    }

    /// Derives the next token from this one and a key (HMAC-SHA-256, RFC 2104). So a repeated
    /// refresh within the grace period gives the same token, although only fingerprints are stored.
    pub fn successor(&self, key: &str) -> Self {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        let own = mac.chain_update(self.own.expose()).finalize().into_bytes().into();
        Self { session_id: self.session_id, family: self.family.clone(), own: Secret::new(own) }
    }

    pub fn family(&self) -> Fingerprint {
        Fingerprint::of(self.family.expose())
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.own.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_has_the_public_key_and_the_thumbprint_of_the_rfc() {
        // RFC 8037, appendices A.1 to A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = TokenKey::from_seed(seed.try_into().unwrap(), Timestamp::UNIX_EPOCH);
        let public = key.public().unwrap();
        assert_eq!(public.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(public.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_refresh_token_parses_back_and_has_one_successor_per_key() {
        let env = Env::system();
        let token = RefreshToken::first(env.id(), &env);
        let read = RefreshToken::parse(token.text().expose()).unwrap();
        assert_eq!((read.session_id, read.family()), (token.session_id, token.family()));
        assert_eq!(read.fingerprint(), token.fingerprint());
        let next = token.successor("a key");
        assert_eq!(next.text().expose(), read.successor("a key").text().expose());
        assert_eq!((next.session_id, next.family()), (token.session_id, token.family()));
        assert_ne!(next.fingerprint(), token.fingerprint());
        assert_ne!(next.fingerprint(), token.successor("another key").fingerprint());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_as_a_refresh_token_or_refused_without_a_panic(text: String, secrets in "[A-Za-z0-9_-]{0,70}") {
            prop_assert!(RefreshToken::parse(&text).is_none());
            let session = "ses_00000000000000000000000000000001";
            let is_token = RefreshToken::parse(&format!("{session}.{secrets}")).is_some();
            prop_assert_eq!(is_token, secrets.len() == 64);
        }
    }
}
