//! Room 4, the facts: what each FHIR server does, one TOML file a server, each value with its source.
//!
//! The files are in `dialects/`; their schema is [`fhir_import_workflow::dialect`]. There is no control flow here.

use fhir_import_workflow::Dialect;

/// The built-in dialects as JSON, one in a line, compressed: every word of the files is in the component.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dialects.ndjson.lz4"));

/// The built-in dialects as JSON, in alphabetical order of their names.
///
/// # Panics
/// Never: the build script wrote what is read.
#[must_use]
pub fn texts() -> Vec<String> {
    let bytes = lz4_flex::decompress_size_prepended(PACKED).expect("the build script packed it");
    let text = String::from_utf8(bytes).expect("the build script wrote JSON");
    text.lines().map(str::to_owned).collect()
}

/// The built-in dialects, in alphabetical order of their names.
///
/// # Panics
/// Never: the build script wrote what is read.
#[must_use]
pub fn all() -> Vec<Dialect> {
    texts().iter().map(|text| Dialect::from_json(text).expect("the build script wrote what the schema reads")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readers_read_the_same() {
        for text in texts() {
            let by_serde: Dialect = serde_json::from_str(&text).unwrap();
            assert_eq!(Dialect::from_json(&text).unwrap(), by_serde, "{}", by_serde.name);
        }
    }

    #[test]
    fn every_section_of_every_dialect_names_its_source() {
        for dialect in all() {
            let sources = [
                &dialect.detect.source,
                &dialect.inputs.source,
                &dialect.kick_off.source,
                &dialect.poll.source,
                &dialect.result.source,
                &dialect.cancel.source,
                &dialect.recovery.source,
                &dialect.verify.source,
            ];
            assert!(sources.iter().all(|source| source.len() > 10), "{}: {sources:?}", dialect.name);
        }
    }
}
