//! Where in a JSON value something is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::read::{Problem, Read, read_object};

/// Names of members, with dots between. `name[key=value]` is the first item of the array `name` whose member `key` is
/// that text; dots in brackets are text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(pub String);

impl Path {
    /// What is there; `null` counts as nothing.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let mut found = value;
        for step in steps(&self.0) {
            found = match step.split_once('[') {
                None => found.get(step)?,
                Some((name, wanted)) => {
                    let (key, text) = wanted.strip_suffix(']')?.split_once('=')?;
                    found.get(name)?.as_array()?.iter().find(|item| item[key] == text)?
                }
            };
        }
        Some(found).filter(|value| !value.is_null())
    }

    /// The text there; numbers and truth values as JSON writes them.
    #[must_use]
    pub fn text(&self, value: &Value) -> Option<String> {
        text(self.find(value)?)
    }

    /// The whole number there; some servers write it as text.
    #[must_use]
    pub fn number(&self, value: &Value) -> Option<u64> {
        number(self.find(value)?)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        other @ (Value::Number(_) | Value::Bool(_)) => Some(other.to_string()),
        _ => None,
    }
}

/// A whole number; some servers write it as text.
#[must_use]
pub fn number(value: &Value) -> Option<u64> {
    text(value)?.parse().ok()
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    path.split(move |c: char| {
        inside = (inside || c == '[') && c != ']';
        c == '.' && !inside
    })
}

/// A condition on a JSON value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Where {
    /// Something is there,
    pub at: Path,
    /// and it is one of these texts; any, when the list is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<String>,
}

impl Where {
    /// Whether it holds.
    #[must_use]
    pub fn fits(&self, value: &Value) -> bool {
        match self.is.is_empty() {
            true => self.at.find(value).is_some(),
            false => self.at.text(value).is_some_and(|text| self.is.contains(&text)),
        }
    }
}

impl Read for Path {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        Self(String::read(value, problem))
    }
}

read_object!(Where { at, is });

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Path {
        Path(text.to_owned())
    }

    #[test]
    fn a_path_leads_through_objects_and_to_the_item_that_says_so() {
        let value = json!({
            "a": { "b": "7", "n": null },
            "x": [{ "url": "u.v/w", "x": [{ "url": "created", "valueInteger": 2 }] }],
            "done": true,
        });
        assert_eq!(path("a.b").number(&value), Some(7));
        assert_eq!(path("x[url=u.v/w].x[url=created].valueInteger").number(&value), Some(2));
        assert_eq!(path("done").text(&value).as_deref(), Some("true"));
        for nothing in ["", "a.c", "a.n", "a", "x[url=created]", "x[url", "x[]", "a.b.c", "x"] {
            assert_eq!(path(nothing).text(&value), None, "{nothing}");
        }
        assert_eq!(path("a.n").find(&value), None);
    }

    #[test]
    fn a_condition_wants_one_of_its_texts_or_just_something() {
        let value = json!({ "status": "done", "error": { "code": 3 } });
        let fits = |at: &str, is: &[&str]| {
            Where { at: path(at), is: is.iter().map(|s| (*s).to_owned()).collect() }.fits(&value)
        };
        assert!(fits("status", &["failed", "done"]) && fits("error", &[]) && fits("error.code", &["3"]));
        assert!(!fits("status", &["failed"]) && !fits("outcome", &[]) && !fits("error", &["3"]));
    }
}
