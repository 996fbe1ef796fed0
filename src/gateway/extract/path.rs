//! The id in the path, as a parameter of handlers.

use crate::gateway::{
    respond::Problem,
    routing::signature::{Parameter, Shape, Signature},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use std::{
    future::{Ready, ready},
    str::FromStr,
};
use utoipa::ToSchema;

/// The `{id}` in the path. Text that is not an id of this kind gives 404, because no record has
/// that id.
pub struct PathId<T>(pub T);

impl<T: FromStr> FromRequest for PathId<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|text| text.parse().ok());
        ready(id.map(PathId).ok_or_else(Problem::not_found))
    }
}

impl<T: ToSchema> Parameter for PathId<T> {
    fn describe(signature: &mut Signature) {
        signature.id = Some(Shape::of::<T>());
    }
}
