//! The query string, as a parameter of handlers.

use super::{strict_json::brief, value::Extracted};
use crate::gateway::{
    respond::Problem,
    routing::signature::{Accepts, Parameter, Shape, Signature},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload, http::Uri};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    future::{Ready, ready},
};
use utoipa::ToSchema;

/// The query string. `400` `bad_query` for an unknown, repeated or invalid parameter.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(from_query(request.query_string()).map(Query))
    }
}

fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // The parser replaces bytes that are not UTF-8 by this character.
        if value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Problem::bad_parameter(&name, "must be UTF-8"));
        }
        if fields.contains_key(&name) {
            return Err(Problem::bad_parameter(&name, "is given twice"));
        }
        fields.insert(name, Extracted::Parameter(value));
    }
    T::deserialize(&Extracted::Object(fields))
        .map_err(|error| Problem::bad_parameter(error.name().unwrap_or_default(), &error.reason))
}

/// The check of a route that reads no query: `Ok` for a query without parameters.
pub fn must_be_absent(uri: &Uri) -> Result<(), Problem> {
    match form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Problem::bad_parameter(&name, "is not known here")),
    }
}

impl Problem {
    /// 400 `bad_query` for a parameter that is not valid. Name and reason are shortened.
    pub fn bad_parameter(name: &str, reason: &str) -> Self {
        Self::bad_request("bad_query", format!("The query parameter `{}`: {}.", brief(name), brief(reason)))
    }
}

impl<T: ToSchema> Parameter for Query<T> {
    const ACCEPTS: Accepts = Accepts { query: true, ..Accepts::NOTHING };

    fn describe(signature: &mut Signature) {
        signature.query = Some(Shape::of::<T>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn a_bad_parameter_is_refused_by_its_name() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Search {
            q: Option<String>,
            least: Option<i64>,
            only: Option<bool>,
        }
        let search: Search = from_query("q=a+b&least=-3&only=true").unwrap();
        assert_eq!((search.q.as_deref(), search.least, search.only), (Some("a b"), Some(-3), Some(true)));
        for query in
            ["x=1", "q=1&q=2", "least=", "least=%2B1", "least=1.0", "only=1", "q=%ff", "least=9223372036854775808"]
        {
            let name = query.split('=').next().unwrap();
            let problem = from_query::<Search>(query).unwrap_err();
            assert!(problem.code() == "bad_query" && problem.to_string().contains(&format!("`{name}`")), "{problem}");
        }
    }
}
