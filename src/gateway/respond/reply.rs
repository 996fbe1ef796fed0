//! What handlers give. An answer says by its type what it is: the status is taken from there, and so is what the OpenAPI document says.

use super::problem::Problem;
use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    cookie::Cookie,
    http::{StatusCode, header::TryIntoHeaderPair},
};
use serde::Serialize;
use std::marker::PhantomData;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// A `T` with the status `STATUS`, or with `OR` where that has happened which the other status is for; or the reason why not.
pub type Answer<T, const STATUS: u16 = 200, const OR: u16 = STATUS> = Result<Told<T, STATUS, OR>, Problem>;

/// An answer in the making.
pub struct Told<T, const STATUS: u16 = 200, const OR: u16 = STATUS> {
    response: HttpResponse,
    content: PhantomData<T>,
}

/// What can be in an answer. All that has a schema is told as JSON.
pub trait Content {
    const MEDIA_TYPE: &'static str;

    /// `None` for what is no JSON.
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

/// A type's schema, and those that it speaks of.
pub struct Shape {
    pub name: String,
    pub schema: RefOr<Schema>,
    pub needs: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    pub fn of<T: ToSchema>() -> Self {
        let mut needs = Vec::new();
        T::schemas(&mut needs);
        Self { name: T::name().into_owned(), schema: T::schema(), needs }
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
    /// The status says all.
    Nothing "";
    Plain "text/plain; charset=utf-8";
    /// Prometheus' text, version 0.0.4.
    Exposition "text/plain; version=0.0.4; charset=utf-8";
    OpenApi "application/json";
    Svg "image/svg+xml; charset=utf-8";
    /// Server-sent events.
    Events "text/event-stream";
}

impl<T: Content, const STATUS: u16, const OR: u16> Told<T, STATUS, OR> {
    /// One whose body is there already, or is a stream.
    pub fn of(mut response: HttpResponse) -> Self {
        *response.status_mut() = status(STATUS);
        Self { response, content: PhantomData }
    }

    pub fn raw(text: impl Into<String>) -> Self {
        Self::of(HttpResponse::Ok().content_type(T::MEDIA_TYPE).body(text.into()))
    }

    pub fn with(mut self, header: impl TryIntoHeaderPair) -> Self {
        // The names and values of handlers are plain ones.
        if let Ok((name, value)) = header.try_into_pair() {
            self.response.headers_mut().insert(name, value);
        }
        self
    }

    pub fn cookie(mut self, cookie: Cookie<'_>) -> Self {
        if let Err(error) = self.response.add_cookie(&cookie) {
            log::error!("a cookie that is none: {error}");
        }
        self
    }

    /// With the other status, if it is so.
    pub fn or_if(mut self, is_so: bool) -> Self {
        if is_so {
            *self.response.status_mut() = status(OR);
        }
        self
    }

    pub fn response_mut(&mut self) -> &mut HttpResponse {
        &mut self.response
    }
}

impl<T: Content + Serialize, const STATUS: u16, const OR: u16> Told<T, STATUS, OR> {
    pub fn json(body: T) -> Self {
        Self::of(HttpResponse::Ok().json(body))
    }
}

impl<T, const STATUS: u16, const OR: u16> Responder for Told<T, STATUS, OR> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.response
    }
}

/// Those that stand in the types of handlers are statuses.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
