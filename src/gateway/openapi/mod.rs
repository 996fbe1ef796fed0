//! The API as an OpenAPI 3.1 document: `/api/openapi.json` for programs, `/docs` for readers.
//!
//! ## Decisions
//!
//! - **The document is derived from the route table and from the types of the handlers.** Context:
//!   a document that is written by hand differs from the code after a few changes. Decision: a row
//!   of the table gives the access, the rate limit, the header fields and the problem codes. The
//!   parameters and the return type of the handler give the schemas. Only the texts are written by
//!   hand, in [`operation_docs`]. Consequence: a new route without texts fails a test, and a new
//!   problem code must be entered in [`problems`].
//! - **The document is a promise that tests check.** The tests of the shop compare each response
//!   that they receive with the document (`tests/shop/harness/contract.rs`). Consequence: an
//!   undocumented field or status fails the test that first receives it.

mod examples;
mod headers;
mod operation_docs;
mod problems;
mod schemas;

use super::{
    filters::{authentication::cookies, rate_limit::policy::Class},
    routes::ROUTES,
    routing::{Access, CachePolicy, ReplyShape, Route, Signature},
};
use examples::Shown;
use operation_docs::{OPERATIONS, OperationDoc, TAGS};
use schemas::Schemas;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// The document as JSON text. It is made at the first call and kept.
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| made().to_string());
    &TEXT
}

fn made() -> Value {
    let mut parts = DocumentParts::default();
    let mut operations = Vec::new();
    for route in ROUTES {
        operations.push((route, parts.operation(route)));
    }
    let DocumentParts { mut schemas, responses } = parts;
    schemas.insert("Problem", problems::schema());
    let schemas = schemas.finished();
    let responses: Map<_, _> = responses.into_values().collect();
    let mut paths = Map::new();
    for (route, mut operation) in operations {
        add_examples(&mut operation, &schemas);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Galleria",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": TAGS.iter().map(|(name, description)| json!({"name": name, "description": description})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.used_by(&json!([paths, responses])),
            "responses": responses,
            "parameters": headers::parameters(),
            "headers": headers::headers(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The `access_token` of the response to a sign-in: a JWT (RFC 9068), signed with EdDSA."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookies::ACCESS, "description": "For browsers: the sign-in sets the cookie, and scripts cannot read it."},
            },
        },
    })
}

const ABOUT: &str = "A complete web shop in one binary: one gateway, and behind it seven services. \
Each service is an actor with its own tree on disk.

Every request passes the filters of the gateway in one order: limits, authentication, authorization, rate limits, \
idempotency, preconditions, cache. An id begins with its kind (`ord_…`). Amounts of money are in minor units (cents). \
Times are RFC 3339 in UTC. Lists come in pages: the `next_cursor` of one page is the `cursor` of the next. Every error is \
a problem document (RFC 9457) with a `code` for programs. A request with an unknown field is rejected. Responses may get \
new fields: clients must ignore fields that they do not know.";

/// The parts of the document that the operations share.
#[derive(Default)]
struct DocumentParts {
    schemas: Schemas,
    /// Name and response, by the text of the response.
    responses: BTreeMap<String, (String, Value)>,
}

impl DocumentParts {
    fn operation(&mut self, route: &Route) -> Value {
        let signature = (route.handler.signature)();
        let doc = OPERATIONS.iter().find(|doc| doc.handler == route.handler.name).unwrap_or(&OperationDoc::NONE);
        let mut operation = json!({
            "tags": [tag(route)],
            "operationId": route.id().replace('.', "_"),
            "summary": doc.summary,
            "description": description(route, doc),
            "parameters": self.parameters(route, doc, &signature),
            "responses": self.responses(route, doc, &signature),
            "security": match route.access {
                Access::Public => json!([{}, {"bearer": []}, {"cookie": []}]),
                Access::SignedIn | Access::Operator => json!([{"bearer": []}, {"cookie": []}]),
            },
        });
        if let Some(body) = &signature.body {
            let schema = self.schemas.add(body);
            operation["requestBody"] =
                json!({"required": !signature.body_is_optional, "content": {"application/json": {"schema": schema}}});
        }
        operation
    }

    fn parameters(&mut self, route: &Route, doc: &OperationDoc, signature: &Signature) -> Value {
        let mut parameters = Vec::new();
        if let Some(id) = &signature.id {
            parameters.push(json!({"name": "id", "in": "path", "required": true, "schema": self.schemas.add(id)}));
        }
        if let Some(query) = &signature.query {
            let query = self.schemas.add_parts(query);
            let required = query["required"].as_array().cloned().unwrap_or_default();
            for (name, schema) in query["properties"].as_object().into_iter().flatten() {
                let mut parameter = json!({"name": name, "in": "query", "required": required.contains(&json!(name)), "schema": without_null(schema)});
                if let Some(text) = schema.get("description") {
                    parameter["description"] = text.clone();
                }
                parameters.push(parameter);
            }
        }
        let is_stream = signature.replies.iter().any(|reply| reply.media_type == "text/event-stream");
        parameters.extend(headers::of_request(route, doc, is_stream));
        parameters.into()
    }

