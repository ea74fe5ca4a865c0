//! The status URL of a job: progress, the manifest of results, cancelling.

use super::work::Manifest;
use super::{RETRY_AFTER, Smart, refusal, unknown_job};
use crate::job::Poll;
use crate::json;
use crate::ledger::Fate;
use crate::outcome::{Issue, outcome};
use crate::reply::{FHIR_JSON, empty, reply, retry_after, with};
use crate::script::Script;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderName;
use std::sync::Arc;

pub(super) async fn poll(State(smart): State<Arc<Smart>>, Path(id): Path<String>) -> Response {
    let script = smart.server.script();
    let Some(poll) = smart.jobs.poll(&id) else { return unknown_job() };
    let Some(manifest) = poll.end(&script).await else { return running(&smart, &poll, &script) };
    poll.job.entry.show_end();
    reply(StatusCode::OK, "application/json", json::compact(&manifest.to_json()))
}

/// The draft keeps `X-Progress` below a hundred characters and says nothing of a body.
fn running(smart: &Smart, poll: &Poll<Manifest>, script: &Script) -> Response {
    let by_polls = || 100 * (u64::from(poll.number) - 1) / u64::from(script.polls_until_done.max(poll.number));
    let percent = poll.percent_of_time(script).unwrap_or_else(by_polls);
    let progress = HeaderName::from_static("x-progress");
    let response = with(empty(StatusCode::ACCEPTED), progress, &format!("{percent}%"));
    retry_after(response, &smart.server, RETRY_AFTER)
}

/// Stops the job. What is stored by then stays stored: the draft promises no rollback.
pub(super) async fn cancel(State(smart): State<Arc<Smart>>, Path(id): Path<String>) -> Response {
    if !smart.jobs.forget(&id, Fate::Cancelled) {
        return refusal(StatusCode::NOT_FOUND, "not-found", "There is no such import to cancel");
    }
    let body = json::compact(&outcome(&[Issue::information("The import is cancelled")]));
    reply(StatusCode::ACCEPTED, FHIR_JSON, body)
}
