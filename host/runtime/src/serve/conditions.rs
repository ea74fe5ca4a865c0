//! Conditional requests (RFC 9110 §13), decided by the entity tag alone: there is no `Last-Modified`.

use http::header::{AsHeaderName, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH, IF_RANGE};

/// What the conditions of a GET or HEAD come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// 412.
    Failed,
    /// None, or all hold.
    Holds,
    /// 304.
    NotModified,
}

/// Evaluates `If-Match`, then `If-None-Match` (§13.2.2).
pub(super) fn evaluate(headers: &HeaderMap, etag: &HeaderValue) -> Condition {
    let etag = etag.as_bytes();
    if headers.contains_key(IF_MATCH) && !tags(headers, IF_MATCH).any(|tag| tag == b"*" || tag == etag) {
        return Condition::Failed;
    }
    let same = |tag: &[u8]| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag;
    if tags(headers, IF_NONE_MATCH).any(same) { Condition::NotModified } else { Condition::Holds }
}

/// Whether `Range` may be honoured: without `If-Range`, or when that names exactly this content (§13.1.5). A date never
/// does.
pub(super) fn range_applies(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get(IF_RANGE).is_none_or(|value| value == etag)
}

/// Our own tags hold no comma, so a foreign one that does may be cut apart without harm.
fn tags(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn conditions_by_the_rfc() {
        let etag = HeaderValue::from_static("\"a1\"");
        let cases = [
            (with(IF_MATCH, "\"a1\""), Condition::Holds),
            (with(IF_MATCH, "\"b\", \"a1\""), Condition::Holds),
            (with(IF_MATCH, "*"), Condition::Holds),
            (with(IF_MATCH, "W/\"a1\""), Condition::Failed),
            (with(IF_MATCH, "\"b\""), Condition::Failed),
            (with(IF_NONE_MATCH, "\"a1\""), Condition::NotModified),
            (with(IF_NONE_MATCH, "\"b\",W/\"a1\""), Condition::NotModified),
            (with(IF_NONE_MATCH, "\"b\""), Condition::Holds),
            (HeaderMap::new(), Condition::Holds),
        ];
        for (headers, wanted) in cases {
            assert_eq!(evaluate(&headers, &etag), wanted, "{headers:?}");
        }
    }

    #[test]
    fn a_range_of_another_content_is_not_honoured() {
        let etag = HeaderValue::from_static("\"a1\"");
        assert!(range_applies(&HeaderMap::new(), &etag));
        assert!(range_applies(&with(IF_RANGE, "\"a1\""), &etag));
        for other in ["\"b\"", "W/\"a1\"", "Mon, 01 Jan 2024 00:00:00 GMT"] {
            assert!(!range_applies(&with(IF_RANGE, other), &etag), "{other}");
        }
    }
}
