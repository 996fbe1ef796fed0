//! Merge patches of settings (RFC 7396).

use crate::gateway::{extract::strict_json::from_json, respond::Problem};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, marker::PhantomData};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// A merge patch of settings: a member that is missing stays as it is, and `null` restores the
/// default.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Patch<T>(pub Value, PhantomData<T>);

/// The schema of the settings. The OpenAPI document adds that no member is required and each may be
/// `null`.
impl<T: ToSchema> ToSchema for Patch<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Patch", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Patch<T> {
    fn schema() -> RefOr<Schema> {
        T::schema()
    }
}

/// The defaults with the patch applied. `Err` is 422 if the result is no valid `T`.
pub fn patched<T: Serialize + DeserializeOwned>(defaults: &T, patch: &Value) -> Result<T, Problem> {
    let mut settings = serde_json::to_value(defaults).unwrap_or_default();
    apply(&mut settings, patch);
    from_json(settings.to_string().as_bytes())
}

/// Applies a patch to the defaults (RFC 7396 §2), with one difference: `null` keeps the default of
/// a member.
fn apply(defaults: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *defaults = patch.clone();
        return;
    };
    let defaults = object(defaults);
    for (name, value) in patch.iter().filter(|(_, value)| !value.is_null()) {
        apply(defaults.entry(name.clone()).or_insert(Value::Null), value);
    }
}

/// Adds `then` to the patch `first`. The sum has the effect of the first patch and then the second:
/// the same merge, but each `null` is kept.
pub fn add_to_patch(first: &mut Value, then: &Value) {
    let Value::Object(then) = then else {
        *first = then.clone();
        return;
    };
    let first = object(first);
    for (name, value) in then {
        add_to_patch(first.entry(name.clone()).or_insert(Value::Null), value);
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made an object in the line before")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_patch_changes_the_defaults_member_by_member() {
        // Adapted from the cases of RFC 7396, appendix A.
        for (defaults, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"a": "b", "b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c", "d": 1}}), json!({"a": {"b": "e", "d": null}}), json!({"a": {"b": "e", "d": 1}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"e": {"f": 1}}), json!({"e": {"f": 1}})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = defaults.clone();
            apply(&mut merged, &patch);
            assert_eq!(merged, result, "{defaults} and {patch}");
        }
    }

    /// A patch of settings with two fields, and a group of two more fields.
    fn patch() -> impl Strategy<Value = Value> {
        let leaf = || prop_oneof![Just(Value::Null), (0..9).prop_map(Value::from)];
        let group = prop::collection::btree_map("[ab]", leaf(), 0..3);
        (prop::collection::btree_map("[ab]", leaf(), 0..3), group).prop_map(|(fields, group)| {
            let group = Value::Object(group.into_iter().collect());
            Value::Object(fields.into_iter().chain([("group".to_owned(), group)]).collect())
        })
    }

    proptest! {
        /// The last value of each setting counts.
        #[test]
        fn the_sum_of_two_patches_has_the_effect_of_both_in_order(first in patch(), then in patch()) {
            let defaults = json!({"a": 10, "b": 11, "group": {"a": 12, "b": 13}});
            let (mut sum, mut at_once) = (first.clone(), defaults.clone());
            add_to_patch(&mut sum, &then);
            apply(&mut at_once, &sum);
            for place in ["/a", "/b", "/group/a", "/group/b"] {
                let last = then.pointer(place).or(first.pointer(place)).filter(|value| !value.is_null());
                prop_assert_eq!(at_once.pointer(place), last.or(defaults.pointer(place)));
            }
        }
    }
}
