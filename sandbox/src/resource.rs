//! One line of NDJSON as a FHIR resource, and what it refers to.

use crate::r4;
use serde_json::{Map, Value};

/// A resource that names its type. Nothing else about it has been checked.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) kind: String,
    pub(crate) id: Option<String>,
    pub(crate) content: Map<String, Value>,
}

/// Why a line is no resource.
#[derive(Debug)]
pub(crate) enum Malformed {
    /// It is no JSON object. `cut_short` when more text could have completed it.
    Json { cut_short: bool, column: usize, message: String },
    /// It does not say what type it is.
    Untyped,
}

impl Resource {
    pub(crate) fn parse(line: &[u8]) -> Result<Self, Malformed> {
        Self::parse_as(line, None)
    }

    /// The same, where a resource that does not name its type is of this one.
    pub(crate) fn parse_as(line: &[u8], default: Option<&str>) -> Result<Self, Malformed> {
        let mut content = serde_json::from_slice::<Map<String, Value>>(line).map_err(|error| Malformed::Json {
            cut_short: error.is_eof(),
            column: error.column(),
            message: error.to_string(),
        })?;
        if let Some(default) = default {
            content.entry("resourceType").or_insert_with(|| default.into());
        }
        let text = |name| content.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = text("resourceType").ok_or(Malformed::Untyped)?;
        Ok(Self { kind, id: text("id"), content })
    }

    /// Gives a resource without an id one of the server's own.
    pub(crate) fn name(&mut self, id: String) {
        self.content.insert("id".to_owned(), id.as_str().into());
        self.id = Some(id);
    }

    /// Every relative literal reference in the resource, such as `Patient/1`, with the path it was found at.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        let mut path = vec![self.kind.as_str()];
        collect_members(&self.content, &mut path, &mut found);
        found
    }
}

/// A reference to another resource on the same server.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Reference {
    pub(crate) kind: String,
    pub(crate) id: String,
    /// Where it stands, without positions in lists: `Observation.subject`.
    pub(crate) path: String,
}

fn collect<'a>(value: &'a Value, path: &mut Vec<&'a str>, found: &mut Vec<Reference>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        Value::Object(members) => {
            let target = members.get("reference").and_then(Value::as_str);
            found.extend(target.and_then(|target| literal(target, path)));
            collect_members(members, path, found);
        }
        _ => {}
    }
}

fn collect_members<'a>(members: &'a Map<String, Value>, path: &mut Vec<&'a str>, found: &mut Vec<Reference>) {
    for (name, value) in members {
        path.push(name);
        collect(value, path, found);
        path.pop();
    }
}

/// `Type/id`, with or without a version; not a URL, a URN, a contained resource or a search.
fn literal(target: &str, path: &[&str]) -> Option<Reference> {
    let mut parts = target.split('/');
    let (kind, id) = (parts.next()?, parts.next()?);
    let whole = matches!((parts.next(), parts.next(), parts.next()), (None, ..) | (Some("_history"), Some(_), None));
    (whole && r4::is_type(kind) && !id.is_empty()).then(|| Reference {
        kind: kind.to_owned(),
        id: id.to_owned(),
        path: path.join("."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_at_any_depth_and_only_local_ones() {
        let line = br##"{"resourceType":"Observation","subject":{"reference":"Patient/p"},
            "performer":[{"reference":"Practitioner/d/_history/2"},{"reference":"#contained"}],
            "focus":[{"reference":"http://other/fhir/Patient/p"},{"reference":"Patient?identifier=1"}],
            "device":{"reference":"Thing/t"},"specimen":{"reference":"urn:uuid:0"}}"##;
        let found = Resource::parse(line).unwrap().references();
        let mut found: Vec<_> = found.iter().map(|r| format!("{} {}/{}", r.path, r.kind, r.id)).collect();
        found.sort();
        assert_eq!(found, ["Observation.performer Practitioner/d", "Observation.subject Patient/p"]);
    }

    #[test]
    fn a_line_that_ends_too_early_says_so() {
        let cut = Resource::parse(br#"{"resourceType":"Patient""#).unwrap_err();
        assert!(matches!(cut, Malformed::Json { cut_short: true, .. }));
        let wrong = Resource::parse(b"nonsense").unwrap_err();
        assert!(matches!(wrong, Malformed::Json { cut_short: false, .. }));
        assert!(matches!(Resource::parse(b"{}").unwrap_err(), Malformed::Untyped));
    }
}