    fn responses(&mut self, route: &Route, doc: &OperationDoc, signature: &Signature) -> Value {
        let mut responses = BTreeMap::new();
        responses.insert("default".to_owned(), self.shared(None, &problems::of_the_gateway()));
        let refusals = problems::refusals(route, signature, doc.refusals);
        for (status, codes) in &refusals {
            responses.insert(status.to_string(), self.shared(Some(*status), codes));
        }
        for reply in &signature.replies {
            let headers = headers::of_reply(route, doc, reply);
            if headers.get("ETag").is_some() {
                responses.insert("304".into(), json!({"description": "Your copy is current.", "headers": headers}));
            }
            // A route may use one status for a reply and for a problem: 503 of `/readyz`.
            let refused = refusals.get(&reply.status).map(|codes| problems::response(Some(reply.status), codes));
            let mut content = refused.map_or(json!({}), |mut refused| refused["content"].take());
            let mut response = json!({"description": problems::reason(reply.status), "headers": headers});
            if !reply.media_type.is_empty() {
                // The document names media types without their parameters.
                let media_type = reply.media_type.split(';').next().unwrap_or_default();
                content[media_type] = json!({"schema": self.schema_of(reply)});
                response["content"] = content;
            }
            responses.insert(reply.status.to_string(), response);
        }
        responses.into_iter().collect::<Map<_, _>>().into()
    }

    fn schema_of(&mut self, reply: &ReplyShape) -> Value {
        match &reply.shape {
            Some(shape) => self.schemas.add(shape),
            None if reply.media_type == "application/json" => json!({"type": "object"}),
            None => json!({"type": "string"}),
        }
    }

    /// A reference to the response for these problem codes, which many operations share.
    fn shared(&mut self, status: Option<u16>, codes: &BTreeSet<&'static str>) -> Value {
        let response = problems::response(status, codes);
        let reason = status.map_or("Refused", problems::reason).replace(|c: char| !c.is_alphabetic(), "");
        let same = self
            .responses
            .values()
            .filter(|(name, _)| name.trim_end_matches(|c: char| c.is_ascii_digit()) == reason)
            .count();
        let name = if same == 0 { reason } else { format!("{reason}{}", same + 1) };
        let (name, _) = self.responses.entry(response.to_string()).or_insert((name, response));
        json!({"$ref": format!("#/components/responses/{name}")})
    }
}

/// The name of the handler's module. The events of an order belong to `orders`.
fn tag(route: &Route) -> &'static str {
    match route.handler.name.split("::").next().unwrap_or_default() {
        "order_events" => "orders",
        module => module,
    }
}

fn description(route: &Route, doc: &OperationDoc) -> String {
    let access = match route.access {
        Access::Public => "No sign-in is needed.",
        Access::SignedIn => "The caller must be signed in. A record of another user gives 404.",
        Access::Operator => "Only operators may call this route.",
    };
    let limit = match route.class {
        Class::Free => "There is no rate limit.".to_owned(),
        class => format!("The request counts for the rate limit `{}`.", class.name()),
    };
    let caching = match route.cache {
        CachePolicy::Never => String::new(),
        CachePolicy::Shared(seconds) => {
            format!(" The gateway caches the response for {seconds} seconds, one copy for all callers.")
        }
        CachePolicy::Private(seconds) => {
            format!(" The gateway caches the response for {seconds} seconds, one copy for each user.")
        }
    };
    let deadline = route.deadline.as_secs();
    let text = format!("{}\n\n{access} {limit} The deadline is {deadline} seconds.{caching}", doc.description);
    text.trim().to_owned()
}

/// The schema of a query parameter: a parameter is absent or has a value, but is never `null`.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(variants) = schema.get("oneOf").and_then(Value::as_array) {
        let some = variants.iter().find(|variant| variant["type"] != "null").cloned();
        return some.unwrap_or(schema);
    }
    let kind = schema["type"].as_array().and_then(|kinds| kinds.iter().find(|kind| **kind != "null").cloned());
    if let Value::Object(members) = &mut schema {
        members.extend(kind.map(|kind| ("type".to_owned(), kind)));
        members.remove("description");
    }
    schema
}

/// Adds an example to each JSON body of the requests and responses.
fn add_examples(operation: &mut Value, schemas: &Schemas) {
    let show = |content: &mut Value, shown| {
        let Some(json) = content.get_mut("application/json") else { return };
        json["example"] = examples::of(&json["schema"], schemas, shown);
    };
    if let Some(body) = operation.get_mut("requestBody") {
        show(&mut body["content"], Shown::All);
    }
    for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if let Some(content) = response.get_mut("content") {
            show(content, Shown::Required);
        }
    }
}

#[cfg(test)]
mod tests;
