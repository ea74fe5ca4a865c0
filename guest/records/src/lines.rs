//! Cutting a stream of bytes into lines, in bounded memory.
//!
//! The checker, the triage and the joiner read through the same splitter, so they agree about line numbers and byte
//! offsets. A line ends at LF; one CR before it is dropped from the text. A lone CR ends nothing (no server reads it
//! so).

use memchr::memchr;

/// One line of the stream, without its line end.
pub(crate) struct Line<'a> {
    /// Counted from 1, blank lines included.
    pub(crate) number: u64,
    /// Where the line starts, in bytes from the start of the file.
    pub(crate) offset: u64,
    /// Bytes up to the line end, a CR included.
    pub(crate) length: u64,
    /// `None` when the line was longer than the limit and has been skipped.
    pub(crate) text: Option<&'a [u8]>,
}

impl<'a> Line<'a> {
    /// The text, when there is anything but white space in it.
    pub(crate) fn record(&self) -> Option<&'a [u8]> {
        self.text.filter(|text| !text.trim_ascii().is_empty())
    }

    /// True when nothing but white space was there; a skipped line is not blank.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.is_some_and(|text| text.trim_ascii().is_empty())
    }
}

/// The splitter: keeps the unfinished line of the last chunk, never more than the limit.
pub(crate) struct Lines {
    limit: usize,
    carry: Vec<u8>,
    /// Bytes of the unfinished line so far; more than `limit` means that the line is being skipped.
    pending: u64,
    number: u64,
    start: u64,
}

impl Lines {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, carry: Vec::new(), pending: 0, number: 1, start: 0 }
    }

    /// Bytes seen since the start of the file.
    pub(crate) fn position(&self) -> u64 {
        self.start + self.pending
    }

    /// Hands every line that ends in this chunk to `sink` and keeps the rest.
    pub(crate) fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(&Line<'_>)) {
        let mut rest = chunk;
        while let Some((line, after)) = memchr(b'\n', rest).and_then(|end| rest.split_at_checked(end)) {
            self.complete(line, &mut sink);
            rest = after.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    /// Hands over a last line without LF, then starts again for the next file.
    pub(crate) fn end(&mut self, mut sink: impl FnMut(&Line<'_>)) {
        if self.pending > 0 {
            self.complete(&[], &mut sink);
        }
        *self = Self { carry: std::mem::take(&mut self.carry), ..Self::new(self.limit) };
    }

    fn complete(&mut self, tail: &[u8], sink: &mut impl FnMut(&Line<'_>)) {
        let length = self.pending + tail.len() as u64;
        let text = if length > self.limit as u64 {
            None
        } else if self.carry.is_empty() {
            Some(tail)
        } else {
            self.extend_carry(tail);
            Some(self.carry.as_slice())
        };
        let text = text.map(|text| text.strip_suffix(b"\r").unwrap_or(text));
        sink(&Line { number: self.number, offset: self.start, length, text });
        self.carry.clear();
        self.pending = 0;
        self.number += 1;
        self.start += length + 1;
    }

    fn keep(&mut self, piece: &[u8]) {
        self.pending += piece.len() as u64;
        if self.pending > self.limit as u64 {
            self.carry = Vec::new();
        } else {
            self.extend_carry(piece);
        }
    }

    /// Grows by doubling, yet never beyond the limit: the caller has checked that the bytes fit.
    fn extend_carry(&mut self, piece: &[u8]) {
        let needed = self.carry.len() + piece.len();
        if needed > self.carry.capacity() {
            let capacity = needed.max((self.carry.capacity() * 2).min(self.limit));
            self.carry.reserve_exact(capacity - self.carry.len());
        }
        self.carry.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (u64, u64, u64, Option<Vec<u8>>);

    fn split(limit: usize, chunks: &[&[u8]]) -> Vec<Seen> {
        let mut lines = Lines::new(limit);
        let mut seen = Vec::new();
        let mut sink = |line: &Line<'_>| {
            seen.push((line.number, line.offset, line.length, line.text.map(<[u8]>::to_vec)));
        };
        for chunk in chunks {
            lines.feed(chunk, &mut sink);
            assert!(lines.carry.capacity() <= limit, "the carry stays within the limit");
        }
        lines.end(&mut sink);
        seen
    }

    #[test]
    fn lines_have_numbers_offsets_and_no_line_ends() {
        let seen = split(99, &[b"a\r\n\nbc"]);
        let expected: Vec<Seen> =
            vec![(1, 0, 2, Some(b"a".to_vec())), (2, 3, 0, Some(vec![])), (3, 4, 2, Some(b"bc".to_vec()))];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_final_line_end_adds_no_line() {
        assert_eq!(split(99, &[b"a\n"]).len(), 1);
        assert_eq!(split(99, &[b""]).len(), 0);
        assert_eq!(split(99, &[b"\n"]).len(), 1);
    }

    #[test]
    fn cutting_anywhere_changes_nothing() {
        let text = "\u{feff}{}\r\n\n0123456789\n0123456789A\n\r\n😀é\r\nlast\r".as_bytes();
        let whole = split(10, &[text]);
        for one in 0..=text.len() {
            for two in one..=text.len() {
                assert_eq!(split(10, &[&text[..one], &text[one..two], &text[two..]]), whole, "cut at {one} and {two}");
            }
        }
    }

    #[test]
    fn an_overlong_line_is_skipped_and_the_next_one_read() {
        let piece = [b'x'; 1000];
        let mut chunks = vec![piece.as_slice(); 1000];
        chunks.push(b"\nok\n");
        let seen = split(4096, &chunks);
        assert_eq!(seen, vec![(1, 0, 1_000_000, None), (2, 1_000_001, 2, Some(b"ok".to_vec()))]);
    }
}
