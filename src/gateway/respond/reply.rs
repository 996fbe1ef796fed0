//! What handlers return. The type of a reply names its status and its content; the OpenAPI document
//! is made from that type.

use super::problem::Problem;
use crate::gateway::routing::signature::{Replies, ReplyShape, Shape};
use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    cookie::Cookie,
    http::{StatusCode, header::TryIntoHeaderPair},
};
use serde::Serialize;
use std::marker::PhantomData;
use utoipa::ToSchema;

/// The return type of a handler: a successful reply, or a problem.
pub type ReplyResult<T, const STATUS: u16 = 200, const OR: u16 = STATUS> = Result<Reply<T, STATUS, OR>, Problem>;

/// A successful response with the content `T` and the status `STATUS`, or `OR` for a handler that
/// has two: 201 and 200.
pub struct Reply<T, const STATUS: u16 = 200, const OR: u16 = STATUS> {
    response: HttpResponse,
    content: PhantomData<T>,
}

/// What a reply can contain. Every type with a schema is sent as JSON.
pub trait Content {
    const MEDIA_TYPE: &'static str;

    /// `None` if the content is not JSON.
    fn shape() -> Option<Shape> {
        None
    }
}

impl<T: ToSchema> Content for T {
    const MEDIA_TYPE: &'static str = "application/json";

    fn shape() -> Option<Shape> {
        Some(Shape::of::<T>())
    }
}

macro_rules! content {
    ($($(#[$doc:meta])* $name:ident $media_type:literal;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl Content for $name {
            const MEDIA_TYPE: &'static str = $media_type;
        }
    )*};
}

content! {
    /// No body.
    Nothing "";
    Plain "text/plain; charset=utf-8";
    /// Prometheus' text format, version 0.0.4.
    Exposition "text/plain; version=0.0.4; charset=utf-8";
    OpenApi "application/json";
    Svg "image/svg+xml; charset=utf-8";
    /// Server-sent events.
    Events "text/event-stream";
}

impl<T: Content, const STATUS: u16, const OR: u16> Reply<T, STATUS, OR> {
    /// From a response that has its body already, or whose body is a stream. Its status becomes
    /// `STATUS`.
    pub fn of(mut response: HttpResponse) -> Self {
        *response.status_mut() = status(STATUS);
        Self { response, content: PhantomData }
    }

    /// With this text as the body.
    pub fn raw(text: impl Into<String>) -> Self {
        Self::of(HttpResponse::Ok().content_type(T::MEDIA_TYPE).body(text.into()))
    }

    /// Sets a header field.
    pub fn with(mut self, header: impl TryIntoHeaderPair) -> Self {
        // The names and values that handlers set are valid: no error is lost here.
        if let Ok((name, value)) = header.try_into_pair() {
            self.response.headers_mut().insert(name, value);
        }
        self
    }

    /// Adds a cookie.
    pub fn cookie(mut self, cookie: Cookie<'_>) -> Self {
        if let Err(error) = self.response.add_cookie(&cookie) {
            log::error!("a cookie is invalid: {error}");
        }
        self
    }

    /// Changes the status to `OR` if the condition holds.
    pub fn or_if(mut self, condition: bool) -> Self {
        if condition {
            *self.response.status_mut() = status(OR);
        }
        self
    }

    pub fn response_mut(&mut self) -> &mut HttpResponse {
        &mut self.response
    }
}

impl<T: Content + Serialize, const STATUS: u16, const OR: u16> Reply<T, STATUS, OR> {
    /// With this body as JSON.
    pub fn json(body: T) -> Self {
        Self::of(HttpResponse::Ok().json(body))
    }
}

impl<T, const STATUS: u16, const OR: u16> Responder for Reply<T, STATUS, OR> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.response
    }
}

/// The status of a code in the type of a handler: such a code is a valid status.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl<T: Content, const STATUS: u16, const OR: u16> Replies for ReplyResult<T, STATUS, OR> {
    fn replies() -> Vec<ReplyShape> {
        let shape = |status| match status {
            204 => ReplyShape { status, media_type: "", shape: None },
            _ => ReplyShape { status, media_type: T::MEDIA_TYPE, shape: T::shape() },
        };
        let mut replies = vec![shape(STATUS)];
        replies.extend((OR != STATUS).then(|| shape(OR)));
        replies
    }
}

/// `200` with JSON.
pub fn ok<T: Serialize + ToSchema>(body: T) -> ReplyResult<T> {
    Ok(Reply::json(body))
}

/// `201` with JSON and the address of the new resource in `Location`.
pub fn created<T: Serialize + ToSchema>(location: String, body: T) -> ReplyResult<T, 201> {
    Ok(Reply::json(body).with(("Location", location)))
}

/// `204`.
pub fn no_content() -> ReplyResult<Nothing, 204> {
    Ok(Reply::of(HttpResponse::Ok().finish()))
}
