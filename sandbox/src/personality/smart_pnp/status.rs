//! The status of a job, its file of outcomes, and its removal.

use super::{Consumer, End, outcome, refusal};
use crate::fetch::Unread;
use crate::job::Poll;
use crate::json;
use crate::ledger::Fate;
use crate::loading::File;
use crate::moment;
use crate::reply::{empty, reply, retry_after, with};
use crate::script::Script;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderName, PRAGMA};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn poll(
    State(consumer): State<Arc<Consumer>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let script = consumer.server.script();
    if consumer.hits_removed(&id) {
        return reply(StatusCode::GONE, "text/plain; charset=utf-8", "Gone");
    }
    let Some(poll) = consumer.jobs.poll(&id) else { return unknown(&headers, &id) };
    let answer = match poll.end(&script).await {
        None => running(&consumer, &poll, &script),
        Some(end) if end.announce() => retry_after(progress(100, "Importing completed"), &consumer.server, "1"),
        Some(end) => {
            poll.job.entry.show_end();
            let created = moment::instant(poll.job.entry.created);
            finished(&consumer.status_url(&id), &end, &created)
        }
    };
    with(with(answer, CACHE_CONTROL, "no-store"), PRAGMA, "no-cache")
}

/// There is no `Retry-After` until the hundred percent.
fn running(consumer: &Consumer, poll: &Poll<End>, script: &Script) -> Response {
    let by_polls = || 100 * (u64::from(poll.number) - 1) / u64::from(script.polls_until_done.max(poll.number));
    let percent = poll.percent_of_time(script).unwrap_or_else(by_polls);
    retry_after(progress(percent, "Importing file"), &consumer.server, "")
}

/// Progress is a bare number.
fn progress(percent: u64, status: &str) -> Response {
    let response = with(empty(StatusCode::ACCEPTED), HeaderName::from_static("x-progress"), &percent.to_string());
    with(response, HeaderName::from_static("x-status"), status)
}

fn finished(status_url: &str, end: &End, created: &str) -> Response {
    let count = rows(end).len();
    let file = json!({"url": format!("{status_url}/import-outcome.ndjson"), "count": count});
    let outcome: Vec<_> = (count > 0).then_some(file).into_iter().collect();
    let manifest = json!({"transactionTime": created, "requiresAccessToken": false, "outcome": outcome});
    reply(StatusCode::OK, "application/json; charset=utf-8", manifest.to_string())
}

/// A row for each file, and one more for each of its bad lines.
fn rows(end: &End) -> Vec<Value> {
    end.loaded.files.iter().flat_map(of_file).collect()
}

/// What an exception looks like that was written out as it was: it is no OperationOutcome.
fn of_file(file: &File) -> Vec<Value> {
    if let Some(unread) = &file.unread {
        return vec![match unread {
            Unread::Refused(_) => json!({"name": "HTTPError", "code": "ERR_NON_2XX_3XX_RESPONSE"}),
            Unread::Unreachable(_) => json!({"name": "RequestError", "code": "ECONNREFUSED"}),
            Unread::Broken(_) => json!({"name": "RequestError", "code": "ECONNRESET"}),
            Unread::Unsupported => json!({"name": "RequestError", "code": "ERR_INVALID_URL"}),
        }];
    }
    if file.is_whole() {
        return vec![outcome("information", &200.into(), &format!("File from {} imported successfully", file.url))];
    }
    let row = |problem: &crate::loading::Problem| {
        let resource = problem.resource.as_deref().unwrap_or("resource");
        let text = format!("{resource} on line {} of {}: {}", problem.line, file.url, problem.cause);
        outcome("error", &"processing".into(), &text)
    };
    file.problems.iter().map(row).collect()
}

/// The content type is that of one resource although it is a file of many.
pub(super) async fn outcomes(
    State(consumer): State<Arc<Consumer>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(job) = consumer.jobs.find(&id) else { return unknown(&headers, &id) };
    let rows = job.end().await.map(|end| rows(&end)).unwrap_or_default();
    let text: String = rows.iter().map(|row| json::compact(row) + "\n").collect();
    reply(StatusCode::OK, "application/fhir+json", text)
}

fn unknown(headers: &HeaderMap, id: &str) -> Response {
    refusal(headers, StatusCode::NOT_FOUND, &format!("Cannot find import job with id \"{id}\""))
}

/// Removes the record of a job. What runs is caught at its next request.
pub(super) async fn cancel(
    State(consumer): State<Arc<Consumer>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(job) = consumer.jobs.find(&id) else { return unknown(&headers, &id) };
    let fate = job.entry.fate(&consumer.server.script(), consumer.server.now());
    if !consumer.jobs.forget(&id, Fate::Cancelled) {
        return unknown(&headers, &id);
    }
    if fate == Fate::Running {
        consumer.removed(&id);
    }
    let body = outcome("information", &"processing".into(), "Import job was removed");
    reply(StatusCode::ACCEPTED, "application/json; charset=utf-8", json::compact(&body))
}
