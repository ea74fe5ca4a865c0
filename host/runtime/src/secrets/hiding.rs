//! Finding secrets in what servers answer, in whatever spelling.

use std::fmt;

/// Shorter secrets are not looked for, in bytes.
const MIN_BYTES: usize = 8;

/// What is looked for, longest first, so that a secret inside another one does not break it up.
#[derive(Clone, Default)]
pub(super) struct Hiding(Vec<Hidden>);

#[derive(Clone)]
struct Hidden {
    secret: Box<str>,
    placeholder: Box<str>,
}

impl fmt::Debug for Hiding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Hiding({} values)", self.0.len())
    }
}

impl Hiding {
    pub(super) fn add(&mut self, secret: &str, placeholder: &str) {
        if secret.len() >= MIN_BYTES && !self.0.iter().any(|hidden| *hidden.secret == *secret) {
            self.0.push(Hidden { secret: secret.into(), placeholder: placeholder.into() });
            self.0.sort_by_key(|hidden| std::cmp::Reverse(hidden.secret.len()));
        }
    }

    /// The text with placeholders; none when it holds no secret.
    pub(super) fn hide(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut hidden = Vec::new();
        let mut copied = 0;
        let mut at = 0;
        while at < text.len() {
            if let Some((placeholder, length)) = self.begins(&text[at..]) {
                hidden.extend_from_slice(&text[copied..at]);
                hidden.extend_from_slice(placeholder.as_bytes());
                at += length;
                copied = at;
            } else {
                at += 1;
            }
        }
        hidden.extend_from_slice(&text[copied..]);
        (copied > 0).then_some(hidden)
    }

    fn begins(&self, text: &[u8]) -> Option<(&str, usize)> {
        self.0.iter().find_map(|it| Some((&*it.placeholder, it.begins(text)?)))
    }
}

impl Hidden {
    fn begins(&self, text: &[u8]) -> Option<usize> {
        // Most places are ruled out by their first byte, which makes this ten times faster.
        let first = text.first()?;
        let possible = self.secret.as_bytes().first() == Some(first) || matches!(first, b'\\' | b'%');
        if possible { spelled_length(text, &self.secret) } else { None }
    }
}

type Spelling = fn(&[u8], char) -> Option<usize>;

/// How many bytes at the beginning of `text` spell the secret. Servers echo what they got in their own way: plain,
/// with JSON escapes (RFC 8259 §7; .NET and Gson also escape `&`, `+`, `=`), or percent-encoded (RFC 3986 §2.1).
///
/// A `\` or `%` of the secret itself can be read both ways, so both are tried and the longer reading is taken.
fn spelled_length(text: &[u8], secret: &str) -> Option<usize> {
    let as_it_is = length_in(text, secret, [plain, json_escape, percent_encoded]);
    let escaped = length_in(text, secret, [json_escape, percent_encoded, plain]);
    as_it_is.max(escaped)
}

fn length_in(text: &[u8], secret: &str, spellings: [Spelling; 3]) -> Option<usize> {
    secret.chars().try_fold(0, |length, wanted| {
        let rest = &text[length..];
        Some(length + spellings.iter().find_map(|spelled| spelled(rest, wanted))?)
    })
}

fn plain(text: &[u8], wanted: char) -> Option<usize> {
    let mut buffer = [0; 4];
    let bytes = wanted.encode_utf8(&mut buffer).as_bytes();
    text.starts_with(bytes).then_some(bytes.len())
}

/// `\/`, `\"` and `\\`, or one `\uXXXX`; characters beyond U+FFFF are not looked for in this spelling.
fn json_escape(text: &[u8], wanted: char) -> Option<usize> {
    match text.strip_prefix(b"\\")? {
        [b'u', digits @ ..] => (hex(digits.get(..4)?)? == u32::from(wanted)).then_some(6),
        [escaped @ (b'/' | b'"' | b'\\'), ..] => (char::from(*escaped) == wanted).then_some(2),
        _ => None,
    }
}

fn percent_encoded(text: &[u8], wanted: char) -> Option<usize> {
    let mut buffer = [0; 4];
    let bytes = wanted.encode_utf8(&mut buffer).as_bytes();
    for (unit, byte) in text.chunks(3).zip(bytes) {
        let [b'%', digits @ ..] = unit else { return None };
        if digits.len() != 2 || hex(digits)? != u32::from(*byte) {
            return None;
        }
    }
    (text.len() >= 3 * bytes.len()).then_some(3 * bytes.len())
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(secrets: &[&str], text: &str) -> Option<String> {
        let mut hiding = Hiding::default();
        for (index, secret) in secrets.iter().enumerate() {
            hiding.add(secret, &format!("<{index}>"));
        }
        hiding.hide(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn every_spelling_is_found() {
        let secret = "sv=1&sig=a+b/c\"é";
        for spelling in [
            secret,
            "sv=1&sig=a+b/c\\\"é",
            "sv=1&sig=a+b\\/c\\\"\\u00e9",
            "sv=1\\u0026sig=a\\u002Bb/c\\u0022é",
            "sv\\u003d1\\u0026sig\\u003da+b/c\\\"é",
            "sv%3D1%26sig%3Da%2Bb%2fc%22%C3%A9",
        ] {
            assert_eq!(hide(&[secret], &format!("x{spelling}y")), Some("x<0>y".to_owned()), "{spelling}");
        }
    }

    #[test]
    fn signs_that_also_escape_are_found() {
        for (secret, spelling) in [
            ("password\\", r"password\\"),
            ("password\\", r"password\"),
            (r"pass\\word", r"pass\\word"),
            ("pass%2Fword", "pass%2Fword"),
            ("pass%25word", "pass%25word"),
            ("pass%2Fword", "pass%252Fword"),
        ] {
            assert_eq!(hide(&[secret], &format!("x{spelling}\"y")), Some("x<0>\"y".to_owned()), "{spelling}");
        }
    }

    #[test]
    fn what_holds_no_secret_stays() {
        for text in ["", "secret-tokem", "secret-toke", "secret-toke\\", "secret-toke%6", "secret-toke\\u00", "\\", "%"]
        {
            assert_eq!(hide(&["secret-token"], text), None, "{text}");
        }
    }

    #[test]
    fn the_longer_secret_wins() {
        assert_eq!(hide(&["abcdefgh", "abcdefghij"], "abcdefghij abcdefgh"), Some("<1> <0>".to_owned()));
    }

    #[test]
    fn neighbours_are_found_one_by_one() {
        assert_eq!(hide(&["abcdefgh"], "abcdefghabcdefgh"), Some("<0><0>".to_owned()));
    }

    #[test]
    fn a_short_secret_is_not_looked_for() {
        assert_eq!(hide(&["demo"], "a demographic demo"), None);
    }
}
