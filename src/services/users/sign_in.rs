//! The handlers of registration, sessions and passwords.

use super::{
    login_throttle::{AttemptSource, ThrottleKey},
    messages::*,
    password_policy::check_password,
    passwords::PasswordCheck,
    records::{FIRST_PASSWORD, Session, UserRecord},
    service::Users,
    store::Refreshed,
    tokens::{RefreshToken, TokenKey, random_token},
};
use crate::{
    env::later,
    mesh::{Context, Failure, HandlerResult, MeshError},
    storage::StorageError,
    types::{Email, Role, Secret, Timestamp, UserId},
};
use std::time::Duration;

/// How long the idempotency key of a registration is valid.
const KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

impl Users {
    pub(super) async fn register_user(&self, context: Context, request: RegisterUser) -> HandlerResult<RegisterUser> {
        let RegisterUser { email, password, name, key, from } = request;
        check_password(password.expose(), &email, &name)?;
        if let Some(made) = key.as_deref().map(|key| self.registered_with(key, &email)).transpose()?.flatten() {
            let throttle_key = ThrottleKey { account: email, source: AttemptSource::Unknown };
            if !self.verify_throttled(&context, &throttle_key, password, Some(made.password_hash)).await?.is_right {
                // After a change of the password the request may be the first one, sent again.
                let is_unchanged = made.password_version == FIRST_PASSWORD;
                return Err(if is_unchanged { UsersError::KeyReused } else { UsersError::EmailTaken }.into());
            }
            let signed_in = self.open_session(&context, made.user.id, made.password_version, from).await?;
            return Ok(Registered { signed_in, is_repeated: true });
        }
        let password_hash = self.passwords.hash(&context, password).await?;
        let user = self.new_user(email, name, Role::Customer);
        self.store.register(&user, password_hash, key.as_deref()).await?;
        log::info!(user:% = user.id, trace:% = context.trace; "an account was registered");
        let signed_in = self.open_session(&context, user.id, FIRST_PASSWORD, from).await?;
        Ok(Registered { signed_in, is_repeated: false })
    }

    /// The account with this address, if it was registered with this key within [`KEY_LIFE`].
    fn registered_with(&self, key: &str, email: &Email) -> Result<Option<UserRecord>, StorageError> {
        let found = self.store.by_email(email)?;
        Ok(found.filter(|record| {
            record.was_registered_with(key) && later(record.user.created_at, KEY_LIFE) > self.env.now()
        }))
    }

    pub(super) async fn sign_in(&self, context: Context, request: SignIn) -> HandlerResult<SignIn> {
        let found = self.store.by_email(&request.email)?;
        let (user, hash) = found.as_ref().map(|record| (record.user.id, record.password_hash.clone())).unzip();
        let source = self.attempt_source(user, request.from)?;
        let throttle_key = ThrottleKey { account: request.email, source };
        let check = self.verify_throttled(&context, &throttle_key, request.password.clone(), hash).await?;
        let Some(record) = found.filter(|_| check.is_right) else {
            log::warn!(user:? = user, trace:% = context.trace; "a sign-in was refused: wrong e-mail address or password");
            return Err(UsersError::InvalidCredentials.into());
        };
        if check.is_outdated {
            self.rehash(&context, &record, request.password).await?;
        }
        self.open_session(&context, record.user.id, record.password_version, request.from).await
    }

    /// Whether the user has signed in from this network before.
    fn attempt_source(&self, user: Option<UserId>, from: Option<ClientNetwork>) -> Result<AttemptSource, StorageError> {
        let (Some(user), Some(network)) = (user, from) else { return Ok(AttemptSource::Unknown) };
        for session in self.store.sessions_of(user) {
            if session?.from == from {
                return Ok(AttemptSource::KnownNetwork(network));
            }
        }
        Ok(AttemptSource::Unknown)
    }

    /// Checks a password, unless there were too many wrong ones before it.
    async fn verify_throttled(
        &self,
        context: &Context,
        throttle_key: &ThrottleKey,
        password: Secret,
        hash: Option<String>,
    ) -> Result<PasswordCheck, Failure<UsersError>> {
        self.throttle.admit(throttle_key, self.env.now()).map_err(|wait| UsersError::TooManyGuesses { wait })?;
        let check = self.passwords.verify(context, password, hash).await;
        match &check {
            Ok(check) if check.is_right => self.throttle.reset(throttle_key),
            Ok(_) => {}
            Err(_) => self.throttle.cancel(throttle_key),
        }
        check
    }

    pub(super) async fn refresh_session(
        &self,
        context: Context,
        request: RefreshSession,
    ) -> HandlerResult<RefreshSession> {
        let token = RefreshToken::parse(request.refresh_token.expose()).ok_or(UsersError::RefreshTokenInvalid)?;
        let (session_id, now) = (token.session_id, self.env.now());
        match self.store.refresh(&token, random_token(&self.env).expose(), now).await? {
            Refreshed::Token { user_id, successor } => {
                let record = self.store.user(user_id)?.ok_or(UsersError::RefreshTokenInvalid)?;
                self.signed_in(record.user, &successor, now)
            }
            Refreshed::Reused { user_id } => {
                log::warn!(user:% = user_id, session:% = session_id, trace:% = context.trace;
                    "a used refresh token was presented again; its session has been ended");
                Err(UsersError::RefreshTokenReused { session_id }.into())
            }
            Refreshed::Invalid => Err(UsersError::RefreshTokenInvalid.into()),
        }
    }

