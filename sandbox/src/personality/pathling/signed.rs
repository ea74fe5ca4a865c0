//! The headers that every answer has, and those of an answer that may be cached.

use axum::response::Response;
use hyper::header::{CACHE_CONTROL, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, PRAGMA, VARY};

/// What an answer of this server that may be cached is marked with: the state it shows.
#[derive(Clone, Copy)]
pub(super) struct Cacheable(pub(super) &'static str);

/// Marks an answer.
pub(super) fn cacheable(mut response: Response, tag: &'static str) -> Response {
    response.extensions_mut().insert(Cacheable(tag));
    response
}

/// Puts the framework's headers on an answer.
pub(super) async fn signed(mut response: Response) -> Response {
    let tag = response.extensions().get::<Cacheable>().map(|cacheable| cacheable.0);
    let headers = response.headers_mut();
    for name in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
        add(headers, VARY, name);
    }
    match tag {
        Some(tag) => mark(headers, tag),
        None => {
            add(headers, CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate");
            add(headers, PRAGMA, "no-cache");
            add(headers, EXPIRES, "0");
        }
    }
    add(headers, HeaderName::from_static("x-content-type-options"), "nosniff");
    add(headers, HeaderName::from_static("x-xss-protection"), "0");
    add(headers, HeaderName::from_static("x-frame-options"), "DENY");
    response
}

/// Tag `0` is of what is not to be kept.
fn mark(headers: &mut HeaderMap, tag: &'static str) {
    add(headers, VARY, "Accept,Accept-Encoding,Prefer,Authorization");
    add(headers, CACHE_CONTROL, "must-revalidate,max-age=1");
    if tag == "0" {
        add(headers, CACHE_CONTROL, "no-store");
    }
    if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{tag}\"")) {
        headers.append(ETAG, tag);
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.append(name, HeaderValue::from_static(value));
}
