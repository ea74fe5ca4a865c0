//! `_async-status/{id}` and its result.

use super::work::{End, Final};
use super::{Octo, answer, invalid, not_found, refusal};
use crate::job::Poll;
use crate::moment::instant_to;
use crate::reply::{empty, reply, retry_after, with};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderName;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long a job is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

const RETRY_AFTER: &str = "10";

/// What a status says of a job.
struct Said<'a> {
    status: &'a str,
    completed: Option<SystemTime>,
    updated: SystemTime,
    error: Option<&'a str>,
}

pub(super) async fn poll(State(octo): State<Arc<Octo>>, Path(id): Path<String>) -> Response {
    if let Some(problem) = no_uuid(&id) {
        return problem;
    }
    let script = octo.server.script();
    let Some(poll) = octo.jobs.poll(&id) else { return unknown(&id) };
    match poll.end(&script).await {
        Some(end) => {
            poll.job.entry.show_end();
            over(&poll, &id, &end)
        }
        None => running(&octo, &poll, &id),
    }
}

/// Progress stays at nothing until the end, and at the end too. A job that somebody cancelled says so only while it
/// still runs.
fn running(octo: &Octo, poll: &Poll<End>, id: &str) -> Response {
    if let Some(at) = octo.cancelled().get(id) {
        let said = Said { status: "cancelled", completed: None, updated: *at, error: None };
        return answer(StatusCode::GONE, &body(poll, id, &said));
    }
    let created = poll.job.entry.created;
    let said = Said { status: "in_progress", completed: None, updated: created, error: None };
    let response = answer(StatusCode::ACCEPTED, &body(poll, id, &said));
    let response = with(response, HeaderName::from_static("x-progress"), "Processing: 0% complete");
    retry_after(response, &octo.server, RETRY_AFTER)
}

fn over(poll: &Poll<End>, id: &str, end: &End) -> Response {
    let said = Said { status: "completed", completed: Some(end.at), updated: end.at, error: None };
    match &end.state {
        Final::Completed(_) => answer(StatusCode::OK, &body(poll, id, &said)),
        Final::Failed(why) => {
            let said = Said { status: "failed", error: Some(why), ..said };
            answer(StatusCode::INTERNAL_SERVER_ERROR, &body(poll, id, &said))
        }
    }
}

fn body(poll: &Poll<End>, id: &str, said: &Said<'_>) -> Value {
    let (created, time) = (poll.job.entry.created, |at| instant_to(at, 6));
    json!({"completedAt": said.completed.map(time), "createdAt": time(created), "errorMessage": said.error,
        "expiresAt": time(created + KEPT), "jobId": id, "progress": 0.0, "requestType": "bulk_import",
        "status": said.status, "updatedAt": time(said.updated)})
}

/// Says what came of a job whose status would say that it is over. Asking for it counts as no poll.
pub(super) async fn result(State(octo): State<Arc<Octo>>, Path(id): Path<String>) -> Response {
    if let Some(problem) = no_uuid(&id) {
        return problem;
    }
    let (script, now) = (octo.server.script(), octo.server.now());
    let Some(job) = octo.jobs.find(&id) else { return unknown(&id) };
    let running = job.entry.fate(&script, now) == crate::Fate::Running;
    let end = if running { None } else { job.end().await };
    match end.as_deref().map(|end| &end.state) {
        Some(Final::Completed(result)) => answer(StatusCode::OK, result),
        Some(Final::Failed(why)) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "fatal", "exception", why),
        None if octo.cancelled().contains_key(&id) => invalid("Job was cancelled"),
        None => too_early(),
    }
}

fn too_early() -> Response {
    let text = "Job is still in_progress (progress: 0.0%)";
    let issue = json!({"code": "processing", "diagnostics": text, "severity": "information"});
    answer(StatusCode::TOO_EARLY, &json!({"issue": [issue], "resourceType": "OperationOutcome"}))
}

/// Every request to cancel is granted, whether there is such a job or not, and changes nothing about the work.
pub(super) async fn cancel(State(octo): State<Arc<Octo>>, Path(id): Path<String>) -> Response {
    if let Some(problem) = no_uuid(&id) {
        return problem;
    }
    let now = octo.server.now();
    octo.cancelled().entry(id).or_insert(now);
    empty(StatusCode::NO_CONTENT)
}

fn unknown(id: &str) -> Response {
    not_found(&format!("Async job not found: {id}"))
}

/// Recorded is an id with a wrong letter; one of a wrong length has the words of the same parser.
fn no_uuid(id: &str) -> Option<Response> {
    let wrong = id.char_indices().find(|(_, letter)| !letter.is_ascii_hexdigit() && *letter != '-');
    let problem = match wrong {
        Some((at, letter)) => format!("invalid character: found `{letter}` at {at}"),
        None if id.len() == 36 => return None,
        None => format!("invalid length: expected length 32 for simple format, found {}", id.len()),
    };
    let text = format!("Invalid URL: Cannot parse `job_id` with value `{id}`: UUID parsing failed: {problem}");
    Some(reply(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", text))
}
