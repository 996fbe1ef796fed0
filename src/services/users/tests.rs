//! The service as its callers meet it: started on a folder of its own, asked through the mesh.

mod access_tokens;
mod accounts;
mod operators;
mod sessions;

use super::{launch, messages::*, rules, store::Store};
use crate::{
    env::{Env, later},
    mesh::{CallError, Context, Delivery, Handlers, InjectedFault, Mesh, MeshError, Ping, Request, TraceId},
    services::{ALLOWED_CALLS, SUBSCRIPTIONS, ServiceDeps},
    storage::Storage,
    types::{Address, Principal, Role, Secret, Service, SessionId, Timestamp, UserId},
};
use actix::{Actor, Handler};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

const PASSWORD: &str = "tea & wafers at four";
const ANYBODY: Principal = Principal::Anonymous;

/// The service in a house of its own.
struct House {
    folder: tempfile::TempDir,
    env: Env,
    mesh: Mesh,
    /// What the service has, to look behind its answers.
    store: Store,
}

impl House {
    fn open(env: Env, instances: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = Storage::open(folder.path(), &env).unwrap().tree(Service::Users).unwrap();
        let (mesh, store) = (Mesh::new(env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS), Store::new(&tree));
        launch(ServiceDeps { env: env.clone(), mesh: mesh.clone(), tree, instances }).unwrap();
        Self { folder, env, mesh, store }
    }

    async fn ask<R: Request<Error = UsersError>>(
        &self,
        principal: Principal,
        request: R,
    ) -> Result<R::Reply, UsersError> {
        let context = Context::new(principal, Duration::from_secs(60), TraceId([7; 16]));
        self.mesh.call(&context, request).await.map_err(|error| match error {
            CallError::Domain(error) => error,
            CallError::Mesh(error) => panic!("{}: {error}", R::NAME),
        })
    }

    async fn register(&self, email: &str) -> Result<SignedIn, UsersError> {
        self.register_with(None, email, PASSWORD).await.map(|registered| registered.signed_in)
    }

    async fn register_with(&self, key: Option<&str>, email: &str, password: &str) -> Result<Registered, UsersError> {
        let (email, name) = (email.parse().unwrap(), "Ada Lovelace".parse().unwrap());
        self.ask(
            ANYBODY,
            RegisterUser { email, password: secret(password), name, key: key.map(str::to_owned), from: None },
        )
        .await
    }

    async fn sign_in(&self, email: &str, password: &str) -> Result<SignedIn, UsersError> {
        self.ask(ANYBODY, SignIn { email: email.parse().unwrap(), password: secret(password), from: None }).await
    }

    async fn refresh(&self, signed_in: &SignedIn) -> Result<SignedIn, UsersError> {
        self.ask(ANYBODY, RefreshSession { refresh_token: signed_in.refresh_token.clone() }).await
    }

    async fn sessions(&self, user: &User) -> Vec<SessionId> {
        let sessions = self.ask(is(user), ListSessions { user_id: user.id }).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect()
    }

    async fn revoked(&self) -> Vec<SessionId> {
        let revoked = self.ask(ANYBODY, ListRevoked {}).await.unwrap();
        revoked.into_iter().map(|revoked| revoked.session_id).collect()
    }

    async fn redeem(&self, token: &Secret, email: &str) -> Result<SignedIn, UsersError> {
        let (token, email, name) = (token.clone(), email.parse().unwrap(), "Olga Operator".parse().unwrap());
        self.ask(ANYBODY, RedeemSetupToken { token, email, password: secret(PASSWORD), name }).await
    }

    async fn keys(&self) -> Vec<PublicKey> {
        self.ask(ANYBODY, GetKeys {}).await.unwrap()
    }

    /// What a gateway does with an access token.
    async fn verify(&self, token: &str) -> Option<AccessClaims> {
        let header = decode_header(token).ok().filter(|header| header.typ.as_deref() == Some(TOKEN_TYPE))?;
        let key = self.keys().await.into_iter().find(|key| Some(&key.kid) == header.kid.as_ref())?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // By the house's clock, not the world's.
        validation.validate_exp = false;
        let claims: AccessClaims =
            decode(token, &DecodingKey::from_ed_components(&key.x).unwrap(), &validation).ok()?.claims;
        claims.hold_at(self.env.now()).then_some(claims)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.mesh.stop();
    }
}

/// Runs a test on one thread, in a time that passes only when everybody waits.
fn in_simulated_time<F: Future<Output = ()>>(test: impl FnOnce(House) -> F) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(async {
        test(House::open(Env::simulated(7, Timestamp::from_second(1_800_000_000).unwrap()), 2)).await;
    });
}

/// At once: a sleep would live through every ping of so many days.
async fn pass(time: Duration) {
    tokio::time::advance(time).await;
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn is(user: &User) -> Principal {
    Principal::User { id: user.id, role: user.role }
}

fn address() -> Address {
    let address = r#"{"name":"Ada","line1":"1 St","city":"Ulm","postal_code":"89073","country":"DE"}"#;
    serde_json::from_str(address).unwrap()
}
