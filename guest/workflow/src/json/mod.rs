//! From JSON text to the types of this crate.
//!
//! The text becomes a [`Value`], and everything else is read from that, by this one small deserializer: with those of
//! `serde_json`, which also take arrays for structs and work on text, slices and values, each type would be compiled
//! several times, and the component would be 100 kB larger. The error is one pointer: a larger one costs 25 kB more.

pub(crate) mod read;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value, map};

/// Reads a JSON text.
///
/// # Errors
/// When it is no JSON, or not a `T`.
pub fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Error> {
    from_value(&parse(text.as_bytes())?)
}

/// Reads a JSON text of any shape.
///
/// # Errors
/// When it is no JSON; the error says from where on.
pub fn parse(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(text)
}

/// Reads a value.
///
/// # Errors
/// When it is not a `T`.
pub fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Error> {
    T::deserialize(Node(value))
}

/// The value itself stays out of the error.
fn unlike(what: &str) -> Error {
    Error::custom(format_args!("expected {what}"))
}

/// A value to be read.
#[derive(Clone, Copy)]
struct Node<'de>(&'de Value);

impl<'de> Node<'de> {
    fn text(self) -> Result<&'de str, Error> {
        self.0.as_str().ok_or_else(|| unlike("a string"))
    }

    fn whole(self) -> Result<u64, Error> {
        self.0.as_u64().ok_or_else(|| unlike("a whole number"))
    }

    fn items(self) -> Result<Items<'de>, Error> {
        let items = self.0.as_array().ok_or_else(|| unlike("an array"))?;
        Ok(Items(items.iter()))
    }

    fn members(self) -> Result<Members<'de>, Error> {
        let members = self.0.as_object().ok_or_else(|| unlike("an object"))?;
        Ok(Members::new(members))
    }

    /// `"variant"`, or `{"variant": content}`.
    fn variant(self) -> Result<Variant<'de>, Error> {
        if let Value::String(name) = self.0 {
            return Ok(Variant { name, content: None });
        }
        let one = self.0.as_object().filter(|members| members.len() == 1);
        let (name, content) = one.and_then(|members| members.iter().next()).ok_or_else(|| unlike("one variant"))?;
        Ok(Variant { name, content: Some(content) })
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(whole), _) => visitor.visit_u64(whole),
                (None, Some(negative)) => visitor.visit_i64(negative),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(_) => visitor.visit_seq(self.items()?),
            Value::Object(_) => visitor.visit_map(self.members()?),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.0.as_bool().ok_or_else(|| unlike("true or false"))?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.whole()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.whole()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.whole()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.0.as_f64().ok_or_else(|| unlike("a number"))?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self.items()?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self.members()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(self.members()?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.variant()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    // What no type of this crate asks for.
    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u128 f64 char str bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct
        identifier
    }
}

struct Items<'de>(std::slice::Iter<'de, Value>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|item| seed.deserialize(Node(item))).transpose()
    }
}

struct Members<'de> {
    rest: map::Iter<'de>,
    /// The value of the key that was read last.
    value: &'de Value,
}

impl<'de> Members<'de> {
    fn new(members: &'de Map<String, Value>) -> Self {
        Self { rest: members.iter(), value: &Value::Null }
    }
}

impl<'de> de::MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Node(self.value))
    }
}

struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Value>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(BorrowedStrDeserializer::new(self.name))?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(unlike("a variant without content")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Node(self.content.unwrap_or(&Value::Null)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Error> {
        Err(unlike("a variant with one content"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], _visitor: V) -> Result<V::Value, Error> {
        Err(unlike("a variant with one content"))
    }
}
