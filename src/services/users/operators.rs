//! The handlers that make operators: by set-up token (the first one) or by the command line.

use super::{
    messages::*,
    password_policy::check_password,
    records::{FIRST_PASSWORD, UserRecord},
    rules::SETUP_TOKEN_LIFE,
    service::Users,
    tokens::{Fingerprint, random_token},
};
use crate::{
    env::later,
    mesh::{Context, Failure, HandlerResult},
    types::{Email, Role},
};

impl Users {
    pub(super) async fn has_operator(&self, _: Context, _: HasOperator) -> HandlerResult<HasOperator> {
        Ok(self.store.has_operator()?)
    }

    pub(super) async fn create_operator(
        &self,
        context: Context,
        request: CreateOperator,
    ) -> HandlerResult<CreateOperator> {
        check_password(request.password.expose(), &request.email, &request.name)?;
        let password_hash = self.passwords.hash(&context, request.password).await?;
        let user = self.new_user(request.email, request.name, Role::Operator);
        let user = match self.store.register(&user, password_hash.clone(), None).await {
            Ok(()) => user,
            Err(Failure::Domain(UsersError::EmailTaken)) => self.promote(&user.email, &password_hash).await?,
            Err(fault) => return Err(fault),
        };
        // A set-up token that was printed before must not make another operator.
        self.store.withdraw_setup_token().await?;
        log::info!(user:% = user.id, trace:% = context.trace; "an operator was made");
        Ok(user)
    }

    /// Gives an existing account the role `operator` and this password.
    async fn promote(&self, email: &Email, password_hash: &str) -> Result<User, Failure<UsersError>> {
        let record = self.store.by_email(email)?.ok_or(UsersError::EmailTaken)?;
        let promote = |record: &mut UserRecord| {
            record.user.role = Role::Operator;
            record.password_hash = password_hash.to_owned();
            Ok(())
        };
        Ok(self.store.change_password(record.user.id, None, self.env.now(), promote).await?.0)
    }

    pub(super) async fn issue_setup_token(&self, _: Context, _: IssueSetupToken) -> HandlerResult<IssueSetupToken> {
        let token = random_token(&self.env);
        let expires_at = later(self.env.now(), SETUP_TOKEN_LIFE);
        self.store.issue_setup_token(Fingerprint::of(token.expose().as_bytes()), expires_at).await?;
        Ok(SetupToken { token, expires_at })
    }

    pub(super) async fn redeem_setup_token(
        &self,
        context: Context,
        request: RedeemSetupToken,
    ) -> HandlerResult<RedeemSetupToken> {
        let token = Fingerprint::of(request.token.expose().as_bytes());
        // Checked first, so that a wrong token costs no hash and learns nothing about the password.
        if !self.store.is_setup_token(&token, self.env.now())? {
            return Err(UsersError::SetupTokenInvalid.into());
        }
        check_password(request.password.expose(), &request.email, &request.name)?;
        let password_hash = self.passwords.hash(&context, request.password).await?;
        let user = self.new_user(request.email, request.name, Role::Operator);
        if !self.store.take_setup_token(&token, user.id, self.env.now())? {
            return Err(UsersError::SetupTokenInvalid.into());
        }
        // A crash after this line loses the token, but never makes two operators. The next start of
        // the program prints a new token.
        let registered = self.store.register(&user, password_hash, None).await;
        if let Err(Failure::Domain(UsersError::EmailTaken)) = registered {
            self.store.give_setup_token_back(user.id)?;
        }
        registered?;
        log::info!(user:% = user.id, trace:% = context.trace; "the set-up token made an operator");
        self.open_session(&context, user.id, FIRST_PASSWORD, None).await
    }
}
