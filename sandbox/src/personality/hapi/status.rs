//! `$import-poll-status`: five states of a job in HAPI's prose.

use super::report::Report;
use super::work::{End, Failure, Final, RETRIES};
use super::{Hapi, RETRY_AFTER, refusal};
use crate::job::Poll;
use crate::outcome::{Issue, outcome};
use crate::reply::{reply, retry_after, with};
use crate::script::Script;
use crate::{json, moment};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderName;
use serde_json::Value;
use std::sync::Arc;

const CONTENT_TYPE: &str = "application/json+fhir;charset=iso-8859-1";

/// What HAPI 8.8.0 estimates for a job that has got nowhere: the largest number of milliseconds in days.
const NEVER: &str = "106751991167 days";

pub(super) async fn poll(State(hapi): State<Arc<Hapi>>, Query(parameters): Query<Vec<(String, String)>>) -> Response {
    let id = parameters.into_iter().find(|(name, _)| name == "_jobId").map(|(_, id)| id);
    answer(&hapi, id.as_deref()).await
}

/// The same by a `Parameters` body, which HAPI accepts too.
pub(super) async fn poll_by_parameters(State(hapi): State<Arc<Hapi>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let parameters = request["parameter"].as_array().map(Vec::as_slice).unwrap_or_default();
    let id = parameters.iter().find(|parameter| parameter["name"] == "_jobId");
    answer(&hapi, id.and_then(|parameter| parameter["valueString"].as_str())).await
}

async fn answer(hapi: &Hapi, id: Option<&str>) -> Response {
    let Some(id) = id else {
        let text = "HAPI-0389: Failed to call access method: java.lang.NullPointerException: Cannot invoke \
            \"org.hl7.fhir.instance.model.api.IPrimitiveType.getValueAsString()\" because \"theJobId\" is null";
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, text);
    };
    let script = hapi.server.script();
    let Some(poll) = hapi.jobs.poll(id) else {
        let text = format!("HAPI-2040: Unknown instance ID: {id}. Please check if the input job ID is valid.");
        return refusal(StatusCode::NOT_FOUND, text);
    };
    match poll.end(&script).await {
        None => running(hapi, &progress(&poll, &script)),
        Some(end) if end.retried() && retrying(&poll, &script) => {
            running(hapi, &started(&poll, "ERRORED", "0.0%", NEVER))
        }
        Some(end) => {
            poll.job.entry.show_end();
            over(&end)
        }
    }
}

/// Tries are counted in polls, unless the script gives the whole job a length in time.
fn retrying(poll: &Poll<End>, script: &Script) -> bool {
    script.job_ms.is_none() && poll.number <= script.polls_until_done.saturating_add(RETRIES)
}

fn progress(poll: &Poll<End>, script: &Script) -> String {
    match poll.number {
        1 => format!("Job was created at {} and is in QUEUED state.", moment::instant(poll.job.entry.created)),
        2 => started(poll, "IN_PROGRESS", "0.0%", "null"),
        later => {
            let by_polls = f64::from(later - 2) / f64::from(script.polls_until_done.max(later)) * 100.0;
            let percent = poll.percent_of_time(script).map_or(by_polls, |percent| percent as f64);
            started(poll, "IN_PROGRESS", &format!("{percent:.1}%"), &format!("{}ms", u64::from(later) * 100))
        }
    }
}

fn started(poll: &Poll<End>, state: &str, completion: &str, eta: &str) -> String {
    let at = moment::instant(poll.job.entry.created);
    format!(
        "Job was created at {at}, started at {at} and is in {state} state. \
         Current completion: {completion} and ETA is {eta}"
    )
}

/// QUEUED, IN_PROGRESS and ERRORED all look like this.
fn running(hapi: &Hapi, progress: &str) -> Response {
    let issue = Issue::uncoded("information", Some(progress.to_owned()));
    let response = with(spoken(StatusCode::ACCEPTED, &[issue]), HeaderName::from_static("x-progress"), progress);
    retry_after(response, &hapi.server, RETRY_AFTER)
}

/// COMPLETED is 200 and FAILED is 500, with the report as JSON text inside the text, indented only when it failed.
fn over(end: &End) -> Response {
    match &end.state {
        Final::Completed(report) => {
            spoken(StatusCode::OK, &[Issue::uncoded("information", Some(report.to_json_text()))])
        }
        Final::Failed(Failure { errors, last, report }) => {
            let text = format!("Job is in FAILED state with {errors} error count. Last error: {last}");
            let report = report.as_ref().map(Report::to_indented_json_text);
            let issues = [Issue::uncoded("error", Some(text)), Issue::uncoded("error", report)];
            spoken(StatusCode::INTERNAL_SERVER_ERROR, &issues)
        }
    }
}

/// The body is written in the character set the header names: what ISO 8859-1 lacks becomes a question mark.
fn spoken(status: StatusCode, issues: &[Issue]) -> Response {
    let text = json::pretty(&outcome(issues));
    let latin1: Vec<u8> = text.chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect();
    reply(status, CONTENT_TYPE, latin1)
}