    pub(super) async fn end_session(&self, context: Context, request: EndSession) -> HandlerResult<EndSession> {
        self.account(&context, request.user_id)?;
        let sessions = self.store.sign_out(request.user_id, request.session_id, self.env.now()).await?;
        log::info!(user:% = request.user_id, trace:% = context.trace; "signed out");
        Ok(EndedSessions { sessions })
    }

    pub(super) async fn list_sessions(&self, context: Context, request: ListSessions) -> HandlerResult<ListSessions> {
        self.account(&context, request.user_id)?;
        let now = self.env.now();
        let mut live = self.store.sessions_of(request.user_id).collect::<Result<Vec<_>, _>>()?;
        live.retain(|session| session.is_live(now));
        let info = |Session { id, created_at, last_used_at, .. }| SessionInfo { id, created_at, last_used_at };
        Ok(live.into_iter().map(info).collect())
    }

    pub(super) async fn list_revoked(&self, _: Context, _: ListRevoked) -> HandlerResult<ListRevoked> {
        let sessions = self.store.revoked(self.env.now())?;
        Ok(sessions.iter().map(|session| Revoked { session_id: session.id, until: session.until() }).collect())
    }

    pub(super) async fn get_keys(&self, _: Context, _: GetKeys) -> HandlerResult<GetKeys> {
        let keys = self.store.published_keys(self.env.now())?;
        Ok(keys.iter().map(TokenKey::public).collect::<Result<_, _>>()?)
    }

    pub(super) async fn change_password(
        &self,
        context: Context,
        request: ChangePassword,
    ) -> HandlerResult<ChangePassword> {
        let record = self.account(&context, request.user_id)?;
        check_password(request.new_password.expose(), &record.user.email, &record.user.name)?;
        let source = request.session_id.map_or(AttemptSource::Unknown, AttemptSource::Session);
        let throttle_key = ThrottleKey { account: record.user.email, source };
        if !self
            .verify_throttled(&context, &throttle_key, request.current_password, Some(record.password_hash))
            .await?
            .is_right
        {
            log::warn!(user:% = request.user_id, trace:% = context.trace; "a password change was refused: wrong current password");
            return Err(UsersError::WrongPassword.into());
        }
        let password_hash = self.passwords.hash(&context, request.new_password).await?;
        let set = |changed: &mut UserRecord| {
            // Another change came first, so the given current password is outdated.
            if changed.password_version != record.password_version {
                return Err(UsersError::WrongPassword);
            }
            changed.password_hash.clone_from(&password_hash);
            Ok(())
        };
        let changed = self.store.change_password(request.user_id, request.session_id, self.env.now(), set).await;
        let (_, sessions) = changed?;
        log::info!(user:% = request.user_id, trace:% = context.trace; "the password was changed");
        Ok(EndedSessions { sessions })
    }

    /// Begins a session after this version of the password has been checked.
    pub(super) async fn open_session(
        &self,
        context: &Context,
        user_id: UserId,
        password_version: u32,
        from: Option<ClientNetwork>,
    ) -> Result<SignedIn, Failure<UsersError>> {
        let now = self.env.now();
        let token = RefreshToken::first(self.env.id(), &self.env);
        let session = Session {
            id: token.session_id,
            user_id,
            created_at: now,
            last_used_at: now,
            from,
            ended_at: None,
            family: token.family(),
            current: token.fingerprint(),
            previous: None,
        };
        let opened = self.store.open_session(session, password_version).await?;
        let (user, ended) = opened.ok_or(UsersError::InvalidCredentials)?;
        log::info!(user:% = user_id, session:% = token.session_id, trace:% = context.trace; "signed in");
        Ok(SignedIn { ended, ..self.signed_in(user, &token, now)? })
    }

    fn signed_in(&self, user: User, token: &RefreshToken, now: Timestamp) -> Result<SignedIn, Failure<UsersError>> {
        let key = self.store.signing_key()?.ok_or_else(|| MeshError::Failed("there is no signing key".into()))?;
        Ok(SignedIn {
            session_id: token.session_id,
            access_token: key.sign(&user, token.session_id, now, &self.env)?,
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: token.text(),
            ended: Vec::new(),
            user,
        })
    }

    /// Hashes the password again with today's parameters. This is possible only now, because the
    /// password itself is not stored.
    async fn rehash(
        &self,
        context: &Context,
        record: &UserRecord,
        password: Secret,
    ) -> Result<(), Failure<UsersError>> {
        let password_hash = match self.passwords.hash(context, password).await {
            // The next sign-in tries again.
            Err(Failure::Domain(UsersError::Busy)) => return Ok(()),
            hashed => hashed?,
        };
        let set = |changed: &mut UserRecord| {
            if changed.password_version == record.password_version {
                changed.password_hash.clone_from(&password_hash);
            }
            Ok(())
        };
        self.store.change(record.user.id, set).await
    }
}
