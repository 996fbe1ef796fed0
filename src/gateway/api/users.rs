//! Accounts, sessions and saved addresses.

use super::{
    paging::{Paging, page_of},
    tokens::{Tokens, signed_in, signed_out},
};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, MaybeBody, PathId, Query},
        filters::{
            authentication::{
                cookies::{CartKey, REFRESH},
                token_verifier::TokenVerifier,
            },
            idempotency,
        },
        respond::{
            Problem, ReplyResult,
            reply::{Nothing, created, no_content, ok},
        },
    },
    mesh::CallError,
    services::users::messages::*,
    types::{Address, AddressId, Email, Page, Secret, SessionId},
};
use actix_web::{FromRequest, HttpRequest, web::Data};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    email: Email,
    password: Secret,
    name: PersonName,
}

/// Creates an account and signs in. A request that is sent again with its key signs in again: a
/// response with tokens must not be stored.
pub async fn register(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    cart_key: Data<CartKey>,
    Body(new): Body<NewUser>,
) -> ReplyResult<Tokens, 201> {
    let NewUser { email, password, name } = new;
    let key = context.idempotency_key.borrow().as_ref().map(|it| it.key.clone());
    let Registered { signed_in: session, is_repeated } =
        context.call(RegisterUser { email, password, name, key, from: Some(context.network()) }).await?;
    let mut reply = signed_in(&context, &request, &verifier, &cart_key, session).await?;
    if is_repeated {
        idempotency::mark_replayed(reply.response_mut());
    }
    Ok(reply)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    email: Email,
    password: Secret,
}

pub async fn sign_in(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    cart_key: Data<CartKey>,
    Body(credentials): Body<Credentials>,
) -> ReplyResult<Tokens, 201> {
    let Credentials { email, password } = credentials;
    let session = context.call(SignIn { email, password, from: Some(context.network()) }).await?;
    signed_in(&context, &request, &verifier, &cart_key, session).await
}

pub async fn redeem_setup(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    cart_key: Data<CartKey>,
    Body(setup): Body<RedeemSetupToken>,
) -> ReplyResult<Tokens, 201> {
    let session = context.call(setup).await?;
    signed_in(&context, &request, &verifier, &cart_key, session).await
}

/// Exchanges a refresh token for new tokens. The token is in the body, or in the browser's cookie.
pub async fn refresh(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    cart_key: Data<CartKey>,
    MaybeBody(body): MaybeBody<RefreshSession>,
) -> ReplyResult<Tokens, 201> {
    let from_cookie = request.cookie(REFRESH).map(|cookie| cookie.value().to_owned()).filter(|token| !token.is_empty());
    let refresh_token = match (body, from_cookie) {
        (Some(body), _) => body.refresh_token,
        (None, Some(token)) => Secret::new(token),
        // Without a token the problem is that of a missing body.
        (None, None) => Body::<RefreshSession>::extract(&request).await?.0.refresh_token,
    };
    match context.ask(&context.call_context(), RefreshSession { refresh_token }).await {
        // While the access token was expired, the shopper may have filled a cart as a guest: it is
        // merged, too.
        Ok(session) => signed_in(&context, &request, &verifier, &cart_key, session).await,
        Err(error) => {
            if let CallError::Domain(UsersError::RefreshTokenReused { session_id }) = &error {
                verifier.forget(&EndedSessions { sessions: vec![*session_id] });
            }
            Err(error.into())
        }
    }
}

pub async fn sign_out(context: RequestContext, verifier: Data<TokenVerifier>) -> ReplyResult<Nothing, 204> {
    let (user_id, session_id) = (context.user()?, context.session());
    let ended = context.call(EndSession { user_id, session_id }).await?;
    verifier.forget(&ended);
    Ok(signed_out())
}

