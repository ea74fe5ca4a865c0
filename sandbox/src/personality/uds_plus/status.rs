//! The status of a submission: 200 while it runs and when it is done, told apart by `X-Progress`.

use super::{End, Receiver, refusal};
use crate::identity::Ids;
use crate::json;
use crate::loading::File;
use crate::reply::{FHIR_JSON, empty, reply, retry_after, with};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderName;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn poll(
    State(receiver): State<Arc<Receiver>>,
    Path((center, submission)): Path<(String, String)>,
) -> Response {
    let key = format!("{center}/{submission}");
    let Some(poll) = receiver.jobs.poll(&key) else {
        return refusal(StatusCode::NOT_FOUND, "not-found", format!("No submission {key}"));
    };
    let Some(end) = poll.end(&receiver.server.script()).await else {
        return retry_after(progress(empty(StatusCode::OK), "0% complete"), &receiver.server, "");
    };
    poll.job.entry.show_end();
    if end.failed() {
        return failed(&receiver.server.ids, &end, &center, &submission);
    }
    progress(reply(StatusCode::OK, FHIR_JSON, json::compact(&success(&receiver.server.ids))), "100% complete")
}

fn progress(response: Response, text: &str) -> Response {
    with(response, HeaderName::from_static("x-progress"), text)
}

fn success(ids: &Ids) -> Value {
    outcome(
        ids,
        "$import is successfully processed",
        &[issue(ids, "information", "informational", "information", "$import is successfully processed")],
    )
}

/// An array of outcomes, one for each file. A file that cannot be fetched makes it 400, as a bad address does.
fn failed(ids: &Ids, end: &End, center: &str, submission: &str) -> Response {
    let bad = end.loaded.files.iter().filter(|file| !file.is_whole());
    let outcomes: Vec<_> = bad.map(|file| of_file(ids, file, center, submission)).collect();
    let unread = end.loaded.files.iter().any(|file| file.unread.is_some());
    let status = if unread { StatusCode::BAD_REQUEST } else { StatusCode::UNPROCESSABLE_ENTITY };
    progress(reply(status, FHIR_JSON, json::compact(&outcomes.into())), "Failed")
}

/// What a file is comes as issues of its own.
fn of_file(ids: &Ids, file: &File, center: &str, submission: &str) -> Value {
    let mut issues: Vec<_> = errors(file).iter().map(|text| issue(ids, "error", "exception", "error", text)).collect();
    let name = file.url.rsplit('/').next().unwrap_or_default();
    let facts = [
        ("health_center_name", center),
        ("submission_id", submission),
        ("resource_type", file.kind.as_deref().unwrap_or_default()),
        ("resource_file_name", name),
        ("resource_url", &file.url),
    ];
    issues.extend(facts.map(|(code, text)| issue(ids, "information", "informational", code, text)));
    outcome(ids, &file.url, &issues)
}

/// The words for a file that cannot be fetched are the guide's; it has none for bad lines.
fn errors(file: &File) -> Vec<String> {
    if file.unread.is_some() {
        return vec!["Invalid Resource Download URL".to_owned()];
    }
    let text = |problem: &crate::loading::Problem| {
        let resource = problem.resource.as_deref().unwrap_or("a line");
        format!("{resource}: {}", problem.cause)
    };
    file.problems.iter().map(text).collect()
}

fn issue(ids: &Ids, severity: &str, code: &str, detail: &str, display: &str) -> Value {
    json!({"id": ids.uuid(), "severity": severity, "code": code,
        "details": {"coding": [{"code": detail, "display": display}]}})
}

fn outcome(ids: &Ids, text: &str, issues: &[Value]) -> Value {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{text}</div>");
    json!({"resourceType": "OperationOutcome", "id": ids.uuid(), "text": {"status": "generated", "div": div},
        "issue": issues})
}
