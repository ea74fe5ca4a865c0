//! Reading and counting. Of an unknown type, an unknown parameter or an invented status URL it says an empty searchset.

use super::{FHIR_JSON, Sazare, absent, answer};
use crate::moment;
use crate::reply::with;
use crate::rest::Page;
use crate::store::Stored;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ETAG, LAST_MODIFIED};
use serde_json::{Value, json};
use std::sync::Arc;

/// How many resources a page holds.
const PAGE: usize = 100;

pub(super) async fn read(State(sazare): State<Arc<Sazare>>, Path((kind, id)): Path<(String, String)>) -> Response {
    let Some(stored) = sazare.server.store.find(&kind, &id) else { return absent(&kind, &id) };
    let response = answer(StatusCode::OK, FHIR_JSON, &resource(&stored));
    let response = with(response, ETAG, &format!("W/\"{}\"", stored.version));
    with(response, LAST_MODIFIED, &httpdate::fmt_http_date(stored.updated))
}

fn resource(stored: &Stored) -> Value {
    let mut resource = stored.to_json();
    resource["meta"]["lastUpdated"] = moment::instant_to(stored.updated, 9).into();
    resource
}

/// Recorded are counts and empty bundles; entries follow the form of its history.
pub(super) async fn search(
    State(sazare): State<Arc<Sazare>>,
    Path(kind): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let page = Page::of_length(&parameters, PAGE);
    let matches = sazare.server.store.select(&kind, page.ids.as_deref());
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset", "total": matches.len()});
    if !parameters.iter().any(|(name, value)| name == "_summary" && value == "count") {
        let base = &sazare.server.base;
        bundle["link"] = links(base, &kind, &parameters, &page, matches.len()).into();
        let entry = |stored| entry(base, &kind, stored);
        let entries: Vec<_> = page.shown(&matches).map(entry).collect();
        if !entries.is_empty() {
            bundle["entry"] = entries.into();
        }
    }
    answer(StatusCode::OK, FHIR_JSON, &bundle)
}

fn links(base: &str, kind: &str, parameters: &[(String, String)], page: &Page<'_>, total: usize) -> Vec<Value> {
    let others = parameters.iter().filter(|(name, _)| name != "_count" && name != "_offset");
    let others: String = others.map(|(name, value)| format!("{name}={value}&")).collect();
    let link = |relation: &str, offset: usize| {
        let url = format!("{base}/{kind}?{others}_count={}&_offset={offset}", page.length);
        json!({"relation": relation, "url": url})
    };
    let next = page.offset + page.length;
    let mut links = vec![link("self", page.offset)];
    links.extend((next < total).then(|| link("next", next)));
    links
}

fn entry(base: &str, kind: &str, stored: &Stored) -> Value {
    let resource = resource(stored);
    let url = format!("{base}/{kind}/{}", resource["id"].as_str().unwrap_or_default());
    json!({"fullUrl": url, "resource": resource, "search": {"mode": "match"}})
}
