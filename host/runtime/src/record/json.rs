//! JSON as it may be written down: what the protocol says stays, resources become their type and id, and sentences of a
//! server lose what may tell of a patient.

use fhir_import_records::normalise;
use serde_json::{Map, Value, json};

use super::scrub::Scrub;

/// Resources that are the protocol; all others are somebody's data.
const PROTOCOL: [&str; 4] = ["CapabilityStatement", "OperationDefinition", "OperationOutcome", "Parameters"];
/// What a server says of itself, without a word about a patient.
const SELF_DESCRIPTION: [&str; 2] = ["CapabilityStatement", "OperationDefinition"];
/// Where servers write sentences, also short ones.
const SENTENCES: [&str; 11] = [
    "comment",
    "description",
    "detail",
    "details",
    "diagnostics",
    "display",
    "div",
    "error",
    "message",
    "reason",
    "text",
];

/// Whose words a text holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Words {
    /// The guest's, which knows no patient; or what a server says of itself.
    Ours,
    /// A server's, which may quote a record.
    Theirs,
}

/// Whether this is a resource with somebody's data.
pub(super) fn is_data(value: &Value) -> bool {
    kind(value).is_some_and(|kind| !PROTOCOL.contains(&kind))
}

/// The text of a JSON document as it may be written down; none when it is none.
pub(super) fn scrubbed(text: &str, words: Words, scrub: &Scrub) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let words = if kind(&value).is_some_and(|kind| SELF_DESCRIPTION.contains(&kind)) { Words::Ours } else { words };
    let cut = cut(&value, scrub);
    if cut == value { Some(strings(text, words, scrub)) } else { Some(strings(&cut.to_string(), words, scrub)) }
}

fn kind(value: &Value) -> Option<&str> {
    value.get("resourceType")?.as_str()
}

/// The same without the content of resources.
fn cut(value: &Value, scrub: &Scrub) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| cut(item, scrub)).collect(),
        Value::Object(_) if kind(value) == Some("Bundle") => bundle(value, scrub),
        Value::Object(_) if is_data(value) => resource(value, scrub),
        Value::Object(fields) => {
            let cut = fields.iter().map(|(name, field)| (name.clone(), cut(field, scrub)));
            Value::Object(cut.collect())
        }
        plain => plain.clone(),
    }
}

fn resource(value: &Value, scrub: &Scrub) -> Value {
    let mut short = Map::new();
    short.insert("resourceType".to_owned(), json!(kind(value)));
    if let Some(id) = value.get("id").and_then(Value::as_str) {
        short.insert("id".to_owned(), json!(scrub.id(id)));
    }
    Value::Object(short)
}

fn bundle(value: &Value, scrub: &Scrub) -> Value {
    let mut short = Map::new();
    for name in ["resourceType", "type", "total"] {
        short.extend(value.get(name).map(|field| (name.to_owned(), field.clone())));
    }
    let entry = |entry: &Value| json!({ "resource": entry.get("resource").map(|resource| cut(resource, scrub)) });
    if let Some(entries) = value.get("entry").and_then(Value::as_array) {
        short.insert("entry".to_owned(), entries.iter().map(entry).collect());
    }
    Value::Object(short)
}

/// Rewrites the strings of a JSON text and leaves every other byte as it is.
fn strings(text: &str, words: Words, scrub: &Scrub) -> String {
    let mut written = String::with_capacity(text.len());
    let mut key = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (before, from) = rest.split_at(at);
        let (literal, after) = from.split_at(end_of_string(from));
        let content: String = serde_json::from_str(literal).unwrap_or_default();
        written += before;
        if after.trim_start().starts_with(':') {
            written += literal;
            key = content;
        } else {
            let scrubbed = string(&key, &content, words, scrub);
            written += &if scrubbed == content { literal.to_owned() } else { Value::from(scrubbed).to_string() };
        }
        rest = after;
    }
    written + rest
}

