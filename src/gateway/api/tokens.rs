//! The replies that give a client its tokens at sign-in and remove them at sign-out.

use crate::{
    gateway::{
        context::RequestContext,
        filters::authentication::{
            cookies::{self, CartKey},
            token_verifier::TokenVerifier,
        },
        respond::{Reply, ReplyResult, reply::Nothing},
    },
    services::{carts::messages::MergeCarts, users::messages::*},
    types::{CartId, Principal, Secret},
};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

/// The reply to a sign-in: tokens, and the guest's cart merged into the user's. If `carts` cannot
/// be reached, the guest keeps the cart's cookie, and the next sign-in merges the cart.
pub async fn signed_in(
    context: &RequestContext,
    request: &HttpRequest,
    verifier: &TokenVerifier,
    cart_key: &CartKey,
    mut session: SignedIn,
) -> ReplyResult<Tokens, 201> {
    verifier.forget(&EndedSessions { sessions: std::mem::take(&mut session.ended) });
    let merged = match cart_key.cart(request) {
        Some(guest) => merge(context, guest, &session.user).await,
        None => false,
    };
    let reply = tokens(context, session);
    Ok(if merged { reply.cookie(cart_key.forget()) } else { reply })
}

/// Whether the guest's cart was merged into the user's.
async fn merge(context: &RequestContext, guest: CartId, user: &User) -> bool {
    context.principal.set(Principal::User { id: user.id, role: user.role });
    let merged = context.call(MergeCarts { guest, user_id: user.id }).await;
    if let Err(problem) = &merged {
        log::warn!(trace = context.trace.to_string().as_str(); "the cart of a guest was not merged: {problem}");
    }
    merged.is_ok()
}

#[derive(Serialize, ToSchema)]
pub struct Tokens {
    user: User,
    /// For `Authorization: Bearer`. Absent for browsers, which get the token in a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// The lifetime of the access token in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Can be used once. Absent for browsers, which get the token in a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// The tokens in cookies, and for programs in the body, too. Scripts of a browser must never see
/// the tokens: browsers send `Sec-Fetch-Site`, which scripts cannot remove.
fn tokens(context: &RequestContext, session: SignedIn) -> Reply<Tokens, 201> {
    let SignedIn { user, access_token, expires_in, refresh_token, .. } = session;
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

/// The reply to a sign-out: the browser deletes its cookies and its stored data. Responses to
/// signed-in users are `no-store`, so the browser has no cache to clear.
pub fn signed_out() -> Reply<Nothing, 204> {
    let reply = Reply::of(HttpResponse::Ok().finish()).with(("Clear-Site-Data", "\"storage\""));
    cookies::forget_tokens().into_iter().fold(reply, Reply::cookie)
}
