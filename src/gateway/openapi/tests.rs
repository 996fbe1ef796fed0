//! The document is complete, and its schemas and examples are valid.

use super::*;

#[test]
fn every_handler_has_texts_and_every_text_has_a_handler() {
    let mut handlers: Vec<_> = ROUTES.iter().map(|route| route.handler.name).collect();
    let mut described: Vec<_> = OPERATIONS.iter().map(|doc| doc.handler).collect();
    handlers.sort();
    described.sort();
    assert_eq!(described, handlers);
    for doc in OPERATIONS {
        assert!(!doc.summary.is_empty() && !doc.summary.ends_with('.'), "{}", doc.handler);
        for code in doc.refusals {
            assert!(problems::CODES.iter().any(|(_, codes)| codes.contains(code)), "{}: {code}", doc.handler);
        }
    }
    for route in ROUTES {
        assert!(TAGS.iter().any(|(name, _)| *name == tag(route)), "{}", route.handler.name);
    }
}

#[test]
fn every_path_of_the_table_is_in_the_document() {
    let document = made();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert!(operation.is_object(), "{} {}", route.method, route.path);
        let has_id = operation["parameters"].as_array().unwrap().iter().any(|it| it["in"] == "path");
        assert_eq!(has_id, route.path.contains("{id}"), "{}", route.path);
    }
}

#[test]
fn every_schema_is_valid_json_schema_and_every_example_is_valid_by_its_schema() {
    let document = made();
    let mut examples = 0;
    let mut look = |place: &str, schema: &Value, values: Vec<&Value>| {
        let mut schema = schema.clone();
        schema["components"] = document["components"].clone();
        let schema = jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{place}: {error}"));
        for value in values {
            examples += 1;
            if let Err(error) = schema.validate(value) {
                panic!("{place}: {error} at {} in {value:#}", error.instance_path());
            }
        }
    };
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        look(name, schema, schema["examples"].as_array().into_iter().flatten().collect());
        let members = schema["properties"].as_object().into_iter().flatten();
        for (member, schema) in members {
            look(&format!("{name}.{member}"), schema, schema.get("example").into_iter().collect());
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap().values();
            let bodies = responses.chain(operation.get("requestBody"));
            for content in bodies.filter_map(|body| body.get("content")?.as_object()).flat_map(Map::values) {
                look(&format!("{method} {path}"), &content["schema"], content.get("example").into_iter().collect());
            }
        }
    }
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let content = &response["content"]["application/problem+json"];
        look(name, &content["schema"], vec![&content["example"]]);
    }
    assert!(examples > 100, "{examples} examples");
}
