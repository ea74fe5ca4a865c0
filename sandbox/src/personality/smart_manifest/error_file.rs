//! The files of rejected resources, whole or by range (RFC 9110 §14).

use super::{Smart, refusal, unknown_job};
use crate::reply::{empty, reply, with};
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_MATCH, IF_RANGE, RANGE};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

pub(super) async fn error_file(
    State(smart): State<Arc<Smart>>,
    Path((id, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(job) = smart.jobs.find(&id) else { return unknown_job() };
    let Some(manifest) = job.end().await else { return unknown_job() };
    match manifest.error_file(&file) {
        Some(text) => serve(&headers, &Bytes::copy_from_slice(text.as_bytes())),
        None => refusal(StatusCode::NOT_FOUND, "not-found", format!("There is no file {file}")),
    }
}

fn serve(headers: &HeaderMap, content: &Bytes) -> Response {
    let tag = tag(content);
    let same = |name: HeaderName| header(headers, &name).is_none_or(|wanted| wanted == tag || wanted == "*");
    if !same(IF_MATCH) {
        return with(empty(StatusCode::PRECONDITION_FAILED), ETAG, &tag);
    }
    let length = content.len();
    let range = header(headers, &RANGE).filter(|_| same(IF_RANGE)).and_then(|range| wanted(range, length));
    let response = match range {
        None => ndjson(StatusCode::OK, content.clone()),
        Some(range) if range.is_empty() => {
            with(empty(StatusCode::RANGE_NOT_SATISFIABLE), CONTENT_RANGE, &format!("bytes */{length}"))
        }
        Some(range) => {
            let place = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            with(ndjson(StatusCode::PARTIAL_CONTENT, content.slice(range)), CONTENT_RANGE, &place)
        }
    };
    with(with(response, ETAG, &tag), ACCEPT_RANGES, "bytes")
}

fn ndjson(status: StatusCode, content: Bytes) -> Response {
    reply(status, "application/fhir+ndjson", content)
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The bytes a `Range` asks for; none of them when they lie behind the end. `None`: not one range of bytes, which a
/// server may ignore.
fn wanted(range: &str, length: usize) -> Option<Range<usize>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return Some(length.saturating_sub(last.parse().ok()?)..length);
    }
    let first: usize = first.parse().ok()?;
    let end = if last.is_empty() { length } else { last.parse::<usize>().ok()?.saturating_add(1) };
    (first < end || last.is_empty()).then(|| first.min(length)..end.min(length))
}

fn tag(content: &Bytes) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        assert_eq!(wanted("bytes=0-3", 10), Some(0..4));
        assert_eq!(wanted("bytes=4-", 10), Some(4..10));
        assert_eq!(wanted("bytes=8-99", 10), Some(8..10));
        assert_eq!(wanted("bytes=-3", 10), Some(7..10));
        assert_eq!(wanted("bytes=10-", 10), Some(10..10));
        assert_eq!(wanted("bytes=5-2", 10), None);
        assert_eq!(wanted("bytes=0-1,4-5", 10), None);
        assert_eq!(wanted("lines=0-1", 10), None);
    }
}
