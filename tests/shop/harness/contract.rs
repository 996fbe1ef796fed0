//! The OpenAPI document as a contract: every answer that a test receives, and every accepted body,
//! is validated against it.

use super::Program;
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};
use ureq::http::HeaderMap;

/// The document as the program prints it.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder that goes away");
    let printed = Program::new(folder.path(), &["openapi"]).run().succeeded().out;
    serde_json::from_str(&printed).expect("a document")
});

/// Headers with a meaning for clients: an answer may have them only where the document says so.
#[rustfmt::skip]
const TOLD: [&str; 14] = [
    "ratelimit", "ratelimit-policy", "retry-after", "etag", "location", "cache-status", "age", "idempotency-replayed", "x-completed",
    "x-served-by", "www-authenticate", "set-cookie", "clear-site-data", "accept-encoding",
];

const BASE: &str = "https://galleria.example/openapi.json";

/// The document with every schema closed: an answer may not have undocumented fields.
static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let mut document = DOCUMENT.clone();
    for (_, schema) in document["components"]["schemas"].as_object_mut().expect("schemas") {
        close(schema);
    }
    Registry::new().add(BASE, document).expect("a resource").prepare().expect("schemas")
});

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".into(), false.into());
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The first violation of the document by the answer, or by the body of an accepted request.
pub fn violation(request: &str, sent: Option<&[u8]>, status: u16, headers: &HeaderMap, body: &Value) -> Option<String> {
    let (method, path) = request.split_once(' ')?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let template = template_of(path)?;
    let asked = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    // A wrong method belongs to no operation.
    let operation = DOCUMENT["paths"][template].get(&asked)?;
    let place = format!("#/paths/{}/{asked}", template.replace('/', "~1").replace('{', "%7B").replace('}', "%7D"));
    if let (true, Some(sent), Some(_)) = (status < 300, sent, operation.get("requestBody")) {
        let sent = serde_json::from_slice(sent).ok()?;
        if let Err(words) = valid(&format!("{place}/requestBody/content/application~1json/schema"), &sent) {
            return Some(format!("a body was taken that the document does not allow: {words}"));
        }
    }
    let responses = operation["responses"].as_object().expect("responses");
    let named = [status.to_string(), "default".into()].into_iter().find(|name| responses.contains_key(name));
    let named = named.expect("every operation has a default");
    if named == "default" && status < 400 {
        return Some(format!("the status {status} is not documented"));
    }
    let (response, place) = match responses[&named].get("$ref").and_then(Value::as_str) {
        Some(shared) => (DOCUMENT.pointer(&shared[1..]).expect("a response"), shared.to_owned()),
        None => (&responses[&named], format!("{place}/responses/{named}")),
    };
    if let Some(words) = against_headers(response, headers) {
        return Some(words);
    }
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    match response.get("content") {
        None if kind.is_empty() => None,
        Some(content) if content.get(kind).is_some() => {
            if !kind.ends_with("json") || method == "HEAD" {
                return None;
            }
            let schema = format!("{place}/content/{}/schema", kind.replace('/', "~1"));
            valid(&schema, body).err().map(|words| format!("not as the document says: {words}"))
        }
        _ => Some(format!("the content type `{kind}` is not documented")),
    }
}

fn against_headers(response: &Value, headers: &HeaderMap) -> Option<String> {
    let documented = response["headers"].as_object().expect("headers");
    for (name, header) in documented {
        let header = header["$ref"].as_str().and_then(|place| DOCUMENT.pointer(&place[1..])).expect("a header");
        if header["required"] == true && !headers.contains_key(name.to_lowercase()) {
            return Some(format!("there is no {name}"));
        }
    }
    let untold = TOLD.iter().find(|name| {
        headers.contains_key(**name) && !documented.keys().any(|known| known.eq_ignore_ascii_case(name))
    })?;
    Some(format!("{untold} is not documented"))
}

/// The path template of the document that matches the path. A template without an id is preferred.
fn template_of(path: &str) -> Option<&'static str> {
    let matches = |template: &&String| {
        let (mut parts, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (parts.next(), given.next()) {
                (None, None) => return true,
                (Some("{id}"), Some(id)) if !id.is_empty() => {}
                (Some(part), Some(given)) if part == given => {}
                _ => return false,
            }
        }
    };
    let found = DOCUMENT["paths"].as_object()?.keys().filter(matches);
    found.min_by_key(|template| template.contains('{')).map(String::as_str)
}

/// Each schema is compiled once.
fn valid(place: &str, value: &Value) -> Result<(), String> {
    static COMPILED: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let compile = || {
        let schema = json!({"$ref": format!("{BASE}{place}")});
        Arc::new(jsonschema::options().with_registry(&REGISTRY).build(&schema).expect("a schema"))
    };
    let validator = COMPILED.lock().expect("validators").entry(place.to_owned()).or_insert_with(compile).clone();
    validator.validate(value).map_err(|error| format!("{error} at `{}`", error.instance_path()))
}
