//! FHIR JSON as servers write it: `resourceType`, `id` and `meta` first.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

const FIRST: [&str; 3] = ["resourceType", "id", "meta"];

/// Where [`filled`] puts what is long and always the same: a statement of all types is written in one place only.
pub(crate) const HOLE: &str = "{}";

/// One line of JSON.
pub(crate) fn compact(value: &Value) -> String {
    serde_json::to_string(&Ordered(value)).expect("a JSON value always has a text")
}

/// Indented JSON.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(&Ordered(value)).expect("a JSON value always has a text")
}

/// One line of JSON with this text of JSON in the place of the string [`HOLE`].
pub(crate) fn filled(value: &Value, part: &str) -> String {
    compact(value).replacen(&format!("\"{HOLE}\""), part, 1)
}

struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Object(members) => {
                let first = FIRST.iter().filter_map(|name| members.get_key_value(*name));
                let rest = members.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in first.chain(rest) {
                    map.serialize_entry(name, &Ordered(value))?;
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_begins_with_its_type_at_every_depth() {
        let bundle = json!({"entry": [{"resource": {"active": true, "id": "a", "resourceType": "Patient"}}],
            "resourceType": "Bundle"});
        let text =
            r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"a","active":true}}]}"#;
        assert_eq!(compact(&bundle), text);
    }
}
