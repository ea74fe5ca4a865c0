//! Searches of the old edition, which are the only way to read: it has no versions, and no read by id.

use super::signed::cacheable;
use super::{FHIR_JSON, Pathling};
use crate::reply::{reply, with};
use crate::rest::Page;
use crate::store::Stored;
use crate::{json, moment};
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::LAST_MODIFIED;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many resources a page holds; the default of the framework.
const PAGE: usize = 100;

/// Recorded is a search without parameters.
pub(super) async fn search(
    State(pathling): State<Arc<Pathling>>,
    Path(kind): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    if kind.starts_with('$') {
        return super::nowhere(hyper::Method::GET, OriginalUri(uri)).await;
    }
    let server = &pathling.server;
    let page = Page::of_length(&parameters, PAGE);
    let matches = server.store.select(&kind, page.ids.as_deref());
    let entries: Vec<_> = page.shown(&matches).map(|stored| entry(&server.base, &kind, stored)).collect();
    let mut bundle = json!({"resourceType": "Bundle", "id": server.ids.uuid(), "type": "searchset",
        "meta": {"lastUpdated": moment::instant(server.now())}, "total": matches.len(),
        "link": [{"relation": "self", "url": format!("{}{uri}", server.origin)}]});
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    let response = reply(StatusCode::OK, FHIR_JSON, json::compact(&bundle));
    cacheable(with(response, LAST_MODIFIED, &httpdate::fmt_http_date(server.now())), "mwsrs2zx")
}

/// A resource as it came.
fn entry(base: &str, kind: &str, stored: &Stored) -> Value {
    let mut resource = stored.to_json();
    if let Some(meta) = resource["meta"].as_object_mut() {
        meta.retain(|name, _| name != "versionId" && name != "lastUpdated");
    }
    if resource["meta"] == json!({}) {
        resource.as_object_mut().expect("a resource is an object").remove("meta");
    }
    let url = format!("{base}/{kind}/{}", resource["id"].as_str().unwrap_or_default());
    json!({"fullUrl": url, "resource": resource})
}
