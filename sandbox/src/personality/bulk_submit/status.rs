//! The status of a submission, and its end by `DELETE`.

use super::documents;
use super::submission::{End, Shown, Stage, Submission};
use super::{BulkSubmit, Flavour, refusal, unknown_status};
use crate::intake::Tally;
use crate::job::Poll;
use crate::ledger::{Fate, Worked};
use crate::reply::{empty, reply, retry_after, with};
use crate::script::Script;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn poll(
    State(submit): State<Arc<BulkSubmit>>,
    Path(token): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let script = submit.server.script();
    let Some(poll) = submit.jobs.poll(&token) else { return unknown_status(submit.flavour, &token) };
    let known = submit.lock().iter().find(|known| known.token == token).cloned();
    let Some(submission) = known else { return unknown_status(submit.flavour, &token) };
    let page = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let answer = answer(&submit, &submission, &poll, &script, page).await;
    match submission.shown() {
        Shown::InTheStatus => answer,
        Shown::Separately => separately(answer),
    }
}

async fn answer(
    submit: &BulkSubmit,
    submission: &Submission,
    poll: &Poll<End>,
    script: &Script,
    page: usize,
) -> Response {
    let stopped = submission.stage() == Stage::Stopped;
    if stopped && submit.flavour == Flavour::Argonaut {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "exception", "The submission has been aborted");
    }
    let due = stopped || poll.end(script).await.is_some();
    if !due || !submission.is_over() || is_never_found(submit.flavour, submission) {
        return running(submit, submission, poll, script);
    }
    poll.job.entry.show_end();
    if let Some(reason) = submission.failed() {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "exception", reason);
    }
    documents::manifest(submit, submission, script, page).map_or_else(
        || unknown_status(submit.flavour, &submission.token),
        |manifest| document(StatusCode::OK, &manifest),
    )
}

/// deqm takes everything before the first hyphen for the submitter, and waits for ever for one it does not find.
fn is_never_found(flavour: Flavour, submission: &Submission) -> bool {
    flavour == Flavour::Argonaut && submission.submitter.value.contains('-')
}

fn document(status: StatusCode, manifest: &Value) -> Response {
    reply(status, "application/json", manifest.to_string())
}

/// Helios has words for what it does, and a shorter wait before it has begun. From the second poll on there is what
/// there is of the manifest, as the guide allows. deqm divides by its number of resources, which is none at first.
fn running(submit: &BulkSubmit, submission: &Submission, poll: &Poll<End>, script: &Script) -> Response {
    let by_polls = || 100 * (u64::from(poll.number) - 1) / u64::from(script.polls_until_done.max(poll.number));
    let percent = poll.percent_of_time(script).unwrap_or_else(by_polls);
    let first = poll.number == 1;
    let (progress, wait) = match submit.flavour {
        Flavour::Argonaut if first => ("NaN% Done".to_owned(), "120"),
        Flavour::Argonaut => (format!("{percent}.00% Done"), "120"),
        Flavour::Stu4 if first => ("Queued - starting shortly".to_owned(), "5"),
        Flavour::Stu4 => (format!("Processing {percent}% - {} Resources written", written(submission)), "120"),
    };
    let partial = documents::manifest(submit, submission, script, 1).filter(|_| submit.flavour == Flavour::Stu4);
    let response = match partial.filter(|_| !first) {
        Some(partial) => document(StatusCode::ACCEPTED, &partial),
        None => empty(StatusCode::ACCEPTED),
    };
    retry_after(with(response, HeaderName::from_static("x-progress"), &progress), &submit.server, wait)
}

/// A number with commas between thousands.
fn written(submission: &Submission) -> String {
    let (Worked::Open(tally) | Worked::Done(tally) | Worked::Failed(tally)) = submission.worked();
    let digits = tally.stored.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// The status of the job in a header of its own; the poll itself went well.
fn separately(mut answer: Response) -> Response {
    let status = HeaderValue::from(answer.status().as_u16());
    answer.headers_mut().insert("x-export-status", status);
    *answer.status_mut() = StatusCode::OK;
    answer
}

/// Cancels, which takes out again what was stored. The test servers of the draft have no such route.
pub(super) async fn cancel(State(submit): State<Arc<BulkSubmit>>, Path(token): Path<String>) -> Response {
    if submit.flavour == Flavour::Argonaut {
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n\
            </head>\n<body>\n<pre>Cannot DELETE /bulkstatus/{token}</pre>\n</body>\n</html>\n"
        );
        return reply(StatusCode::NOT_FOUND, "text/html; charset=utf-8", page);
    }
    let known = submit.lock().iter().find(|known| known.token == token).cloned();
    let Some((submission, job)) = known.zip(submit.jobs.find(&token)) else {
        return unknown_status(submit.flavour, &token);
    };
    submit.jobs.forget(&token, Fate::Cancelled);
    if job.entry.ends_shown() == 0 {
        submission.roll_back(&submit.server);
        job.entry.worked(Worked::Done(Tally::default()));
    }
    submit.forget(&token);
    empty(StatusCode::ACCEPTED)
}
