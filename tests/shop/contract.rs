//! The OpenAPI document: it is valid, complete, and usable for generated clients.
//!
//! Every other test compares each answer that it receives with the document
//! (`harness/contract.rs`).

use crate::harness::{DOCUMENT, Shop, routes};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn the_document_has_exactly_the_routes_of_the_table() {
    let told = DOCUMENT["paths"].as_object().expect("paths").iter().flat_map(|(path, item)| {
        item.as_object().expect("operations").keys().map(move |method| (method.to_uppercase(), path.clone()))
    });
    let table: BTreeSet<_> = routes().into_iter().map(|row| (row.method, row.path)).collect();
    assert_eq!(told.collect::<BTreeSet<_>>(), table);
}

#[test]
fn the_printed_document_is_the_served_document_and_is_public() {
    let shop = Shop::open();
    let served = shop.anonymous().get("/api/openapi.json").ok();
    assert_eq!(served.body, *DOCUMENT);
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn a_row_of_the_route_table_determines_security_and_headers_of_its_operation() {
    for row in routes() {
        let operation = &DOCUMENT["paths"][&row.path][row.method.to_lowercase()];
        let has = |status: &str| operation["responses"].get(status).is_some();
        let open = operation["security"].as_array().expect("a list").iter().any(|way| way == &serde_json::json!({}));
        assert_eq!(open, row.access == "public", "{row:?}");
        assert_eq!(
            has("403"),
            row.access == "operator" || row.method != "GET" || row.path == "/api/v1/orders",
            "{row:?}"
        );
        assert_eq!(has("429"), row.class != "free", "{row:?}");
        assert!(has("503") && has("default") && has("401"), "{row:?}");
        let key = operation["parameters"]
            .as_array()
            .expect("a list")
            .iter()
            .find_map(|parameter| parameter["$ref"].as_str().filter(|name| name.ends_with("IdempotencyKey")));
        let expected = match row.key.as_str() {
            "-" => None,
            "required" => Some("#/components/parameters/RequiredIdempotencyKey"),
            _ => Some("#/components/parameters/IdempotencyKey"),
        };
        assert_eq!(key, expected, "{row:?}");
    }
}

#[test]
fn the_schemas_of_requests_refuse_unknown_fields_too() {
    let mut bodies = 0;
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let Some(body) = operation.get("requestBody") else { continue };
            let name = body["content"]["application/json"]["schema"]["$ref"].as_str().expect("a named body");
            let schema = DOCUMENT.pointer(&name[1..]).unwrap_or(&Value::Null);
            assert_eq!(schema["additionalProperties"], false, "{method} {path}");
            bodies += 1;
        }
    }
    assert!(bodies > 20, "{bodies}");
}
