//! Examples of bodies. Each is composed of the examples of its fields, so no example is written
//! twice. A test validates each example against its schema.

use super::schemas::{Schemas, name_of};
use serde_json::{Map, Value, json};

/// Example texts by the name of the field: `Schema.field` for one schema, `field` for all others.
#[rustfmt::skip]
const TEXTS: &[(&str, &str)] = &[
    ("Product.name", "Steel kettle"), ("CreateProduct.name", "Steel kettle"), ("ProductChanges.name", "Steel kettle"),
    ("CartItem.name", "Steel kettle"), ("OrderItem.name", "Steel kettle"), ("Category.name", "Kitchen"), ("category_name", "Kitchen"),
    ("Equation.name", "captured - refunded = held by the provider"), ("name", "Ada Lovelace"),
    ("line1", "12 St James's Square"), ("line2", "Second floor"), ("city", "Berlin"), ("postal_code", "10115"), ("phone", "+49 30 123456"),
    ("description", "A kettle that whistles."), ("image", "/pictures/kettle.svg"), ("category", "kitchen"), ("tags", "steel"),
    ("number", "4242 4242 4242 4242"), ("cvc", "123"), ("brand", "visa"), ("last4", "4242"),
    ("access_token", "eyJhbGciOiJFZERTQSJ9…"), ("refresh_token", "mJ3vWq0c2f…"), ("token", "9f2c51…"),
    ("reason", "The kettle is too loud."), ("note", "Paid, packed tomorrow"), ("title", "Your order is on its way"), ("body", "The carrier has collected your parcel."),
    ("link", "/orders/ord_019a52b46b7a7d0c8f3e5a1b2c3d4e5f"), ("tracking_number", "GL12345678 5DE"), ("carrier", "Northern Rail"),
    ("code", "BER"), ("hub", "Berlin"), ("route", "Berlin"), ("degraded", "shipment"), ("message", "Back at noon."),
    ("record", "order/ord_019a52b46b7a7d0c8f3e5a1b2c3d4e5f"), ("error", "the service failed"),
    ("subject", "ord_019a52b46b7a7d0c8f3e5a1b2c3d4e5f"), ("left", "EUR 59.90"), ("right", "EUR 59.90"),
    ("next_cursor", "c1Wm9yJvcmRfMDE5YTUyYjQi"), ("kid", "2026-05-04"), ("x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), ("verbose", ""),
];
/// Example numbers by the name of the field.
#[rustfmt::skip]
const NUMBERS: &[(&str, u64)] = &[
    ("exp_month", 12), ("exp_year", 2030), ("weight_grams", 900), ("available", 40), ("on_hand", 40), ("product_count", 12), ("item_count", 2),
    ("capacity", 256), ("latitude", 52), ("longitude", 13), ("quota", 1000), ("window_seconds", 10), ("deadline_ms", 10_000), ("ttl_ms", 60_000),
    ("least", 2), ("most", 8), ("in_flight", 20), ("weight", 100),
];

/// Which fields an example has.
#[derive(Clone, Copy, PartialEq)]
pub enum Shown {
    /// All fields: for requests.
    All,
    /// Only the required fields: for responses.
    Required,
}

/// An example value that is valid by the schema.
pub fn of(schema: &Value, schemas: &Schemas, shown: Shown) -> Value {
    let described = ["example", "const", "default"].iter().find_map(|name| schema.get(*name));
    let listed = || ["examples", "enum"].iter().find_map(|name| schema.get(*name)?.as_array()?.first());
    if let Some(example) = described.filter(|value| !value.is_null()).or_else(listed) {
        return example.clone();
    }
    if let Some(variants) = ["oneOf", "anyOf"].iter().find_map(|name| schema.get(*name)?.as_array()) {
        let some = variants.iter().find(|variant| variant["type"] != "null");
        return some.map_or(Value::Null, |variant| of(variant, schemas, shown));
    }
    let (name, schema) = (name_of(schema).unwrap_or_default(), schemas.resolved(schema));
    if schema.get("properties").is_some() {
        return object(name, schema, schemas, shown);
    }
    match kind(schema) {
        _ if !name.is_empty() => of(schema, schemas, shown),
        "array" => json!([of(&schema["items"], schemas, shown)]),
        "integer" | "number" => schema.get("minimum").filter(|least| **least != json!(0)).cloned().unwrap_or(json!(1)),
        "boolean" => false.into(),
        "object" => json!({}),
        "string" if schema["format"] == "date-time" => "2026-05-04T09:30:00Z".into(),
        "string" if schema["format"] == "password" => "a long walk at dawn".into(),
        "string" => "text".into(),
        _ => json!({}),
    }
}

fn object(name: &str, schema: &Value, schemas: &Schemas, shown: Shown) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    let required = |member: &String| schema["required"].as_array().is_some_and(|all| all.iter().any(|it| it == member));
    let members = schema["properties"].as_object().into_iter().flatten();
    let members = members.filter(|(member, _)| shown == Shown::All || required(member));
    let example = |member: &String, schema: &Value| {
        let made = of(schema, schemas, shown);
        let of_one = format!("{name}.{member}");
        let text = [&of_one, member].into_iter().find_map(|key| TEXTS.iter().find(|(known, _)| known == key));
        let number = NUMBERS.iter().find(|(known, _)| known == member);
        match (&made, text, number) {
            // An example that the schema itself gives is kept.
            (Value::String(made), Some((_, text)), _) if ["text", "a long walk at dawn"].contains(&made.as_str()) => {
                json!(text)
            }
            (Value::Array(items), Some((_, text)), _) if items.first() == Some(&json!("text")) => json!([text]),
            (Value::Number(made), _, Some((_, number))) if made.as_u64() == Some(1) => json!(number),
            _ => made,
        }
    };
    members.map(|(member, schema)| (member.clone(), example(member, schema))).collect::<Map<_, _>>().into()
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")),
        kind => kind.as_str(),
    }
    .unwrap_or_default()
}
