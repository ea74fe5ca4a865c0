//! The name of an import.

use std::fmt;
use std::str::FromStr;

/// How many digits [`ImportId::short`] shows; enough to tell the imports of one state folder apart.
const SHORT: usize = 8;

/// The name of an import: 128 bits, written as 32 lower-case hex digits, as in `request.id` of `wit/types.wit`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportId([u8; 16]);

impl ImportId {
    /// The id with these bits; the caller draws them at random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The first eight digits, for people. [`Journal::find`](super::Journal::find) takes them back.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(SHORT);
        text
    }
}

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an [`ImportId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidImportId;

impl fmt::Display for InvalidImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an import id is 32 hex digits in lower case")
    }
}

impl std::error::Error for InvalidImportId {}

impl FromStr for ImportId {
    type Err = InvalidImportId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_| InvalidImportId)?;
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn digit(ascii: u8) -> Result<u8, InvalidImportId> {
    match ascii {
        b'0'..=b'9' => Ok(ascii - b'0'),
        b'a'..=b'f' => Ok(ascii - b'a' + 10),
        _ => Err(InvalidImportId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_is_written() {
        let text = "00ff10a5c3d2e1f00123456789abcdef";
        let id: ImportId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(id.short(), "00ff10a5");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "00ff", "00FF10A5C3D2E1F00123456789ABCDEF", "00ff10a5c3d2e1f00123456789abcdeg", &"0".repeat(33)]
        {
            assert_eq!(text.parse::<ImportId>(), Err(InvalidImportId), "{text}");
        }
    }
}
