//! Hashes passwords with argon2id (RFC 9106) on a bounded pool.
//!
//! One hash takes 19 MiB and about 20 ms of a core, so a hundred at once would overload the shop.
//! The pool runs one hash per core and queues some more. Further requests fail at once with `Busy`.

use super::messages::UsersError;
use crate::{
    env::Env,
    mesh::{Context, Failure, MeshError},
    types::Secret,
};
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The minimum for argon2id of the OWASP Password Storage Cheat Sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// How many requests may wait for a core.
const MOST_WAITING: usize = 64;

/// Verified where there is no account: it takes the same time, and no password matches it.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCBhY2NvdW50IQ$bm9ib2R5IGtub3dzIHdoYXQgZ2l2ZXMgdGhpcyBoYXM";

/// The pool that all instances share; cheap to clone.
#[derive(Clone)]
pub struct PasswordPool {
    env: Env,
    /// One permit for each request that waits or runs.
    admitted: Arc<Semaphore>,
    /// One permit for each hash that runs.
    cores: Arc<Semaphore>,
}

/// The result of verifying a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCheck {
    pub is_right: bool,
    /// Whether the hash was made with other parameters than today's, so that it should be replaced.
    pub is_outdated: bool,
}

impl PasswordPool {
    pub fn new(env: &Env) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        Self::with_limits(env, cores, MOST_WAITING)
    }

    pub(super) fn with_limits(env: &Env, cores: usize, waiting: usize) -> Self {
        let (admitted, cores) = (Semaphore::new(cores + waiting), Semaphore::new(cores));
        Self { env: env.clone(), admitted: Arc::new(admitted), cores: Arc::new(cores) }
    }

    /// Hashes the password with a fresh salt; gives a PHC string.
    pub async fn hash(&self, context: &Context, password: Secret) -> Result<String, Failure<UsersError>> {
        let salt: [u8; 16] = self.env.bytes();
        let hash = self.run(context, move || hash(&password, &salt)).await?;
        hash.map_err(|error| MeshError::Failed(format!("hashing: {error}")).into())
    }

    /// Checks a password against a hash. Without a hash the answer is no, after the same time.
    pub async fn verify(
        &self,
        context: &Context,
        password: Secret,
        hash: Option<String>,
    ) -> Result<PasswordCheck, Failure<UsersError>> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DUMMY_HASH.to_owned());
        let check = self.run(context, move || verify(&password, &hash)).await?;
        Ok(PasswordCheck { is_right: check.is_right && known, ..check })
    }

    async fn run<T: Send + 'static>(
        &self,
        context: &Context,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure<UsersError>> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| UsersError::Busy)?;
        // A request whose deadline passes while it waits is not hashed.
        let core = tokio::time::timeout_at(context.deadline, self.cores.clone().acquire_owned()).await;
        let core = core.map_err(|_| MeshError::TimedOut)?;
        let work = move || {
            // The permits are released when the work ends, also if its caller has given up before.
            let _held = (admitted, core);
            work()
        };
        let done = self.env.blocking(work).await;
        done.ok_or_else(|| MeshError::Failed("hashing a password panicked".into()).into())
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::Error> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &Secret, salt: &[u8]) -> Result<String, String> {
    let argon2 = argon2().map_err(|error| error.to_string())?;
    let hash: PasswordHash =
        argon2.hash_password_with_salt(password.expose().as_bytes(), salt).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

fn verify(password: &Secret, hash: &str) -> PasswordCheck {
    let Ok(hash) = PasswordHash::new(hash) else { return PasswordCheck { is_right: false, is_outdated: true } };
    // The hash itself says with which parameters it was made.
    let is_right = Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok();
    PasswordCheck { is_right, is_outdated: !is_of_today(&hash) }
}

fn is_of_today(hash: &PasswordHash) -> bool {
    let today = (MEMORY_KIB, ITERATIONS, LANES);
    let is_same = |params: Params| (params.m_cost(), params.t_cost(), params.p_cost()) == today;
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(hash).is_ok_and(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mesh::TraceId, types::Principal};
    use std::time::Duration;

    fn context() -> Context {
        Context::new(Principal::Anonymous, Duration::from_secs(10), TraceId([1; 16]))
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[actix::test]
    async fn a_password_matches_only_its_own_hash() {
        let passwords = PasswordPool::new(&Env::system());
        let hash = passwords.hash(&context(), secret("tea & wafers")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(&context(), secret("tea & wafers")).await.unwrap());
        let verify = async |password, hash: &str| {
            passwords.verify(&context(), secret(password), Some(hash.to_owned())).await.unwrap()
        };
        assert_eq!(verify("tea & wafers", &hash).await, PasswordCheck { is_right: true, is_outdated: false });
        assert!(!verify("tea & wafers ", &hash).await.is_right);
        assert!(!verify("", &hash).await.is_right);
    }

    #[actix::test]
    async fn the_dummy_hash_has_todays_parameters_and_no_password() {
        assert_eq!(
            verify(&secret("no such account"), DUMMY_HASH),
            PasswordCheck { is_right: false, is_outdated: false }
        );
        let params = format!("$argon2id$v=19$m={MEMORY_KIB},t={ITERATIONS},p={LANES}$");
        assert!(DUMMY_HASH.starts_with(&params));
        let check =
            PasswordPool::new(&Env::system()).verify(&context(), secret("no such account"), None).await.unwrap();
        assert!(!check.is_right);
    }

    #[test]
    fn a_hash_with_old_parameters_is_recognised() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8 * 1024, 1, 1, None).unwrap());
        let hash: PasswordHash = weak.hash_password_with_salt(b"tea & wafers", b"salt and pepper").unwrap();
        let check = verify(&secret("tea & wafers"), &hash.to_string());
        assert_eq!(check, PasswordCheck { is_right: true, is_outdated: true });
    }

    #[actix::test]
    async fn a_full_pool_refuses_at_once() {
        let passwords = PasswordPool::with_limits(&Env::system(), 1, 2);
        let context = context();
        let one = || passwords.hash(&context, secret("tea & wafers"));
        let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert!(matches!(d, Err(Failure::Domain(UsersError::Busy))));
        assert!(one().await.is_ok(), "there is room again");
    }

    #[actix::test]
    async fn a_request_past_its_deadline_is_not_hashed() {
        let passwords = PasswordPool::with_limits(&Env::system(), 1, 2);
        let hasty = context().within(Duration::from_millis(1));
        let context = context();
        let (patient, hasty) = tokio::join!(
            passwords.hash(&context, secret("tea & wafers")),
            passwords.hash(&hasty, secret("tea & wafers"))
        );
        assert!(patient.is_ok());
        assert!(matches!(hasty, Err(Failure::Fault(MeshError::TimedOut))));
    }
}
