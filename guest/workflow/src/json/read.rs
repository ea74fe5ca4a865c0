//! Reading a dialect: by name, field by field, without what a derived deserializer brings along.
//!
//! Outside of the component, serde reads the same types, and says more of what is wrong: there people write them. In the
//! component, this reader costs a tenth of it.

use serde::de::Error as _;
use serde_json::{Error, Map, Value};

use crate::table::Table;

/// What can be read from a JSON value.
///
/// Reading goes on after a problem, with the type's default, and the first problem is told at the end: giving up at each
/// field would be code to take the fields before it apart again, three times as much as the reading.
pub trait Read: Default {
    /// Whether nothing at all is the default.
    const OPTIONAL: bool = false;

    /// Reads it.
    fn read(value: &Value, problem: &mut Problem) -> Self;
}

/// Reads a whole value.
///
/// # Errors
/// The first problem.
pub fn read_whole<T: Read>(value: &Value) -> Result<T, Error> {
    let mut problem = Problem::default();
    let read = T::read(value, &mut problem);
    problem.0.map_or(Ok(read), Err)
}

/// What is wrong first.
#[derive(Default)]
pub struct Problem(Option<Error>);

impl Problem {
    #[cold]
    #[inline(never)]
    fn is(&mut self, what: &str, name: &str) {
        if self.0.is_none() {
            self.0 = Some(Error::custom(format_args!("{what} `{name}`")));
        }
    }

    /// Something else is wanted.
    #[cold]
    #[inline(never)]
    pub fn wants(&mut self, what: &str) {
        self.is("expected", what);
    }

    fn within(&mut self, name: &str, was_none: bool) {
        if was_none && let Some(error) = self.0.take() {
            self.0 = Some(Error::custom(format_args!("{name}: {error}")));
        }
    }
}

/// An object whose members are all known.
pub struct Object<'a>(Option<&'a Map<String, Value>>);

impl<'a> Object<'a> {
    /// An object that has no other members than these.
    pub fn of(value: &'a Value, names: &[&str], problem: &mut Problem) -> Self {
        let object = value.as_object();
        let unknown = |key: &&String| !names.iter().any(|name| is_name(name, key));
        match object.map(|object| object.keys().find(unknown)) {
            None => problem.wants("an object"),
            Some(Some(key)) => problem.is("unknown field", key),
            Some(None) => {}
        }
        Self(object)
    }

    /// A member.
    pub fn field<T: Read>(&self, name: &str, problem: &mut Problem) -> T {
        match self.member(name) {
            Some(value) => read_within(name, value, problem),
            None => {
                if !T::OPTIONAL {
                    problem.is("missing field", name);
                }
                T::default()
            }
        }
    }

    /// A member, or what it is without one.
    pub fn field_or<T: Read>(&self, name: &str, default: T, problem: &mut Problem) -> T {
        match self.member(name) {
            Some(value) => read_within(name, value, problem),
            None => default,
        }
    }

    fn member(&self, name: &str) -> Option<&'a Value> {
        let mut members = self.0?.iter();
        members.find(|(key, value)| is_name(name, key) && !value.is_null()).map(|(_, value)| value)
    }
}

fn read_within<T: Read>(name: &str, value: &Value, problem: &mut Problem) -> T {
    let was_none = problem.0.is_none();
    let read = T::read(value, problem);
    problem.within(name, was_none);
    read
}

/// Whether a key is the name of a field, in which hyphens are written as underscores.
fn is_name(name: &str, key: &str) -> bool {
    name.len() == key.len() && name.bytes().zip(key.bytes()).all(|(n, k)| n == k || (n == b'_' && k == b'-'))
}

/// What is there, else a problem and the default.
fn or_default<T: Default>(found: Option<T>, what: &str, problem: &mut Problem) -> T {
    found.unwrap_or_else(|| {
        problem.wants(what);
        T::default()
    })
}

impl Read for String {
    const OPTIONAL: bool = true;

    fn read(value: &Value, problem: &mut Problem) -> Self {
        or_default(value.as_str().map(str::to_owned), "a string", problem)
    }
}

impl Read for bool {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        or_default(value.as_bool(), "true or false", problem)
    }
}

impl Read for u64 {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        or_default(value.as_u64(), "a whole number", problem)
    }
}

impl Read for u32 {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        or_default(value.as_u64().and_then(|number| number.try_into().ok()), "a whole number", problem)
    }
}

impl Read for u16 {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        or_default(value.as_u64().and_then(|number| number.try_into().ok()), "a whole number", problem)
    }
}

impl Read for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "it was an f32 when it was written")]
    fn read(value: &Value, problem: &mut Problem) -> Self {
        or_default(value.as_f64().map(|number| number as Self), "a number", problem)
    }
}

impl<T: Read> Read for Box<T> {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        Self::new(T::read(value, problem))
    }
}

