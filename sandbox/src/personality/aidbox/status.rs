//! The status of an import, which is always 200: only the body tells.

use super::work::{End, error};
use super::{Aidbox, Edition, refusal};
use crate::job::{Job, Poll};
use crate::loading::File;
use crate::moment;
use crate::reply::reply;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn poll(State(aidbox): State<Arc<Aidbox>>, Path(id): Path<String>) -> Response {
    let found = aidbox.key(&id).and_then(|key| aidbox.jobs.poll(&key));
    let Some(poll) = found else {
        return refusal(StatusCode::NOT_FOUND, "not-found", &format!("Resource Id=BulkImportStatus/{id} not found"));
    };
    let end = poll.end(&aidbox.server.script()).await;
    if end.is_some() {
        poll.job.entry.show_end();
    }
    let body = match aidbox.edition {
        Edition::V1 => first_edition(&id, &poll, end.as_deref()),
        Edition::V2 => second_edition(&poll.job, end.as_deref()),
    };
    reply(StatusCode::OK, "application/json;charset=utf-8", body.to_string())
}

/// A resource. `status` is there only at the end, and is `finished` whatever became of the inputs.
fn first_edition(id: &str, poll: &Poll<End>, end: Option<&End>) -> Value {
    let created = moment::instant(poll.job.entry.created);
    let mut body = json!({
        "time": {"start": created},
        "type": "fhir",
        "inputs": waiting(&poll.job, |_| None),
        "contentEncoding": encoding(&poll.job),
        "id": id,
        "resourceType": "BulkImportStatus",
        "meta": {"lastUpdated": created, "createdAt": created, "versionId": poll.number.to_string()},
    });
    if let Some(end) = end {
        body["time"]["end"] = moment::instant(end.ended).into();
        body["status"] = "finished".into();
        body["inputs"] = end.loaded.files.iter().map(|file| finished(file, end)).collect::<Vec<_>>().into();
    }
    body
}

fn finished(file: &File, end: &End) -> Value {
    let row = json!({"ts": moment::instant(end.ended), "url": file.url, "resourceType": file.kind});
    match error(file) {
        None => extended(row, json!({"total": file.stored, "status": "finished", "duration": 0})),
        Some(error) => extended(row, json!({"error": error, "status": "failed"})),
    }
}

/// The status of a workflow. The first input is said to be under way, the others to wait.
fn second_edition(job: &Job<End>, end: Option<&End>) -> Value {
    let status = |index| Some(if index == 0 { "in-progress" } else { "waiting" });
    let body = json!({"type": "fhir", "contentEncoding": encoding(job)});
    let Some(end) = end else {
        return extended(body, json!({"inputs": waiting(job, status), "status": "in-progress"}));
    };
    let inputs: Vec<_> = end.loaded.files.iter().map(done).collect();
    let body = extended(body, json!({"inputs": inputs, "status": "done"}));
    extended(body, summary(end))
}

/// The documented count is of new resources: the same file has 225 in one example and 0 in another.
fn done(file: &File) -> Value {
    let row = json!({"url": file.url, "resourceType": file.kind, "status": "done"});
    match error(file) {
        None => extended(row, json!({"outcome": "succeeded", "result": {"imported-resources": file.created}})),
        Some(error) => extended(row, json!({"outcome": "failed", "error": {"message": error}})),
    }
}

/// Of several inputs that failed only one is named, and its quotation mark is never closed.
fn summary(end: &End) -> Value {
    if let Some(file) = end.first_failure() {
        let task = format!("task '{} {} failed", file.kind.as_deref().unwrap_or_default(), file.url);
        let message = format!("Import for some files failed with an error: {task}");
        return json!({"outcome": "failed", "error": {"message": message}});
    }
    let total: u64 = end.loaded.files.iter().map(|file| file.created).sum();
    let message = format!("All input files imported, {total} new resources loaded");
    json!({"outcome": "succeeded", "result": {"message": message, "total-files": end.loaded.files.len(),
        "total-imported-resources": total}})
}

fn waiting(job: &Job<End>, status: impl Fn(usize) -> Option<&'static str>) -> Value {
    let order = kick_off_of(job);
    let rows = order["inputs"].as_array().cloned().unwrap_or_default();
    let row = |(index, input): (usize, &Value)| {
        let row = json!({"url": input["url"], "resourceType": input["resourceType"]});
        status(index).map_or(row.clone(), |status| extended(row, json!({"status": status})))
    };
    rows.iter().enumerate().map(row).collect::<Vec<_>>().into()
}

fn encoding(job: &Job<End>) -> Value {
    let order = kick_off_of(job);
    if order["contentEncoding"].is_string() { order["contentEncoding"].clone() } else { "plain".into() }
}

/// The body that started the job. Somebody else's job has none.
fn kick_off_of(job: &Job<End>) -> Value {
    serde_json::from_slice(&job.entry.kick_off).unwrap_or_default()
}

fn extended(mut object: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (object.as_object_mut(), more) {
        members.extend(more);
    }
    object
}
