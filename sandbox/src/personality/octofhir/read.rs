//! Reading, and searching without a total.

use super::{Octo, answer, not_found};
use crate::moment::instant_to;
use crate::reply::{reply, with};
use crate::rest::Page;
use crate::store::Stored;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ETAG, LAST_MODIFIED};
use serde_json::{Value, json};
use std::sync::Arc;

/// How many resources a page holds.
const PAGE: usize = 10;

/// Parameters that do not select.
const PRESENTATION: [&str; 6] = ["_count", "_elements", "_format", "_offset", "_summary", "_total"];

type Parameters = Vec<(String, String)>;

pub(super) async fn read(State(octo): State<Arc<Octo>>, Path((kind, id)): Path<(String, String)>) -> Response {
    let Some(stored) = octo.server.store.find(&kind, &id) else {
        return not_found(&format!("{kind} with id '{id}' not found"));
    };
    let response = reply(StatusCode::OK, "application/fhir+json; charset=utf-8", resource(&stored).to_string());
    let response = with(response, ETAG, &format!("W/\"{}\"", stored.version));
    with(response, LAST_MODIFIED, &httpdate::fmt_http_date(stored.updated))
}

/// `meta` is the server's alone.
fn resource(stored: &Stored) -> Value {
    let mut resource = stored.to_json();
    let updated = instant_to(stored.updated, 3).replace("+00:00", "Z");
    resource["meta"] = json!({"versionId": stored.version.to_string(), "lastUpdated": updated});
    resource
}

pub(super) async fn search(
    State(octo): State<Arc<Octo>>,
    Path(kind): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let page = Page::of_length(&parameters, PAGE);
    let counting = value("_summary") == Some("count");
    // A count has the links of a whole page.
    let length = if counting { PAGE } else { page.length };
    let selected = parameters.iter().any(|(name, _)| !PRESENTATION.contains(&name.as_str()));
    let matches = octo.server.store.select(&kind, page.ids.as_deref());
    let total = (selected || value("_total") == Some("accurate")).then_some(matches.len());
    let base = format!("{}/{kind}", octo.server.origin);
    let links = links(&base, &parameters, (page.offset, length), matches.len(), total);
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset", "link": links});
    if let Some(total) = total {
        bundle["total"] = total.into();
    }
    let elements = value("_elements");
    let entries: Vec<_> = page.shown(&matches).map(|stored| entry(&base, elements, stored)).collect();
    if !counting && !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    answer(StatusCode::OK, &bundle)
}

/// The URLs are those of the host, without the path of the base. There is a last page only where there is a total.
fn links(
    base: &str,
    parameters: &Parameters,
    (offset, length): (usize, usize),
    matches: usize,
    total: Option<usize>,
) -> Vec<Value> {
    let kept = |name: &str| name == "_total" || !PRESENTATION.contains(&name);
    let others = parameters.iter().filter(|(name, _)| kept(name));
    let others: String = others.map(|(name, value)| format!("&{name}={value}")).collect();
    let link = |relation: &str, offset: usize| json!({"relation": relation, "url": format!("{base}?_count={length}&_offset={offset}{others}")});
    let mut links = vec![link("self", offset), link("first", 0)];
    let last = total.map(|total| total.saturating_sub(1) / length.max(1) * length);
    links.extend(last.map(|offset| link("last", offset)));
    links.extend((offset + length < matches).then(|| link("next", offset + length)));
    links
}

fn entry(base: &str, elements: Option<&str>, stored: &Stored) -> Value {
    let mut resource = resource(stored);
    let url = format!("{base}/{}", resource["id"].as_str().unwrap_or_default());
    if let (Some(elements), Some(members)) = (elements, resource.as_object_mut()) {
        let kept =
            |name: &str| ["id", "meta", "resourceType"].contains(&name) || elements.split(',').any(|one| one == name);
        members.retain(|name, _| kept(name));
        resource["meta"]["tag"] =
            json!([{"code": "SUBSETTED", "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"}]);
    }
    json!({"fullUrl": url, "resource": resource, "search": {"mode": "match"}})
}
