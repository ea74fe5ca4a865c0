//! `$import-poll-status`: five states of a job in HAPI's prose.

use super::report::Report;
use super::work::{End, Failure, RETRIES};
use super::{Hapi, RETRY_AFTER, refusal};
use crate::job::Job;
use crate::outcome::{Issue, outcome};
use crate::reply::{reply, retry_after, with};
use crate::script::Script;
use crate::{clock, json};
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
    let Some((job, number)) = hapi.jobs.poll(id, &script) else {
        let text = format!("HAPI-2040: Unknown instance ID: {id}. Please check if the input job ID is valid.");
        return refusal(StatusCode::NOT_FOUND, text);
    };
    let end = if number > script.polls_until_done { job.end().await } else { None };
    match end {
        None => running(&script, &progress(&job, number, script.polls_until_done)),
        Some(end) if end.retried() && number <= script.polls_until_done.saturating_add(RETRIES) => {
            running(&script, &started(&job, "ERRORED", "0.0%", NEVER))
        }
        Some(end) => {
            job.show_end();
            over(&end)
        }
    }
}

fn progress(job: &Job<End>, number: u32, of: u32) -> String {
    match number {
        1 => format!("Job was created at {} and is in QUEUED state.", clock::instant(job.created)),
        2 => started(job, "IN_PROGRESS", "0.0%", "null"),
        later => {
            let percent = f64::from(later - 2) / f64::from(of.max(later)) * 100.0;
            started(job, "IN_PROGRESS", &format!("{percent:.1}%"), &format!("{}ms", later * 100))
        }
    }
}

fn started(job: &Job<End>, state: &str, completion: &str, eta: &str) -> String {
    let at = clock::instant(job.created);
    format!(
        "Job was created at {at}, started at {at} and is in {state} state. \
         Current completion: {completion} and ETA is {eta}"
    )
}

/// QUEUED, IN_PROGRESS and ERRORED all look like this.
fn running(script: &Script, progress: &str) -> Response {
    let issue = Issue::uncoded("information", Some(progress.to_owned()));
    let response = with(spoken(StatusCode::ACCEPTED, &[issue]), HeaderName::from_static("x-progress"), progress);
    retry_after(response, script, RETRY_AFTER)
}

/// COMPLETED is 200 and FAILED is 500, with the report as JSON text inside the text, indented only when it failed.
fn over(end: &End) -> Response {
    match end {
        End::Completed(report) => spoken(StatusCode::OK, &[Issue::uncoded("information", Some(report.to_json_text()))]),
        End::Failed(Failure { errors, last, report }) => {
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
