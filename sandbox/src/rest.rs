//! Reading back what is stored: the part of FHIR REST that every personality has.

use crate::front::at;
use crate::reply::{FHIR_JSON, reply, with};
use crate::script::Endpoint;
use crate::server::Server;
use crate::store::Stored;
use crate::{json, moment, r4};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use hyper::header::{CONTENT_LOCATION, ETAG, LAST_MODIFIED};
use hyper::{StatusCode, Uri};
use serde_json::{Value, json};
use std::sync::Arc;

/// How many resources a page holds when the client does not say: HAPI's default, and a trap for those who read on.
const PAGE: usize = 20;

/// Parameters that select or count. FHIR lets a server ignore the presentation asked for by [`PRESENTATION`].
const SUPPORTED: [&str; 4] = ["_id", "_count", "_offset", "_summary"];
const PRESENTATION: [&str; 4] = ["_elements", "_format", "_pretty", "_total"];

/// What a client asked for and the server does not have.
pub(crate) enum Absent {
    /// A resource.
    Resource { kind: String, id: String },
    /// A resource type, or an operation: something behind the base that is neither.
    Kind(String),
    /// A search parameter.
    Parameter { kind: String, name: String },
}

/// The endpoints, and how the personality puts it that something is absent.
#[derive(Clone)]
struct Rest {
    server: Arc<Server>,
    explain: fn(&Absent) -> Response,
}

/// The routes for reading and searching.
pub(crate) fn routes(server: &Arc<Server>, explain: fn(&Absent) -> Response) -> Router {
    Router::new()
        .route("/{kind}", at(server, Endpoint::Search, get(search)))
        .route("/{kind}/{id}", at(server, Endpoint::Read, get(read)))
        .with_state(Rest { server: Arc::clone(server), explain })
}

async fn read(State(rest): State<Rest>, Path((kind, id)): Path<(String, String)>) -> Response {
    if !r4::is_type(&kind) {
        return (rest.explain)(&Absent::Kind(kind));
    }
    let Some(stored) = rest.server.store.find(&kind, &id) else {
        return (rest.explain)(&Absent::Resource { kind, id });
    };
    let version = stored.version;
    let response = reply(StatusCode::OK, FHIR_JSON, json::compact(&stored.to_json()));
    let response = with(response, ETAG, &format!("W/\"{version}\""));
    let response = with(response, LAST_MODIFIED, &httpdate::fmt_http_date(stored.updated));
    with(response, CONTENT_LOCATION, &format!("{}/{kind}/{id}/_history/{version}", rest.server.base))
}

async fn search(
    State(rest): State<Rest>,
    Path(kind): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
    uri: Uri,
) -> Response {
    if !r4::is_type(&kind) {
        return (rest.explain)(&Absent::Kind(kind));
    }
    let known = |name: &str| SUPPORTED.contains(&name) || PRESENTATION.contains(&name);
    if let Some((name, _)) = parameters.iter().find(|(name, _)| !known(name)) {
        return (rest.explain)(&Absent::Parameter { kind, name: name.clone() });
    }
    let page = Page::of(&parameters);
    let matches = rest.server.store.select(&kind, page.ids.as_deref());
    let bundle = page.bundle(&rest.server, &kind, &uri, &matches);
    reply(StatusCode::OK, FHIR_JSON, json::compact(&bundle))
}

/// Which part of the matches a search wants to see.
pub(crate) struct Page<'a> {
    pub(crate) ids: Option<Vec<&'a str>>,
    pub(crate) offset: usize,
    pub(crate) length: usize,
}

impl<'a> Page<'a> {
    fn of(parameters: &'a [(String, String)]) -> Self {
        Self::of_length(parameters, PAGE)
    }

    /// The page of a server that gives this many resources when the client does not say.
    pub(crate) fn of_length(parameters: &'a [(String, String)], length: usize) -> Self {
        let value = |name| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let number = |name| value(name).and_then(|value| value.parse().ok());
        let count_only = value("_summary") == Some("count");
        let ids = value("_id").map(|ids| ids.split(',').collect());
        let length = if count_only { 0 } else { number("_count").unwrap_or(length) };
        Self { ids, offset: number("_offset").unwrap_or(0), length }
    }

    fn bundle(&self, server: &Server, kind: &str, uri: &Uri, matches: &'a [Stored]) -> Value {
        let base = &server.base;
        let mut bundle = json!({"resourceType": "Bundle", "id": server.ids.uuid(), "type": "searchset",
            "meta": {"lastUpdated": moment::instant(server.now())}, "total": matches.len()});
        if self.length == 0 {
            bundle["meta"]["tag"] = subsetted();
            return bundle;
        }
        let mut links = vec![json!({"relation": "self", "url": format!("{base}{uri}")})];
        links.extend(self.next(matches.len()).map(|query| {
            let url = format!("{base}/{kind}?{query}");
            json!({"relation": "next", "url": url})
        }));
        bundle["link"] = links.into();
        let shown = self.shown(matches);
        let entries: Vec<_> = shown.map(|stored| entry(base, kind, stored)).collect();
        if !entries.is_empty() {
            bundle["entry"] = entries.into();
        }
        bundle
    }

    /// Those of the matches that are on the page.
    pub(crate) fn shown(&self, matches: &'a [Stored]) -> impl Iterator<Item = &'a Stored> {
        matches.iter().skip(self.offset).take(self.length)
    }

    /// The query of the following page, if there is one.
    fn next(&self, total: usize) -> Option<String> {
        let offset = self.offset.saturating_add(self.length);
        let ids = self.ids.as_ref().map_or_else(String::new, |ids| format!("_id={}&", ids.join(",")));
        (offset < total).then(|| format!("{ids}_count={}&_offset={offset}", self.length))
    }
}

fn entry(base: &str, kind: &str, stored: &Stored) -> Value {
    let resource = stored.to_json();
    let id = resource["id"].as_str().unwrap_or_default();
    json!({"fullUrl": format!("{base}/{kind}/{id}"), "resource": resource, "search": {"mode": "match"}})
}

fn subsetted() -> Value {
    json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED",
        "display": "Resource encoded in summary mode"}])
}
