//! Operations: one, all, and the cancelling of one.

use super::import::End;
use super::{Google, error, name};
use crate::clock::millis_between;
use crate::job::Job;
use crate::ledger::{Entry, Fate};
use crate::moment;
use crate::reply::reply;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many operations a page has when the client does not say, which is not documented.
const PAGE: usize = 10;

/// The canonical code of what was cancelled (google.rpc.Code).
const CANCELLED: u32 = 1;

pub(super) async fn get_one(State(google): State<Arc<Google>>, Path(id): Path<String>) -> Response {
    let Some(poll) = google.jobs.poll(&id) else { return unknown(&id) };
    let end = poll.end(&google.server.script()).await;
    let cancelled = poll.job.entry.fate(&google.server.script(), google.server.now()) == Fate::Cancelled;
    if end.is_some() && !cancelled {
        poll.job.entry.show_end();
    }
    ok(&operation(&id, &poll.job.entry, end.as_deref(), cancelled))
}

fn ok(body: &Value) -> Response {
    reply(StatusCode::OK, "application/json; charset=UTF-8", body.to_string())
}

fn unknown(id: &str) -> Response {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", &format!("operation {} not found", name(id)))
}

/// `done` is there only when it is true.
fn operation(id: &str, entry: &Entry, end: Option<&End>, cancelled: bool) -> Value {
    let mut operation = json!({"name": name(id), "metadata": metadata(entry, end.filter(|_| !cancelled))});
    let ending = match end {
        _ if cancelled => {
            json!({"done": true, "error": {"code": CANCELLED, "message": "The operation was cancelled."}})
        }
        None => return operation,
        Some(End { error: Some((code, message)), .. }) => {
            json!({"done": true, "error": {"code": code, "message": message}})
        }
        Some(_) => json!({"done": true, "response":
            {"@type": "type.googleapis.com/google.cloud.healthcare.v1.ImportResourcesResponse"}}),
    };
    if let (Some(members), Value::Object(ending)) = (operation.as_object_mut(), ending) {
        members.extend(ending);
    }
    operation
}

/// Counters are 64-bit numbers and therefore strings; those that are zero are left out.
fn metadata(entry: &Entry, end: Option<&End>) -> Value {
    let mut metadata = json!({
        "@type": "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata",
        "apiMethodName": "google.cloud.healthcare.v1.fhir.FhirStoreService.ImportResources",
        "createTime": instant(entry.created),
        "logsUrl": "https://console.cloud.google.com/logs/query",
    });
    let mut counter = Map::new();
    if let Some(end) = end {
        metadata["endTime"] = instant(end.ended);
        for (name, count) in [("success", end.loaded.stored()), ("failure", end.loaded.refused())] {
            if count > 0 {
                counter.insert(name.to_owned(), count.to_string().into());
            }
        }
    }
    metadata["counter"] = counter.into();
    metadata
}

/// The form of protocol buffers ends with `Z`.
fn instant(at: std::time::SystemTime) -> Value {
    moment::instant(at).replace("+00:00", "Z").into()
}

/// The newest first. One younger than the lag is not there yet.
pub(super) async fn list(State(google): State<Arc<Google>>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let (most, start) = (number("pageSize").filter(|most| *most > 0).unwrap_or(PAGE), number("pageToken").unwrap_or(0));
    let (script, now) = (google.server.script(), google.server.now());
    let mut entries = google.jobs.list();
    entries.retain(|entry| millis_between(entry.created, now) >= script.list_lag_ms);
    entries.reverse();
    let mut rows = Vec::new();
    for entry in entries.iter().skip(start).take(most) {
        rows.push(row(&google, entry).await);
    }
    let mut page = json!({});
    if !rows.is_empty() {
        page["operations"] = rows.into();
    }
    if start + most < entries.len() {
        page["nextPageToken"] = (start + most).to_string().into();
    }
    ok(&page)
}

/// An operation as the list shows it, which is no poll of it.
async fn row(google: &Google, entry: &Entry) -> Value {
    let id = entry.status_url.rsplit('/').next().unwrap_or_default();
    let fate = entry.fate(&google.server.script(), google.server.now());
    let end = match google.jobs.find(id).filter(|_| matches!(fate, Fate::Ended | Fate::Failed)) {
        Some(job) => ended(&job).await,
        None => None,
    };
    operation(id, entry, end.as_deref(), fate == Fate::Cancelled)
}

async fn ended(job: &Job<End>) -> Option<Arc<End>> {
    job.end().await
}

/// `POST …/operations/<id>:cancel` answers an empty object whether or not there was anything left to cancel.
pub(super) async fn cancel(State(google): State<Arc<Google>>, Path(id): Path<String>) -> Response {
    let Some(id) = id.strip_suffix(":cancel") else {
        return error(StatusCode::NOT_FOUND, "NOT_FOUND", "Method not found.");
    };
    match google.jobs.cancel(id) {
        Some(_) => ok(&json!({})),
        None => unknown(id),
    }
}
