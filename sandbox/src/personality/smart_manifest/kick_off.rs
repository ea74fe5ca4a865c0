//! `POST $import`: plain JSON, and three headers with fixed values.

use super::work::{self, Accepted};
use super::{RETRY_AFTER, Smart, refusal};
use crate::job::Unstarted;
use crate::json;
use crate::ledger::{Entry, Starter};
use crate::outcome::{Issue, outcome};
use crate::reply::{FHIR_JSON, reply, retry_after, with};
use crate::script::Script;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ACCEPT, CONTENT_LOCATION, CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

pub(super) const NDJSON: &str = "application/fhir+ndjson";

/// The manifest a client sends. The draft allows fields it does not name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    /// What the caller calls the job, where the registration asks for it. Elsewhere anything may stand here.
    #[serde(default)]
    pub(super) id: Option<Value>,
    input_format: String,
    pub(super) input_source: String,
    pub(super) input: Vec<Input>,
    #[serde(default)]
    storage_detail: Option<StorageDetail>,
}

/// One file of one resource type.
#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: String,
}

#[derive(Deserialize)]
struct StorageDetail {
    #[serde(rename = "type")]
    kind: String,
}

pub(super) async fn kick_off(State(smart): State<Arc<Smart>>, headers: HeaderMap, body: Bytes) -> Response {
    let script = smart.server.script();
    if !script.import_enabled {
        return refusal(StatusCode::NOT_FOUND, "not-supported", "This server has no $import");
    }
    let order = match check_headers(&headers).and_then(|()| Order::read(&body)) {
        Ok(order) => order,
        Err(problem) => return refusal(StatusCode::BAD_REQUEST, "invalid", problem),
    };
    let id = match smart.registration.id(&smart.server.ids, &order) {
        Ok(id) => id,
        Err(problem) => return refusal(StatusCode::BAD_REQUEST, "invalid", problem),
    };
    start(&smart, script, order, id, body).await
}

async fn start(smart: &Smart, script: Arc<Script>, order: Order, id: String, body: Bytes) -> Response {
    let (status_url, created) = (smart.status_url(&id), smart.server.now());
    let entry = Entry::new(Starter::KickOff, status_url.clone(), body, created);
    let known = |known: &Entry, wanted: &Entry| smart.registration.is_same(known, wanted);
    let job = Accepted { status_url: status_url.clone(), created };
    let work = work::run(Arc::clone(&smart.server), script, order, job);
    match smart.jobs.start(id, entry, known, work).await {
        Ok(()) => accepted(&status_url),
        Err(Unstarted::Known(job)) => smart.registration.known(&job.entry),
        Err(Unstarted::Full) => {
            let busy = refusal(StatusCode::TOO_MANY_REQUESTS, "throttled", "Another import is running");
            retry_after(busy, &smart.server, RETRY_AFTER)
        }
    }
}

/// The answer to a kick-off that has a job now.
pub(super) fn accepted(status_url: &str) -> Response {
    let body = json::compact(&outcome(&[Issue::information("The import has been accepted")]));
    with(reply(StatusCode::ACCEPTED, FHIR_JSON, body), CONTENT_LOCATION, status_url)
}

/// The draft gives each of these headers one fixed value and requires it.
fn check_headers(headers: &HeaderMap) -> Result<(), String> {
    let required = [
        (CONTENT_TYPE.as_str(), "application/json"),
        (ACCEPT.as_str(), "application/fhir+json"),
        ("prefer", "respond-async"),
    ];
    let missing = required.into_iter().find(|(name, value)| !has(headers, name, value));
    missing.map_or(Ok(()), |(name, value)| Err(format!("The header {name} must be {value}")))
}

/// Whether a header has this value, alone or in a list, with or without parameters.
fn has(headers: &HeaderMap, name: &str, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let mut items = values.flat_map(|value| value.split(','));
    items.any(|item| item.split(';').next().is_some_and(|item| item.trim().eq_ignore_ascii_case(wanted)))
}

impl Order {
    fn read(body: &[u8]) -> Result<Self, String> {
        let order: Self = serde_json::from_slice(body).map_err(|error| format!("The body is no manifest: {error}"))?;
        if order.input_format != NDJSON {
            return Err(format!("inputFormat must be {NDJSON}"));
        }
        if order.input.is_empty() {
            return Err("There is no input".to_owned());
        }
        match order.storage_detail.as_ref().map(|detail| detail.kind.as_str()) {
            None | Some("https") => Ok(order),
            Some(other) => Err(format!("storageDetail.type {other} is not supported")),
        }
    }
}