impl Read for Value {
    fn read(value: &Value, _: &mut Problem) -> Self {
        value.clone()
    }
}

impl<T: Read> Read for Option<T> {
    const OPTIONAL: bool = true;

    fn read(value: &Value, problem: &mut Problem) -> Self {
        Some(T::read(value, problem))
    }
}

impl<T: Read> Read for Vec<T> {
    const OPTIONAL: bool = true;

    fn read(value: &Value, problem: &mut Problem) -> Self {
        let items = or_default(value.as_array().map(Vec::as_slice), "an array", problem);
        items.iter().map(|item| T::read(item, problem)).collect()
    }
}

impl<T: Read> Read for Table<T> {
    const OPTIONAL: bool = true;

    fn read(value: &Value, problem: &mut Problem) -> Self {
        let mut table = Self::default();
        match value.as_object() {
            None => problem.wants("an object"),
            Some(object) => {
                for (name, value) in object {
                    *table.entry(name) = T::read(value, problem);
                }
            }
        }
        table
    }
}

/// How a struct is read: `NAME { FIELD, FIELD: "key", FIELD = default, …; FIELD THAT IS NOT READ }`.
macro_rules! read_object {
    ($name:ident { $($field:ident $(: $key:literal)? $(= $default:expr)?),* $(,)? $(; $left:ident)? }) => {
        impl $crate::json::read::Read for $name {
            #[inline(never)]
            fn read(value: &serde_json::Value, problem: &mut $crate::json::read::Problem) -> Self {
                const NAMES: &[&str] = &[$($crate::json::read::key!($field $(, $key)?)),*];
                let object = $crate::json::read::Object::of(value, NAMES, problem);
                Self {
                    $($field: $crate::json::read::field!(
                        object, problem, $crate::json::read::key!($field $(, $key)?) $(, $default)?
                    ),)*
                    $($left: Default::default(),)?
                }
            }
        }
    };
}

macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident, $key:literal) => {
        $key
    };
}

macro_rules! field {
    ($object:ident, $problem:ident, $key:expr) => {
        $object.field($key, $problem)
    };
    ($object:ident, $problem:ident, $key:expr, $default:expr) => {
        $object.field_or($key, $default, $problem)
    };
}

/// How an enum without contents is read: `NAME { VARIANT = "word", … }`.
macro_rules! read_word {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $crate::json::read::Read for $name {
            #[inline(never)]
            fn read(value: &serde_json::Value, problem: &mut $crate::json::read::Problem) -> Self {
                match value.as_str() {
                    $(Some($word) => Self::$variant,)*
                    _ => {
                        problem.wants(concat!("one of" $(, " ", $word)*));
                        Self::default()
                    }
                }
            }
        }
    };
}

/// How an enum is read whose variants have one content each: `NAME { VARIANT = "word", … }`.
macro_rules! read_variant {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $crate::json::read::Read for $name {
            #[inline(never)]
            fn read(value: &serde_json::Value, problem: &mut $crate::json::read::Problem) -> Self {
                let only = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
                match only.map(|(word, content)| (word.as_str(), content)) {
                    $(Some(($word, content)) => Self::$variant($crate::json::read::Read::read(content, problem)),)*
                    _ => {
                        problem.wants(concat!("one of" $(, " ", $word)*));
                        Self::default()
                    }
                }
            }
        }
    };
}

pub(crate) use {field, key, read_object, read_variant, read_word};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct One {
        number: u32,
        some_text: String,
        holds: Option<u16>,
        all: Vec<u64>,
        four: u32,
    }

    read_object!(One { number, some_text, holds: "where", all, four = 4 });

    fn read(value: &Value) -> Result<One, String> {
        read_whole(value).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_there_is_read_and_what_is_not_has_its_default() {
        let value = json!({ "number": 1, "some-text": "x", "where": 2, "all": [3, 4], "four": null });
        let one = One { number: 1, some_text: "x".to_owned(), holds: Some(2), all: vec![3, 4], four: 4 };
        assert_eq!(read(&value), Ok(one));
        assert_eq!(read(&json!({ "number": 1 })), Ok(One { number: 1, four: 4, ..One::default() }));
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_told_with_its_place() {
        for (value, told) in [
            (json!([]), "expected `an object`"),
            (json!({}), "missing field `number`"),
            (json!({ "number": 1, "nmber": 2 }), "unknown field `nmber`"),
            (json!({ "number": "1" }), "number: expected `a whole number`"),
            (json!({ "number": 1, "all": [1, "2"], "some-text": 3 }), "some_text: expected `a string`"),
            (json!({ "number": 1, "where": 70_000 }), "where: expected `a whole number`"),
        ] {
            assert_eq!(read(&value), Err(told.to_owned()), "{value}");
        }
    }
}
