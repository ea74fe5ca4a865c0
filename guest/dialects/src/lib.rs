//! Room 4, the facts: what each FHIR server does, one TOML file a server, each value with its source.
//!
//! The files are in `dialects/`; their schema is [`fhir_import_workflow::dialect`]. There is no control flow here.

use fhir_import_workflow::{Dialect, json};

/// The built-in dialects as JSON, in alphabetical order of their names.
pub const JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/dialects.json"));

/// The built-in dialects, in alphabetical order of their names.
#[must_use]
pub fn all() -> Vec<Dialect> {
    json::read(JSON).expect("the build script wrote what the schema reads")
}
