//! Accounts, sessions and the address book.

use super::{Answer, Nothing, Paging, created, no_content, ok, page_of};
use crate::{
    gateway::{
        answer::Told,
        body::{Body, MaybeBody, PathId, Query},
        cookies,
        duties::idempotency::{self, Held},
        problem::Problem,
        visit::Visit,
    },
    mesh::CallError,
    services::{carts::messages::MergeCarts, users::messages::*},
    types::{Address, AddressId, CartId, Email, Page, Principal, Secret, SessionId},
};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
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

/// The same request with the same `Idempotency-Key` signs in again: an answer with tokens is not kept.
pub async fn register(visit: Visit, request: HttpRequest, Body(new): Body<NewUser>) -> Answer<Tokens, 201> {
    let NewUser { email, password, name } = new;
    let key = visit.noted::<Held>().map(|held| held.key);
    let Registered { signed_in, is_repeated } =
        visit.call(RegisterUser { email, password, name, key, from: Some(visit.network()) }).await?;
    let mut answer = welcome(&visit, &request, signed_in).await?;
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

pub async fn sign_in(visit: Visit, request: HttpRequest, Body(credentials): Body<Credentials>) -> Answer<Tokens, 201> {
    let Credentials { email, password } = credentials;
    let signed_in = visit.call(SignIn { email, password, from: Some(visit.network()) }).await?;
    welcome(&visit, &request, signed_in).await
}

pub async fn redeem_setup(
    visit: Visit,
    request: HttpRequest,
    Body(setup): Body<RedeemSetupToken>,
) -> Answer<Tokens, 201> {
    let signed_in = visit.call(setup).await?;
    welcome(&visit, &request, signed_in).await
}

/// The refresh token comes in the body, or in the browser's cookie.
pub async fn refresh(
    visit: Visit,
    request: HttpRequest,
    MaybeBody(body): MaybeBody<RefreshSession>,
) -> Answer<Tokens, 201> {
    let from_cookie =
        request.cookie(cookies::REFRESH).map(|cookie| cookie.value().to_owned()).filter(|token| !token.is_empty());
    let refresh_token = match (body, from_cookie) {
        (Some(body), _) => body.refresh_token,
        (None, Some(token)) => Secret::new(token),
        // Where neither is there, the body is what is missing.
        (None, None) => Body::<RefreshSession>::extract(&request).await?.0.refresh_token,
    };
    match visit.ask(&visit.context(), RefreshSession { refresh_token }).await {
        // What was gathered as a guest while the token had run out comes along, too.
        Ok(signed_in) => welcome(&visit, &request, signed_in).await,
        Err(error) => {
            if let CallError::Domain(UsersError::RefreshTokenReused { session_id }) = &error {
                visit.gateway.keys.forget(&EndedSessions { sessions: vec![*session_id] });
            }
            Err(error.into())
        }
    }
}

pub async fn sign_out(visit: Visit) -> Answer<Nothing, 204> {
    let (user_id, session_id) = (visit.user()?, visit.session.get());
    let ended = visit.call(EndSession { user_id, session_id }).await?;
    visit.gateway.keys.forget(&ended);
    Ok(goodbye())
}

/// The browser forgets. Answers to somebody are `no-store`, so there is no cache to clear.
fn goodbye() -> Told<Nothing, 204> {
    let answer = Told::of(HttpResponse::Ok().finish()).with(("Clear-Site-Data", "\"storage\""));
    cookies::forget_tokens().into_iter().fold(answer, Told::cookie)
}

pub async fn get_me(visit: Visit) -> Answer<User> {
    ok(visit.call(GetUser { user_id: visit.user()? }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    name: Option<PersonName>,
    email: Option<Email>,
}

pub async fn update_me(visit: Visit, Body(Profile { name, email }): Body<Profile>) -> Answer<User> {
    ok(visit.call(UpdateUser { user_id: visit.user()?, name, email }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Passwords {
    current_password: Secret,
    new_password: Secret,
}

pub async fn change_password(visit: Visit, Body(passwords): Body<Passwords>) -> Answer<Nothing, 204> {
    let Passwords { current_password, new_password } = passwords;
    let change =
        ChangePassword { user_id: visit.user()?, session_id: visit.session.get(), current_password, new_password };
    let ended = visit.ask(&visit.context(), change).await.map_err(|error| match error {
        // The password that cannot be is the new one here.
        CallError::Domain(error @ (UsersError::PasswordLength | UsersError::PasswordTooCommon)) => {
            Problem::invalid("/new_password", error.to_string())
        }
        error => error.into(),
    })?;
    visit.gateway.keys.forget(&ended);
    no_content()
}

#[derive(Serialize, ToSchema)]
pub struct ListedSession {
    #[serde(flatten)]
    session: SessionInfo,
    /// Whether it is the one that asks.
    current: bool,
}

pub async fn list_sessions(visit: Visit, Query(paging): Query<Paging>) -> Answer<Page<ListedSession>> {
    let (user_id, current) = (visit.user()?, visit.session.get());
    let sessions = visit.call(ListSessions { user_id }).await?.into_iter();
    let sessions = sessions.map(|session| ListedSession { current: Some(session.id) == current, session }).collect();
    // The newest first.
    page_of(&format!("sessions of {user_id}"), sessions, paging, |listed: &ListedSession| Reverse(listed.session.id))
}

pub async fn end_session(visit: Visit, PathId(session_id): PathId<SessionId>) -> Answer<Nothing, 204> {
    let user_id = visit.user()?;
    if !visit.call(ListSessions { user_id }).await?.iter().any(|session| session.id == session_id) {
        return Err(Problem::not_found());
    }
    end(&visit, Some(session_id)).await
}

pub async fn end_all_sessions(visit: Visit) -> Answer<Nothing, 204> {
    end(&visit, None).await
}

async fn end(visit: &Visit, session_id: Option<SessionId>) -> Answer<Nothing, 204> {
    let ended = visit.call(EndSession { user_id: visit.user()?, session_id }).await?;
    visit.gateway.keys.forget(&ended);
    let ended_itself = visit.session.get().is_some_and(|session| ended.sessions.contains(&session));
    if ended_itself { Ok(goodbye()) } else { no_content() }
}

pub async fn list_addresses(visit: Visit, Query(paging): Query<Paging>) -> Answer<Page<SavedAddress>> {
    let user_id = visit.user()?;
    let addresses = visit.call(ListAddresses { user_id }).await?;
    page_of(&format!("addresses of {user_id}"), addresses, paging, |address| address.id)
}

pub async fn add_address(visit: Visit, Body(address): Body<Address>) -> Answer<SavedAddress, 201> {
    let saved = visit.call(AddAddress { user_id: visit.user()?, address }).await?;
    created(format!("/api/v1/users/me/addresses/{}", saved.id), saved)
}

pub async fn get_address(visit: Visit, PathId(address_id): PathId<AddressId>) -> Answer<SavedAddress> {
    ok(visit.call(GetAddress { user_id: visit.user()?, address_id }).await?)
}

pub async fn replace_address(
    visit: Visit,
    PathId(address_id): PathId<AddressId>,
    Body(address): Body<Address>,
) -> Answer<SavedAddress> {
    ok(visit.call(ReplaceAddress { user_id: visit.user()?, address_id, address }).await?)
}

pub async fn remove_address(visit: Visit, PathId(address_id): PathId<AddressId>) -> Answer<Nothing, 204> {
    visit.call(RemoveAddress { user_id: visit.user()?, address_id }).await?;
    no_content()
}

/// What the guest gathered comes along; should carts be away, it stays on the guest's cookie for the next time.
async fn welcome(visit: &Visit, request: &HttpRequest, mut signed_in: SignedIn) -> Answer<Tokens, 201> {
    visit.gateway.keys.forget(&EndedSessions { sessions: std::mem::take(&mut signed_in.ended) });
    let merged = match visit.gateway.cart_key.cart(request) {
        Some(guest) => merge(visit, guest, &signed_in.user).await,
        None => false,
    };
    let answer = tokens(visit, signed_in);
    Ok(if merged { answer.cookie(visit.gateway.cart_key.forget()) } else { answer })
}

async fn merge(visit: &Visit, guest: CartId, user: &User) -> bool {
    visit.principal.set(Principal::User { id: user.id, role: user.role });
    let merged = visit.call(MergeCarts { guest, user_id: user.id }).await;
    if let Err(problem) = &merged {
        log::warn!(trace = visit.trace.to_string().as_str(); "a guest's cart was not merged: {problem}");
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
fn tokens(visit: &Visit, signed_in: SignedIn) -> Told<Tokens, 201> {
    let SignedIn { user, access_token, expires_in, refresh_token, .. } = signed_in;
    let for_programs = |token: &Secret| (!visit.is_browser.get()).then(|| token.expose().clone());
    Told::json(Tokens {
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
