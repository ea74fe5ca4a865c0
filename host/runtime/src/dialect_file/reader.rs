//! JSON read into the schema by serde, with mistakes that know their place and what would have been right there.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::source::Step;

/// What is not as the schema wants it.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Where; the innermost step first.
    inside_out: Vec<Step>,
    /// What.
    pub(super) what: Wrong,
}

/// The kinds of mistakes.
#[derive(Debug)]
pub(super) enum Wrong {
    /// A table does not have the key that it is at.
    UnknownKey {
        /// The keys that there are.
        known: &'static [&'static str],
    },
    /// A word is none of a closed list.
    UnknownWord {
        /// The word.
        found: String,
        /// The list.
        known: &'static [&'static str],
    },
    /// A table lacks a key.
    MissingKey(&'static str),
    /// Something is of another kind.
    Shape {
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// Anything else.
    Other(String),
}

impl Mistake {
    fn new(what: Wrong) -> Self {
        Self { inside_out: Vec::new(), what }
    }

    fn inside(mut self, step: Step) -> Self {
        self.inside_out.push(step);
        self
    }

    /// Where it is.
    pub(super) fn at(&self) -> Vec<Step> {
        self.inside_out.iter().rev().cloned().collect()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.what, f)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Wrong::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Wrong::Shape { found: kind(found), expected: plain(&expected.to_string()) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(Wrong::UnknownKey { known })
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Wrong::UnknownWord { found: found.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Wrong::MissingKey(key))
    }
}

fn kind(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Bool(truth) => format!("`{truth}`"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// The words of serde in those of a dialect file.
fn plain(expected: &str) -> String {
    match expected {
        "a string" => "a text, in quotes",
        "a sequence" => "a list, in brackets",
        "a boolean" => "`true`; what is not wanted is left out",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" => "a whole number that is not negative",
        other => other,
    }
    .to_owned()
}

/// Reads a value.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Mistake> {
    T::deserialize(Reader(value))
}

struct Reader<'de>(&'de Value);

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter(), next: 0 }),
            Value::Object(members) => visitor.visit_map(Members::of(members)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Object(members) => visitor.visit_map(Members::of(members)),
            _ => Err(self.shape(format!("a table with {}", quoted(keys)))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(Word(word)),
            Value::Object(members) if members.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Members::of(members)))
            }
            _ => Err(self.shape(format!("one of {}", quoted(words)))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl Reader<'_> {
    fn shape(&self, expected: String) -> Mistake {
        let found = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(truth) => Unexpected::Bool(*truth),
            Value::Number(number) => Unexpected::Signed(number.as_i64().unwrap_or_default()),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        Mistake::new(Wrong::Shape { found: kind(found), expected })
    }
}

/// Names between backticks.
pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A word of a closed list.
struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Mistake> {
        let word: StrDeserializer<'_, Mistake> = self.0.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl Word<'_> {
    fn needs_more(&self) -> Mistake {
        let expected = format!("`{{ {} = … }}`, with what belongs to it", self.0);
        Mistake::new(Wrong::Shape { found: kind(Unexpected::Str(self.0)), expected })
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Mistake> {
        Err(self.needs_more())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Mistake> {
        Err(self.needs_more())
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Mistake> {
        Err(self.needs_more())
    }
}

struct Items<'de> {
    items: std::slice::Iter<'de, Value>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|mistake| mistake.inside(Step::Item(index)))
    }
}

struct Members<'de> {
    members: serde_json::map::Iter<'de>,
    read: Option<(&'de str, &'de Value)>,
}

impl<'de> Members<'de> {
    fn of(members: &'de Map<String, Value>) -> Self {
        Self { members: members.iter(), read: None }
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.members.next() else { return Ok(None) };
        self.read = Some((key, value));
        let name: StrDeserializer<'_, Mistake> = key.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|mistake| mistake.inside(Step::Key(key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let (key, value) = self.read.take().ok_or_else(|| Mistake::custom("a value without a key"))?;
        seed.deserialize(Reader(value)).map_err(|mistake| mistake.inside(Step::Key(key.to_owned())))
    }
}
