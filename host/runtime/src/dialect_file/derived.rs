//! What a file that changes another dialect must not take over from it: the proof, the name, the sources.

use std::path::Path;

use fhir_import_workflow::dialect::extend;
use serde_json::{Map, Value};

use super::source::Source;

/// What is said of the whole dialect, and changes nothing that it does.
const ABOUT: [&str; 4] = ["name", "notes", "proven", "title"];

/// Lays a file over the dialect that it extends. What was proven of that one is not proven of this one, and what the
/// file does not say of itself is said for it.
pub(super) fn lay_over(value: &mut Map<String, Value>, file: &Source) {
    let base = value.clone();
    extend(value, file.own.clone());
    if file.own.keys().all(|key| ABOUT.contains(&key.as_str())) {
        return;
    }
    let text = |key: &str| base.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut say = |key: &str, said: String| {
        if !file.own.contains_key(key) {
            value.insert(key.to_owned(), Value::String(said));
        }
    };
    say("name", format!("{}-changed", text("name")));
    say("title", format!("{}, changed by {}", text("title"), name(file)));
    say("proven", format!("changed from {} by {}; not proven", text("name"), name(file)));
    for (key, own) in &file.own {
        mark_source(value.get_mut(key), own, file);
    }
}

/// A table that was changed, and whose source was not written anew.
fn mark_source(table: Option<&mut Value>, own: &Value, file: &Source) {
    if own.as_object().is_none_or(|own| own.is_empty() || own.contains_key("source")) {
        return;
    }
    if let Some(Value::String(source)) = table.and_then(|table| table.get_mut("source")) {
        *source = format!("{source}; changed by {}", name(file));
    }
}

fn name(file: &Source) -> String {
    Path::new(&file.name).file_name().map_or_else(|| file.name.clone(), |name| name.to_string_lossy().into_owned())
}
