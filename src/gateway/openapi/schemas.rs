//! The schemas of the document: gathered from the handlers' types, and made plainer for who reads them or makes a client of them.

use crate::gateway::routing::Shape;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// By their names.
#[derive(Default)]
pub struct Schemas(BTreeMap<String, Value>);

const REFERENCE: &str = "#/components/schemas/";

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REFERENCE}{name}")})
}

impl Schemas {
    /// Takes a type in with all that it speaks of: what to write where the type stands.
    pub fn add(&mut self, shape: &Shape) -> Value {
        let schema = self.add_parts(shape);
        self.insert(&shape.name, schema);
        self.inlined(reference(&shape.name))
    }

    /// Takes in what the type speaks of: its own schema.
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

    /// What the schema is, behind its name.
    pub fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match name_of(schema).and_then(|name| self.0.get(name)) {
            Some(named) => self.resolved(named),
            None => schema,
        }
    }

    /// All of them, as they go into the document.
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

    /// Those that these parts of the document speak of, and those that they speak of.
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

    /// Without references to what is told in a line.
    fn inlined(&self, schema: Value) -> Value {
        match schema {
            Value::Object(mut members) => {
                let plain = members.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix(REFERENCE));
                if let Some(plain) = plain.filter(|name| is_plain(name)).and_then(|name| self.0.get(name)) {
                    members.remove("$ref");
                    // What is said where it is used counts.
                    let all = plain.as_object().cloned().unwrap_or_default().into_iter().chain(members).collect();
                    return self.inlined(Value::Object(all));
                }
                if let Some(Value::String(words)) = members.get_mut("description") {
                    *words = told(words);
                }
                Value::Object(members.into_iter().map(|(name, member)| (name, self.inlined(member))).collect())
            }
            Value::Array(items) => items.into_iter().map(|item| self.inlined(item)).collect(),
            other => other,
        }
    }

    /// What serde flattens is one object here, too.
    fn merged(&self, schema: Value) -> Value {
        let Some(parts) = schema.get("allOf").and_then(Value::as_array) else { return schema };
        let mut whole = Map::from_iter([("type".to_owned(), "object".into())]);
        if let Some(words) = schema.get("description") {
            whole.insert("description".into(), words.clone());
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

    /// Of an enum, or of nothing: whatever one of the variants has may be there.
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

    /// A merge patch of it (RFC 7396): nothing is required, and `null` gives the default back.
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

/// Told in a line where it stands, and no type of its own for clients.
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

/// Words for rustdoc, without its links.
fn told(words: &str) -> String {
    let mut told = words.replace("[`", "`").replace("`]", "`");
    while let Some((start, rest)) = told.split_once("`(crate::") {
        let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        told = format!("{start}`{rest}");
    }
    told
}
