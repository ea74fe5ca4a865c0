//! From JSON text to the types of this crate.

pub(crate) mod read;

use serde_json::{Error, Value};

/// What need not be written down.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads a JSON text of any shape.
///
/// # Errors
/// When it is no JSON; the error says from where on.
pub fn parse(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(text)
}
