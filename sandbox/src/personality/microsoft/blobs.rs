//! Error blobs, in a store that takes no token of the FHIR server.

use super::Microsoft;
use super::work::Final;
use crate::reply::{reply, with};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};
use std::sync::Arc;

/// The wordings are those of Azure's documentation of its REST interface.
pub(super) async fn blob(
    State(microsoft): State<Arc<Microsoft>>,
    Path((container, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !allowed(&microsoft, &headers) {
        let text = "Server failed to authenticate the request. Make sure the value of Authorization header is formed \
            correctly including the signature.";
        return refusal(StatusCode::FORBIDDEN, "AuthenticationFailed", text);
    }
    match find(&microsoft, &format!("{}/{container}/{name}", microsoft.server.origin)).await {
        Some(content) => reply(StatusCode::OK, "application/octet-stream", content),
        None => refusal(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist."),
    }
}

fn allowed(microsoft: &Microsoft, headers: &HeaderMap) -> bool {
    let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = sent.and_then(|sent| sent.strip_prefix("Bearer "));
    let wanted = microsoft.server.script().error_store_bearer.clone();
    wanted.is_some_and(|wanted| wanted.is_empty() || bearer == Some(&wanted))
}

async fn find(microsoft: &Microsoft, url: &str) -> Option<String> {
    for job in microsoft.jobs.all() {
        let Some(end) = job.end().await else { continue };
        let Final::Completed(report) = &end.state else { continue };
        if let Some(content) = report.blob(url) {
            return Some(content);
        }
    }
    None
}

fn refusal(status: StatusCode, code: &str, text: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
    );
    with(reply(status, "application/xml", body), HeaderName::from_static("x-ms-error-code"), code)
}
