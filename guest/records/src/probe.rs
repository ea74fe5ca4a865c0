//! Reading just enough of a line: is it one JSON object, and what type and id does it name?
//!
//! serde_json walks the whole line, so the grammar is checked to the end, but only two values are kept. Of a repeated
//! top-level key the last one wins, as in most JSON parsers. Checking repeated keys would cost more than the rest.

use crate::finding::FindingKind;
use memchr::memmem;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The deepest nesting accepted: what serde_json, whose limit is 128, still reads into a value.
const MAX_DEPTH: usize = 127;

/// The longest name of a type accepted; the longest of FHIR R5 has 34 characters.
const MAX_TYPE_LENGTH: usize = 64;

/// What a line says about itself.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Probe<'a> {
    pub(crate) resource_type: Field<'a>,
    pub(crate) id: Field<'a>,
}

/// One of the two fields that matter.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Field<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// Present, but not a string.
    Other,
}

impl Field<'_> {
    /// The text, when it is one and `accepts` it.
    pub(crate) fn accepted(&self, accepts: fn(&str) -> bool) -> Option<&str> {
        match self {
            Self::Text(text) if accepts(text) => Some(text),
            _ => None,
        }
    }
}

/// Why a line is no JSON object; `detail` holds no content.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: FindingKind,
    pub(crate) detail: String,
}

impl Fault {
    fn new(kind: FindingKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

/// True for the shape of a type's name: an upper-case letter and more letters.
pub(crate) fn is_type_name(text: &str) -> bool {
    text.len() <= MAX_TYPE_LENGTH
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// True for a FHIR `id` (R4 §2.24.0.1): `[A-Za-z0-9\-\.]{1,64}`.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

/// What is wrong with an id, without showing it.
pub(crate) fn id_fault(id: &Field<'_>) -> String {
    let Field::Text(text) = id else { return "not a string".to_owned() };
    match text.chars().position(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))) {
        Some(at) => format!("character {} is not allowed", at + 1),
        None => format!("{} characters", text.len()),
    }
}

/// Checks one line and reads its type and id.
pub(crate) fn probe(line: &[u8]) -> Result<Probe<'_>, Fault> {
    let text = simdutf8::compat::from_utf8(line)
        .map_err(|error| Fault::new(FindingKind::NotUtf8, format!("at byte {}", error.valid_up_to() + 1)))?;
    let Object(probe) = serde_json::from_str(text).map_err(|error| refuse(text, &error))?;
    if is_too_deep(line) {
        return Err(Fault::new(FindingKind::NestedTooDeep, format!("deeper than {MAX_DEPTH} levels")));
    }
    match unpaired_surrogate(line) {
        Some(at) => Err(Fault::new(FindingKind::UnpairedSurrogate, format!("at column {}", at + 1))),
        None => Ok(probe),
    }
}

/// Tells JSON that is not an object from what is not JSON at all.
fn refuse(text: &str, error: &serde_json::Error) -> Fault {
    if !error.is_data() {
        return invalid_json(error);
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Fault::new(FindingKind::NotAnObject, ""),
        Err(error) => invalid_json(&error),
    }
}

/// The parser's words for a syntax error hold no content (those for a data error may). Its line is always 1 and left
/// out.
fn invalid_json(error: &serde_json::Error) -> Fault {
    let words = error.to_string();
    let reason = words.split_once(" at line ").map_or("", |(reason, _)| reason);
    Fault::new(FindingKind::InvalidJson, format!("{reason} at column {}", error.column()))
}

/// `IgnoredAny` follows any depth without recursion, so depth is counted here. The line is valid JSON already; one
/// with few opening brackets cannot be deep, and counting those is quick.
fn is_too_deep(line: &[u8]) -> bool {
    openers(line) > MAX_DEPTH && depth(line) > MAX_DEPTH
}

/// Counts in bytes over short pieces, a form that compilers turn into vector instructions.
fn openers(line: &[u8]) -> usize {
    let count = |piece: &[u8]| piece.iter().map(|byte| u8::from(matches!(byte, b'{' | b'['))).sum::<u8>();
    line.chunks(usize::from(u8::MAX)).map(|piece| usize::from(count(piece))).sum()
}

fn depth(line: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string) = (0_usize, 0, false);
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether a member `reference` is a search, `Type?…` (R4 §3.1.0.11.1.1). The line is valid JSON already.
pub(crate) fn has_conditional_reference(line: &[u8]) -> bool {
    const KEY: &[u8] = b"\"reference\"";
    // Most lines have no question mark at all, and looking for one is quick.
    if memchr::memchr(b'?', line).is_none() {
        return false;
    }
    memmem::find_iter(line, KEY).any(|at| line.get(at + KEY.len()..).and_then(text_after_colon).is_some_and(is_search))
}

/// The text that is the value of the key before.
fn text_after_colon(rest: &[u8]) -> Option<&[u8]> {
    let value = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    value.split(|byte| *byte == b'"').next()
}

fn is_search(reference: &[u8]) -> bool {
    let kind = reference.split(|byte| *byte == b'?').next().unwrap_or_default();
    kind.len() < reference.len() && std::str::from_utf8(kind).is_ok_and(is_type_name)
}

/// Where a `\u` escape names half of a surrogate pair. `IgnoredAny` checks escapes for their digits only.
fn unpaired_surrogate(line: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'\\', line.get(from..)?).map(|found| from + found) {
        from = match escaped_unit(line, at) {
            Some(0xd800..=0xdbff) => match escaped_unit(line, at + 6) {
                Some(0xdc00..=0xdfff) => at + 12,
                _ => return Some(at),
            },
            Some(0xdc00..=0xdfff) => return Some(at),
            _ => at + 2,
        };
    }
    None
}

/// The UTF-16 unit that the escape at `at` names, if it is a `\u` escape.
fn escaped_unit(line: &[u8], at: usize) -> Option<u16> {
    let digits = line.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The visitor of the whole line: an object, or a data error.
struct Object<'a>(Probe<'a>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut probe = Probe::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::ResourceType => probe.resource_type = map.next_value()?,
                Key::Id => probe.id = map.next_value()?,
                Key::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Object(probe))
    }
}

/// A top-level key, after its escapes are resolved.
enum Key {
    ResourceType,
    Id,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "resourceType" => Key::ResourceType,
            "id" => Key::Id,
            _ => Key::Other,
        })
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

#[cfg(test)]
mod tests;
