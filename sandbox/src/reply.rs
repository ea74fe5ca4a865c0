//! Answers of the server, built in one place.

use crate::moment;
use crate::server::Server;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

/// The content type of FHIR JSON where a personality has no habit of its own.
pub(crate) const FHIR_JSON: &str = "application/fhir+json;charset=utf-8";

/// An answer with a body.
pub(crate) fn reply(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response {
    let mut response = empty(status);
    *response.body_mut() = Body::from(body.into());
    with(response, CONTENT_TYPE, content_type)
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The same answer with one more header. A value no header can hold is left out.
pub(crate) fn with(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The same answer with `Retry-After` as the script wants it, or else as the personality does.
pub(crate) fn retry_after(response: Response, server: &Server, habit: &str) -> Response {
    let script = server.script();
    match script.retry_after.as_deref().unwrap_or(habit) {
        "" => response,
        value => with(response, RETRY_AFTER, &moment::retry_after(value, script.retry_after_date, server.now())),
    }
}

/// The same answer with the methods that would have been allowed.
pub(crate) fn allow(response: Response, methods: &str) -> Response {
    with(response, ALLOW, methods)
}
