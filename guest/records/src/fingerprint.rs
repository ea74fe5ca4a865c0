//! The fingerprint of a resource: equal for what was sent and what was read back, unless content changed.

use crate::hash::{Key, siphash};
use serde_json::{Number, Value};

/// What servers write themselves, so it says nothing about loss.
const SERVER_OWNED: [&str; 2] = ["meta", "text"];

const KEYS: [Key; 2] = [(0x6669_6e67_6572_0001, 0x7072_696e_7400_0001), (0x6669_6e67_6572_0002, 0x7072_696e_7400_0002)];

/// Integers up to here have exact doubles, so that `2` and `2.0` can be told to be one value.
const EXACT_INTEGERS: u64 = 1 << f64::MANTISSA_DIGITS;

/// Digests a resource to 32 hexadecimal digits.
///
/// Two resources have the same fingerprint when they are equal after this: `meta` and `text` at the top are left out;
/// the order of keys does not matter; members that are `null`, `""`, `[]`, `{}`, or hold only such, count as absent;
/// numbers are compared by value (`1.0` is `1`). White space and escapes of the JSON text do not matter either. What
/// a server rewrites elsewhere, such as a relative reference made absolute, does change the fingerprint.
///
/// It is a hash tree over SipHash-2-4 with two fixed keys: good against accidents, and not cryptographic, so it
/// proves nothing against someone who wants two resources to look equal.
#[must_use]
pub fn fingerprint(resource: &Value) -> String {
    let digest = match resource {
        Value::Object(members) => object(members.iter().filter(|(key, _)| !SERVER_OWNED.contains(&key.as_str()))),
        other => digest(other),
    };
    let [high, low] = digest.unwrap_or_default();
    format!("{high:016x}{low:016x}")
}

type Digest = [u64; 2];

/// The digest of a value, `None` when it counts as absent.
fn digest(value: &Value) -> Option<Digest> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(leaf(b'b', &[u8::from(*flag)])),
        Value::Number(value) => Some(number(value)),
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(leaf(b's', text.as_bytes())),
        Value::Array(items) => array(items),
        Value::Object(members) => object(members.iter()),
    }
}

fn leaf(tag: u8, content: &[u8]) -> Digest {
    let tagged = [&[tag], content].concat();
    KEYS.map(|key| siphash(key, &tagged))
}

fn number(value: &Number) -> Digest {
    match value.as_i64().map(i64::unsigned_abs).or_else(|| value.as_u64()) {
        Some(magnitude) if magnitude > EXACT_INTEGERS => leaf(b'i', value.to_string().as_bytes()),
        // Adding zero turns -0.0 into 0.0.
        _ => leaf(b'n', &(value.as_f64().unwrap_or(f64::NAN) + 0.0).to_bits().to_le_bytes()),
    }
}

/// Empty items keep their place: FHIR pairs `given[1]` with `_given[1]`.
fn array(items: &[Value]) -> Option<Digest> {
    let digests: Vec<_> = items.iter().map(digest).collect();
    if digests.iter().all(Option::is_none) {
        return None;
    }
    let mut content = Vec::with_capacity(digests.len() * 16);
    for digest in digests {
        push(&mut content, digest.unwrap_or_default());
    }
    Some(leaf(b'a', &content))
}

fn object<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> Option<Digest> {
    let mut present: Vec<_> = members.filter_map(|(key, value)| Some((key, digest(value)?))).collect();
    if present.is_empty() {
        return None;
    }
    present.sort_unstable();
    let mut content = Vec::new();
    for (key, digest) in present {
        content.extend_from_slice(&(key.len() as u64).to_le_bytes());
        content.extend_from_slice(key.as_bytes());
        push(&mut content, digest);
    }
    Some(leaf(b'o', &content))
}

fn push(content: &mut Vec<u8>, digest: Digest) {
    for word in digest {
        content.extend_from_slice(&word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        fingerprint(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn what_servers_rewrite_changes_nothing() {
        let sent = r#"{"resourceType":"Patient","id":"1","active":true,"multipleBirthInteger":2}"#;
        for read in [
            r#"{"id":"1","active":true,"resourceType":"Patient","multipleBirthInteger":2.0}"#,
            r#"{"meta":{"versionId":"3"},"text":{"div":"x"},"resourceType":"Patient","id":"1","active":true,"multipleBirthInteger":2}"#,
            r#"{"name":[],"photo":[{"data":"","x":[null,{}]}],"gender":null,"resourceType":"Patient","id":"\u0031","active":true,"multipleBirthInteger":20e-1}"#,
        ] {
            assert_eq!(of(read), of(sent), "{read}");
        }
    }

    #[test]
    fn what_was_lost_changes_it() {
        let resources = [
            r#"{"a":"1"}"#,
            r#"{"a":1}"#,
            r#"{"a":"true"}"#,
            r#"{"a":true}"#,
            r#"{"a":["1"]}"#,
            r#"{"a":["1",null]}"#,
            r#"{"a":[null,"1"]}"#,
            r#"{"a":[["1"]]}"#,
            r#"{"a":{"a":"1"}}"#,
            r#"{"a":"1","b":{"text":"1"}}"#,
            r#"{"a":"1","b":{"meta":"1"}}"#,
            r#"{"b":"1"}"#,
            r#"{"a":9007199254740993}"#,
            r#"{"a":9007199254740992}"#,
            r#"{"a":-9007199254740993}"#,
            r#"{"a":18446744073709551615}"#,
            r#"{"a":0.1}"#,
            "{}",
        ];
        let prints: std::collections::BTreeSet<_> = resources.iter().map(|text| of(text)).collect();
        assert_eq!(prints.len(), resources.len());
    }

    #[test]
    fn fingerprints_are_stored_so_they_may_never_change() {
        assert_eq!(of(r#"{"resourceType":"Patient","id":"1","n":[1,-0.0,true]}"#), "c959587d99f11ab5e9fbb9baae902a7d");
        assert_eq!(of("{}"), "0".repeat(32));
    }
}
