//! One range of bytes (RFC 9110 §14).

use std::fmt;

/// The bytes `first..=last` of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte, counted from 0.
    pub first: u64,
    /// The last byte, included; never before `first`.
    pub last: u64,
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// What a `Range` field means for a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// 416: it names bytes that do not exist.
    Nothing,
    /// 206.
    Part(ByteRange),
    /// 200. Also the answer to what a server may ignore (§14.2): other units, several ranges, invalid syntax.
    Whole,
}

/// Reads a `Range` field for a content of `size` bytes.
pub(super) fn wanted(field: &str, size: u64) -> Wanted {
    let Some(("bytes", set)) = field.split_once('=').map(|(unit, set)| (unit.trim(), set.trim())) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = set.split_once('-') else { return Wanted::Whole };
    match (number(first), number(last)) {
        (Position::Absent, Position::At(suffix)) => last_bytes(suffix, size),
        (Position::At(first), Position::Absent) => part(first, u64::MAX, size),
        (Position::At(first), Position::At(last)) if first <= last => part(first, last, size),
        _ => Wanted::Whole,
    }
}

enum Position {
    Absent,
    At(u64),
    Invalid,
}

/// More digits than a `u64` holds are a position beyond every end, not an error.
fn number(text: &str) -> Position {
    if text.is_empty() {
        Position::Absent
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Position::At(text.parse().unwrap_or(u64::MAX))
    } else {
        Position::Invalid
    }
}

fn part(first: u64, last: u64, size: u64) -> Wanted {
    if first < size { Wanted::Part(ByteRange { first, last: last.min(size - 1) }) } else { Wanted::Nothing }
}

/// A suffix of an empty content is satisfiable (§14.1.2), but `Content-Range` cannot say so.
fn last_bytes(count: u64, size: u64) -> Wanted {
    match (count, size) {
        (0, _) => Wanted::Nothing,
        (_, 0) => Wanted::Whole,
        _ => part(size.saturating_sub(count), u64::MAX, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_the_rfc() {
        let part = |first, last| Wanted::Part(ByteRange { first, last });
        let cases = [
            ("bytes=0-0", 10, part(0, 0)),
            ("bytes=0-", 10, part(0, 9)),
            ("bytes=3-5", 10, part(3, 5)),
            ("bytes=3-500", 10, part(3, 9)),
            ("bytes=9-9", 10, part(9, 9)),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-300", 10, part(0, 9)),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=-1", 0, Wanted::Whole),
            ("bytes=1-99999999999999999999999", 10, part(1, 9)),
            ("bytes=99999999999999999999999-", 10, Wanted::Nothing),
            ("bytes=5-3", 10, Wanted::Whole),
            ("bytes=0-1,3-4", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("bytes=--3", 10, Wanted::Whole),
            ("lines=0-1", 10, Wanted::Whole),
            ("0-1", 10, Wanted::Whole),
        ];
        for (field, size, expected) in cases {
            assert_eq!(wanted(field, size), expected, "{field} of {size}");
        }
    }
}
