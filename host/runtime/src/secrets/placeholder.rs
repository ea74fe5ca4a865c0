//! `{{secret:NAME}}`: finding it and filling it in.

use super::error::MissingSecret;

const OPEN: &[u8] = b"{{secret:";
const CLOSE: &[u8] = b"}}";
const MAX_NAME_BYTES: usize = 64;

/// How a secret is written outside of the host.
pub(super) fn placeholder(name: &str) -> String {
    format!("{{{{secret:{name}}}}}")
}

/// Whether a text can name a secret. Names need no escape in JSON, headers or queries.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

/// The name, when the text is one placeholder and nothing else.
pub(super) fn whole(text: &[u8]) -> Option<&str> {
    split_first(text).and_then(|found| (found.before.is_empty() && found.after.is_empty()).then_some(found.name))
}

/// The names of all placeholders in a text.
pub(super) fn names_in(text: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let found = split_first(rest)?;
        rest = found.after;
        Some(found.name)
    })
}

/// The text with the values of all its placeholders; none when it has no placeholder.
pub(super) fn fill(
    text: &[u8],
    mut value: impl FnMut(&str) -> Result<String, MissingSecret>,
) -> Result<Option<Vec<u8>>, MissingSecret> {
    let mut rest = text;
    let mut filled = Vec::new();
    while let Some(found) = split_first(rest) {
        filled.extend_from_slice(found.before);
        filled.extend_from_slice(value(found.name)?.as_bytes());
        rest = found.after;
    }
    if rest.len() == text.len() {
        return Ok(None);
    }
    filled.extend_from_slice(rest);
    Ok(Some(filled))
}

struct Found<'a> {
    before: &'a [u8],
    name: &'a str,
    after: &'a [u8],
}

fn split_first(text: &[u8]) -> Option<Found<'_>> {
    let mut from = 0;
    while let Some(open) = find(&text[from..], OPEN).map(|at| from + at) {
        let inside = &text[open + OPEN.len()..];
        let reach = inside.len().min(MAX_NAME_BYTES + CLOSE.len());
        let name = find(&inside[..reach], CLOSE).and_then(|end| std::str::from_utf8(&inside[..end]).ok());
        if let Some(name) = name.filter(|name| is_name(name)) {
            return Some(Found { before: &text[..open], name, after: &inside[name.len() + CLOSE.len()..] });
        }
        from = open + 1;
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Option<String> {
        let filled = fill(text.as_bytes(), |name| Ok(format!("<{name}>"))).unwrap();
        filled.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(filled("a{{secret:X}}b{{secret:y-1._}}"), Some("a<X>b<y-1._>".to_owned()));
        assert_eq!(filled("{{{secret:X}}}"), Some("{<X>}".to_owned()));
        assert_eq!(filled("{{secret:{{secret:X}}}}"), Some("{{secret:<X>}}".to_owned()));
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "",
            "{{secret:}}",
            "{{secret:a b}}",
            "{{secret:a",
            "{{secret:a}",
            "{secret:a}",
            "{{Secret:a}}",
            "{{secret:é}}",
        ] {
            assert_eq!(filled(text), None, "{text}");
        }
        assert_eq!(filled(&placeholder(&"n".repeat(65))), None);
        assert!(filled(&placeholder(&"n".repeat(64))).is_some());
    }

    #[test]
    fn a_value_is_not_read_again() {
        let filled = fill(b"{{secret:a}}", |_| Ok("{{secret:b}}".to_owned())).unwrap();
        assert_eq!(filled.as_deref(), Some(b"{{secret:b}}".as_slice()));
    }

    #[test]
    fn a_whole_value_is_told_from_a_part() {
        assert_eq!(whole(b"{{secret:T}}"), Some("T"));
        assert_eq!(whole(b"Bearer {{secret:T}}"), None);
        assert_eq!(names_in(b"{{secret:a}} {{secret:b}}").collect::<Vec<_>>(), ["a", "b"]);
    }
}
