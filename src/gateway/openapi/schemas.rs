//! The schemas of the document: collected from the types of the handlers, and simplified for
//! readers and for generators of clients.

use crate::gateway::routing::Shape;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The schemas by their names.
#[derive(Default)]
pub struct Schemas(BTreeMap<String, Value>);

const REFERENCE: &str = "#/components/schemas/";

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REFERENCE}{name}")})
}

impl Schemas {
    /// Adds the schema of a type and of all types that it refers to. Returns the reference to it.
    pub fn add(&mut self, shape: &Shape) -> Value {
        let schema = self.add_parts(shape);
        self.insert(&shape.name, schema);
        self.inlined(reference(&shape.name))
    }

    /// Adds the types that a type refers to. Returns the schema of the type itself.
    pub fn add_parts(&mut self, shape: &Shape) -> Value {
        for (name, schema) in &shape.needs {
            self.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        serde_json::to_value(&shape.schema).unwrap_or_default()
    }

    pub fn insert(&mut self, name: &str, schema: Value) {
        let known = self.0.insert(name.to_owned(), schema.clone());
        debug_assert!(known.is_none_or(|known| known == schema), "two types are called {name}");
    }

    /// The schema that a reference points to; the schema itself if it is no reference.
    pub fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match name_of(schema).and_then(|name| self.0.get(name)) {
            Some(named) => self.resolved(named),
            None => schema,
        }
    }

    /// All schemas in the form of the document: plain types inlined, flattened types merged,
    /// patches made.
    pub fn finished(mut self) -> Self {
        let names: Vec<_> = self.0.keys().cloned().collect();
        for name in &names {
            let mut schema = self.merged(self.inlined(self.0[name].clone()));
            if name.ends_with("Patch") {
                schema = self.patch_of(schema);
            }
            self.0.insert(name.clone(), schema);
        }
        self
    }

    /// The schemas that these parts of the document refer to, directly or through other schemas.
    pub fn used_by(&self, parts: &Value) -> Value {
        let mut used = Map::new();
        self.gather(parts, &mut used);
        used.sort_keys();
        used.into()
    }

    fn gather(&self, part: &Value, used: &mut Map<String, Value>) {
        if let Some((name, schema)) = name_of(part).and_then(|name| self.0.get_key_value(name))
            && !used.contains_key(name)
        {
            used.insert(name.clone(), schema.clone());
            self.gather(schema, used);
        }
        match part {
            Value::Object(members) => members.values().for_each(|member| self.gather(member, used)),
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, used)),
            _ => {}
        }
    }

    /// The schema with plain types (see [`is_plain`]) in the place of references to them.
    fn inlined(&self, schema: Value) -> Value {
        match schema {
            Value::Object(mut members) => {
                let plain = members.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix(REFERENCE));
                if let Some(plain) = plain.filter(|name| is_plain(name)).and_then(|name| self.0.get(name)) {
                    members.remove("$ref");
                    // Members at the place of use override those of the type.
                    let all = plain.as_object().cloned().unwrap_or_default().into_iter().chain(members).collect();
                    return self.inlined(Value::Object(all));
                }
                if let Some(Value::String(text)) = members.get_mut("description") {
                    *text = without_doc_links(text);
                }
                Value::Object(members.into_iter().map(|(name, member)| (name, self.inlined(member))).collect())
            }
            Value::Array(items) => items.into_iter().map(|item| self.inlined(item)).collect(),
            other => other,
        }
    }

    /// One object of the parts of `allOf`, as serde writes a flattened field.
    fn merged(&self, schema: Value) -> Value {
        let Some(parts) = schema.get("allOf").and_then(Value::as_array) else { return schema };
        let mut whole = Map::from_iter([("type".to_owned(), "object".into())]);
        if let Some(text) = schema.get("description") {
            whole.insert("description".into(), text.clone());
        }
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let part = self.merged(self.inlined(self.resolved(part).clone()));
            let variants = part.get("oneOf").and_then(Value::as_array);
            match variants {
                None => {
                    required.extend(part["required"].as_array().cloned().unwrap_or_default());
                    properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
                }
                Some(variants) => self.any_of_these(variants, &mut properties),
            }
        }
        whole.insert("required".into(), required.into());
        whole.insert("properties".into(), properties.into());
        Value::Object(whole)
    }

    /// Adds the properties of all variants of a flattened enum or `Option`. None of them is
    /// required.
    fn any_of_these(&self, variants: &[Value], properties: &mut Map<String, Value>) {
        for variant in variants {
            let variant = self.inlined(self.resolved(variant).clone());
            if let Some(inner) = variant.get("oneOf").and_then(Value::as_array) {
                self.any_of_these(inner, properties);
            }
            for (name, property) in variant["properties"].as_object().into_iter().flatten() {
                match (properties.get_mut(name), property.get("enum")) {
                    (Some(Value::Object(known)), Some(Value::Array(values))) => {
                        if let Some(Value::Array(all)) = known.get_mut("enum") {
                            all.extend(values.iter().cloned());
                        }
                    }
                    _ => {
                        properties.insert(name.clone(), property.clone());
                    }
                }
            }
        }
    }

    /// The schema of a merge patch (RFC 7396): no member is required, and `null` restores the
    /// default.
    fn patch_of(&self, schema: Value) -> Value {
        let mut schema = self.merged(self.inlined(self.resolved(&schema).clone()));
        if let Some(variants) = schema.get("oneOf").and_then(Value::as_array) {
            let variants: Vec<_> = variants.iter().map(|variant| self.patch_of(variant.clone())).collect();
            return json!({"oneOf": variants});
        }
        let Value::Object(members) = &mut schema else { return schema };
        members.remove("required");
        members.remove("default");
        if let Some(Value::Object(properties)) = members.get_mut("properties") {
            for (_, property) in properties.iter_mut() {
                *property = nullable(self.patch_of(property.take()));
            }
        }
        if let Some(values) = members.get_mut("additionalProperties").filter(|values| values.is_object()) {
            *values = nullable(self.patch_of(values.take()));
        }
        schema
    }
}

pub fn name_of(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(REFERENCE)
}

/// Whether a type is written at each place of use. Generated clients get no class for it.
fn is_plain(name: &str) -> bool {
    let bounds = name.strip_prefix("Text").and_then(|bounds| bounds.split_once("To"));
    let is_text = bounds.is_some_and(|(least, most)| least.parse::<usize>().is_ok() && most.parse::<usize>().is_ok());
    is_text || matches!(name, "Secret" | "String" | "Value")
}

fn nullable(schema: Value) -> Value {
    match &schema["type"] {
        Value::String(kind) => {
            let kinds = json!([kind, "null"]);
            let mut schema = schema;
            schema["type"] = kinds;
            if let Some(Value::Array(values)) = schema.get_mut("enum") {
                values.push(Value::Null);
            }
            schema
        }
        Value::Array(_) => schema,
        _ => match schema.get("oneOf").and_then(Value::as_array) {
            Some(variants) if variants.iter().any(|variant| variant["type"] == "null") => schema,
            _ => json!({"oneOf": [{"type": "null"}, schema]}),
        },
    }
}

/// A doc comment without the links of rustdoc.
fn without_doc_links(text: &str) -> String {
    let mut plain = text.replace("[`", "`").replace("`]", "`");
    while let Some((start, rest)) = plain.split_once("`(crate::") {
        let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        plain = format!("{start}`{rest}");
    }
    plain
}