/// Where a string that begins with its quote ends.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().enumerate().skip(1).find(|(_, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// Some servers write JSON into a string.
fn string(key: &str, content: &str, words: Words, scrub: &Scrub) -> String {
    if content.starts_with(['{', '['])
        && let Some(inside) = scrubbed(content, words, scrub)
    {
        return inside;
    }
    let sentence = SENTENCES.contains(&key) || content.contains(|c: char| c.is_whitespace() || "\"'`".contains(c));
    if words == Words::Theirs && sentence { scrub.text(&normalise(content)) } else { scrub.text(content) }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn scrub() -> Scrub {
        let import = "0123456789abcdef0123456789abcdef".parse().unwrap();
        Scrub::new(import, &Url::parse("http://h.example/fhir").unwrap(), &[])
    }

    fn theirs(text: &str) -> String {
        scrubbed(text, Words::Theirs, &scrub()).unwrap()
    }

    #[test]
    fn the_protocol_stays_byte_for_byte() {
        let text =
            "{ \"resourceType\" : \"Parameters\",\n \"parameter\":[{\"name\":\"a\\u0062\",\"valueInteger\":1.0}] }";
        assert_eq!(theirs(text), text);
        let manifest =
            r#"{"transactionTime":"2026-01-01T00:00:00Z","output":[{"type":"Patient","count":2}],"error":[]}"#;
        assert_eq!(theirs(manifest), manifest);
    }

    #[test]
    fn resources_become_type_and_id() {
        let id = scrub().id("p1");
        let patient = r#"{"resourceType":"Patient","id":"p1","name":[{"family":"CANARY"}]}"#;
        assert_eq!(theirs(patient), format!(r#"{{"id":"{id}","resourceType":"Patient"}}"#));
        let bundle = format!(
            r#"{{"resourceType":"Bundle","type":"searchset","total":1,"link":[{{"url":"CANARY"}}],"entry":[{{"fullUrl":"CANARY","resource":{patient}}}]}}"#
        );
        let read: Value = serde_json::from_str(&theirs(&bundle)).unwrap();
        let wanted = json!({
            "resourceType": "Bundle", "type": "searchset", "total": 1,
            "entry": [{ "resource": { "resourceType": "Patient", "id": id } }]
        });
        assert_eq!(read, wanted);
        let inside = format!(r#"{{"resourceType":"Parameters","parameter":[{{"resource":{patient}}}]}}"#);
        assert!(!theirs(&inside).contains("CANARY"));
    }

    #[test]
    fn sentences_are_hidden_as_in_reports() {
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"HAPI-0123: name: CANARY, at \"CANARY\" of Patient/CANARY","details":{"text":"family=CANARY"}}]}"#;
        let text = theirs(outcome);
        assert!(
            !text.contains("CANARY") && text.contains("HAPI-0123") && text.contains("\"code\":\"invalid\""),
            "{text}"
        );
        let inside = r#"{"diagnostics":"{\"done\":2,\"text\":\"name: CANARY\"}"}"#;
        assert_eq!(theirs(inside), inside.replace("CANARY", "#"));
        let status = r#"{"status":"FAILED","lines":["cannot store 'CANARY'"],"job":"5a1f"}"#;
        let text = theirs(status);
        assert!(!text.contains("CANARY") && text.contains("\"status\":\"FAILED\"") && text.contains("5a1f"), "{text}");
    }

    #[test]
    fn what_a_server_says_of_itself_stays_but_for_hosts() {
        let text = r#"{"resourceType":"CapabilityStatement","description":"Version 8.8 of 'this'","url":"http://h.example/fhir/metadata"}"#;
        assert_eq!(theirs(text), text.replace("h.example", "server.example.org"));
    }

    #[test]
    fn what_is_no_json_is_not_taken_for_it() {
        assert_eq!(scrubbed("{\"a\":", Words::Theirs, &scrub()), None);
        assert_eq!(scrubbed("<html>", Words::Theirs, &scrub()), None);
    }
}