pub async fn get_me(context: RequestContext) -> ReplyResult<User> {
    ok(context.call(GetUser { user_id: context.user()? }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    name: Option<PersonName>,
    email: Option<Email>,
}

pub async fn update_me(context: RequestContext, Body(Profile { name, email }): Body<Profile>) -> ReplyResult<User> {
    ok(context.call(UpdateUser { user_id: context.user()?, name, email }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    current_password: Secret,
    new_password: Secret,
}

pub async fn change_password(
    context: RequestContext,
    verifier: Data<TokenVerifier>,
    Body(passwords): Body<PasswordChange>,
) -> ReplyResult<Nothing, 204> {
    let PasswordChange { current_password, new_password } = passwords;
    let change =
        ChangePassword { user_id: context.user()?, session_id: context.session(), current_password, new_password };
    let ended = context.ask(&context.call_context(), change).await.map_err(|error| match error {
        // The service names the field `password`. In this request it is `new_password`.
        CallError::Domain(error @ (UsersError::PasswordLength | UsersError::PasswordTooCommon)) => {
            Problem::invalid("/new_password", error.to_string())
        }
        error => error.into(),
    })?;
    verifier.forget(&ended);
    no_content()
}

#[derive(Serialize, ToSchema)]
pub struct ListedSession {
    #[serde(flatten)]
    session: SessionInfo,
    /// Whether the request itself was sent in this session.
    current: bool,
}

pub async fn list_sessions(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<ListedSession>> {
    let (user_id, current) = (context.user()?, context.session());
    let sessions = context.call(ListSessions { user_id }).await?.into_iter();
    let sessions = sessions.map(|session| ListedSession { current: Some(session.id) == current, session }).collect();
    // Newest first.
    page_of(&format!("sessions of {user_id}"), sessions, paging, |listed: &ListedSession| Reverse(listed.session.id))
}

pub async fn end_session(
    context: RequestContext,
    verifier: Data<TokenVerifier>,
    PathId(session_id): PathId<SessionId>,
) -> ReplyResult<Nothing, 204> {
    let user_id = context.user()?;
    if !context.call(ListSessions { user_id }).await?.iter().any(|session| session.id == session_id) {
        return Err(Problem::not_found());
    }
    end(&context, &verifier, Some(session_id)).await
}

pub async fn end_all_sessions(context: RequestContext, verifier: Data<TokenVerifier>) -> ReplyResult<Nothing, 204> {
    end(&context, &verifier, None).await
}

/// Ends one session, or with `None` all sessions of the user.
async fn end(
    context: &RequestContext,
    verifier: &TokenVerifier,
    session_id: Option<SessionId>,
) -> ReplyResult<Nothing, 204> {
    let ended = context.call(EndSession { user_id: context.user()?, session_id }).await?;
    verifier.forget(&ended);
    let ended_own_session = context.session().is_some_and(|session| ended.sessions.contains(&session));
    if ended_own_session { Ok(signed_out()) } else { no_content() }
}

pub async fn list_addresses(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<SavedAddress>> {
    let user_id = context.user()?;
    let addresses = context.call(ListAddresses { user_id }).await?;
    page_of(&format!("addresses of {user_id}"), addresses, paging, |address| address.id)
}

pub async fn add_address(context: RequestContext, Body(address): Body<Address>) -> ReplyResult<SavedAddress, 201> {
    let saved = context.call(AddAddress { user_id: context.user()?, address }).await?;
    created(format!("/api/v1/users/me/addresses/{}", saved.id), saved)
}

pub async fn get_address(context: RequestContext, PathId(address_id): PathId<AddressId>) -> ReplyResult<SavedAddress> {
    ok(context.call(GetAddress { user_id: context.user()?, address_id }).await?)
}

pub async fn replace_address(
    context: RequestContext,
    PathId(address_id): PathId<AddressId>,
    Body(address): Body<Address>,
) -> ReplyResult<SavedAddress> {
    ok(context.call(ReplaceAddress { user_id: context.user()?, address_id, address }).await?)
}

pub async fn remove_address(
    context: RequestContext,
    PathId(address_id): PathId<AddressId>,
) -> ReplyResult<Nothing, 204> {
    context.call(RemoveAddress { user_id: context.user()?, address_id }).await?;
    no_content()
}
