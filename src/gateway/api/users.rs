//! Accounts, sessions and the address book.

use super::paging::{Paging, page_of};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, MaybeBody, PathId, Query},
        filters::{
            authentication::{
                cookies::{self, CartKey},
                token_verifier::TokenVerifier,
            },
            idempotency,
        },
        respond::{
            Problem, Reply, ReplyResult,
            reply::{Nothing, created, no_content, ok},
        },
    },
    mesh::CallError,
    services::{carts::messages::MergeCarts, users::messages::*},
    types::{Address, AddressId, CartId, Email, Page, Principal, Secret, SessionId},
};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web::Data};
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

/// The same request with the same `Idempotency-Key` signs in again: a response with tokens is not kept.
pub async fn register(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    cart_key: Data<CartKey>,
    Body(new): Body<NewUser>,
) -> ReplyResult<Tokens, 201> {
    let NewUser { email, password, name } = new;
    let key = context.idempotency_key.borrow().as_ref().map(|it| it.key.clone());
    let Registered { signed_in, is_repeated } =
        context.call(RegisterUser { email, password, name, key, from: Some(context.network()) }).await?;
    let mut answer = welcome(&context, &request, &verifier, &cart_key, signed_in).await?;
    if is_repeated {
        idempotency::mark_replayed(answer.response_mut());
    }
    Ok(answer)
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
    let signed_in = context.call(SignIn { email, password, from: Some(context.network()) }).await?;
    welcome(&context, &request, &verifier, &cart_key, signed_in).await
}

pub async fn redeem_setup(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    cart_key: Data<CartKey>,
    Body(setup): Body<RedeemSetupToken>,
) -> ReplyResult<Tokens, 201> {
    let signed_in = context.call(setup).await?;
    welcome(&context, &request, &verifier, &cart_key, signed_in).await
}

/// The refresh token comes in the body, or in the browser's cookie.
pub async fn refresh(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    cart_key: Data<CartKey>,
    MaybeBody(body): MaybeBody<RefreshSession>,
) -> ReplyResult<Tokens, 201> {
    let from_cookie =
        request.cookie(cookies::REFRESH).map(|cookie| cookie.value().to_owned()).filter(|token| !token.is_empty());
    let refresh_token = match (body, from_cookie) {
        (Some(body), _) => body.refresh_token,
        (None, Some(token)) => Secret::new(token),
        // Where neither is there, the body is what is missing.
        (None, None) => Body::<RefreshSession>::extract(&request).await?.0.refresh_token,
    };
    match context.ask(&context.call_context(), RefreshSession { refresh_token }).await {
        // What was gathered as a guest while the token had run out comes along, too.
        Ok(signed_in) => welcome(&context, &request, &verifier, &cart_key, signed_in).await,
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
    Ok(goodbye())
}

/// The browser forgets. Answers to somebody are `no-store`, so there is no cache to clear.
fn goodbye() -> Reply<Nothing, 204> {
    let answer = Reply::of(HttpResponse::Ok().finish()).with(("Clear-Site-Data", "\"storage\""));
    cookies::forget_tokens().into_iter().fold(answer, Reply::cookie)
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
        // The password that cannot be is the new one here.
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
    /// Whether it is the one that asks.
    current: bool,
}

pub async fn list_sessions(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<ListedSession>> {
    let (user_id, current) = (context.user()?, context.session());
    let sessions = context.call(ListSessions { user_id }).await?.into_iter();
    let sessions = sessions.map(|session| ListedSession { current: Some(session.id) == current, session }).collect();
    // The newest first.
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

async fn end(
    context: &RequestContext,
    verifier: &TokenVerifier,
    session_id: Option<SessionId>,
) -> ReplyResult<Nothing, 204> {
    let ended = context.call(EndSession { user_id: context.user()?, session_id }).await?;
    verifier.forget(&ended);
    let ended_itself = context.session().is_some_and(|session| ended.sessions.contains(&session));
    if ended_itself { Ok(goodbye()) } else { no_content() }
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

/// Signs in, and merges the guest's cart. If carts cannot be reached, the cart stays on the guest's cookie until the next time.
async fn welcome(
    context: &RequestContext,
    request: &HttpRequest,
    verifier: &TokenVerifier,
    cart_key: &CartKey,
    mut signed_in: SignedIn,
) -> ReplyResult<Tokens, 201> {
    verifier.forget(&EndedSessions { sessions: std::mem::take(&mut signed_in.ended) });
    let merged = match cart_key.cart(request) {
        Some(guest) => merge(context, guest, &signed_in.user).await,
        None => false,
    };
    let answer = tokens(context, signed_in);
    Ok(if merged { answer.cookie(cart_key.forget()) } else { answer })
}

async fn merge(context: &RequestContext, guest: CartId, user: &User) -> bool {
    context.principal.set(Principal::User { id: user.id, role: user.role });
    let merged = context.call(MergeCarts { guest, user_id: user.id }).await;
    if let Err(problem) = &merged {
        log::warn!(trace = context.trace.to_string().as_str(); "a guest's cart was not merged: {problem}");
    }
    merged.is_ok()
}

#[derive(Serialize, ToSchema)]
pub struct Tokens {
    user: User,
    /// For `Authorization: Bearer`. Not told to browsers, which have it in a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Good for one use.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// Tokens as cookies, and for programs in the body too. A browser's scripts never see them: browsers say that they are
/// browsers by `Sec-Fetch-Site`, which scripts cannot take away.
fn tokens(context: &RequestContext, signed_in: SignedIn) -> Reply<Tokens, 201> {
    let SignedIn { user, access_token, expires_in, refresh_token, .. } = signed_in;
    let for_programs = |token: &Secret| (!context.is_browser.get()).then(|| token.expose().clone());
    Reply::json(Tokens {
        user,
        access_token: for_programs(&access_token),
        token_type: "Bearer",
        expires_in,
        refresh_token: for_programs(&refresh_token),
    })
    .with(("Location", "/api/v1/users/me"))
    .with(("Cache-Control", "no-store"))
    .cookie(cookies::access(&access_token, expires_in))
    .cookie(cookies::refresh(&refresh_token))
}
