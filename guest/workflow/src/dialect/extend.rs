//! A dialect that says only what is different from another one.

use serde_json::{Map, Value};

/// Puts what a dialect says of its own over the one that it extends: tables are merged; everything else, lists too, is
/// replaced. Where `false` stands, what the other one has is taken away; inside of templates it is a value.
pub fn extend(base: &mut Map<String, Value>, own: Map<String, Value>) {
    over(base, own, Inside::Table);
}

#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Table,
    Template,
}

fn over(base: &mut Map<String, Value>, own: Map<String, Value>, inside: Inside) {
    for (key, value) in own {
        let below = if key == "body" || key == "content" { Inside::Template } else { inside };
        match (base.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => over(old, new, below),
            (_, Value::Bool(false)) if inside == Inside::Table => drop(base.remove(&key)),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_merged_lists_are_replaced_and_false_takes_away() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let mut base = object(json!({
            "name": "a", "kick-off": { "prefer": "x", "accepted": [202], "body": { "one": 1, "two": [1] } }
        }));
        extend(
            &mut base,
            object(json!({
                "name": "b", "kick-off": { "prefer": false, "accepted": [200], "body": { "one": false, "three": 3 } }
            })),
        );
        let expected = json!({
            "name": "b", "kick-off": { "accepted": [200], "body": { "one": false, "two": [1], "three": 3 } }
        });
        assert_eq!(Value::Object(base), expected);
    }
}
