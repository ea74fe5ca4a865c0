//! `POST $bulk-submit`, which is answered at once, and `POST $bulk-submit-status`, which says where to look.

use super::request::{Request, submission_of};
use super::submission::{End, Manifest, Shown, Stage, Submission};
use super::{BulkSubmit, Flavour, refusal};
use crate::export::{self, Unusable};
use crate::json;
use crate::ledger::{Entry, Fate, Starter};
use crate::loading::Input;
use crate::outcome::{Issue, outcome};
use crate::reply::{FHIR_JSON, empty, reply, retry_after, with};
use crate::script::Script;
use crate::world::Pace;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ACCEPT, CONTENT_LOCATION, EXPIRES, HeaderMap, HeaderName};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn submit(State(submit): State<Arc<BulkSubmit>>, body: Bytes) -> Response {
    let script = submit.server.script();
    if !script.import_enabled {
        let text = "Bulk Data Submit is disabled or unsupported by this backend";
        return refusal(StatusCode::NOT_IMPLEMENTED, "not-supported", text);
    }
    let request = match Request::read(submit.flavour, &body) {
        Ok(request) => request,
        Err(problem) => return misunderstood(submit.flavour, problem),
    };
    accept(&submit, script, request, body).await
}

/// The test servers of the draft answer in plain text.
fn misunderstood(flavour: Flavour, problem: String) -> Response {
    match flavour {
        Flavour::Stu4 => refusal(StatusCode::BAD_REQUEST, "invalid", problem),
        Flavour::Argonaut => reply(StatusCode::BAD_REQUEST, "text/html; charset=utf-8", problem),
    }
}

async fn accept(submit: &Arc<BulkSubmit>, script: Arc<Script>, request: Request, body: Bytes) -> Response {
    if let Some(refusal) = refuse(submit, &request) {
        return refusal;
    }
    let submission = submit.find_or_open(&request.submitter, &request.submission_id);
    if let Some(refusal) = replace(submit, &submission, &request) {
        return refusal;
    }
    submission.set_stage(request.stage);
    if let Err(refusal) = work(submit, script, &submission, &request, body).await {
        return refusal;
    }
    book(submit, &submission);
    accepted(submit, &submission)
}

fn refuse(submit: &BulkSubmit, request: &Request) -> Option<Response> {
    match submit.find(&request.submitter, &request.submission_id) {
        Some(known) => refuse_late(submit.flavour, &known).or_else(|| refuse_twice(submit.flavour, &known, request)),
        None if submit.flavour == Flavour::Argonaut && request.stage == Stage::Stopped => {
            let text = "Submission not found for the given submitter and submissionId";
            Some(refusal(StatusCode::NOT_FOUND, "not-found", text))
        }
        None => None,
    }
}

/// After its end nothing more is taken for a submission.
fn refuse_late(flavour: Flavour, known: &Submission) -> Option<Response> {
    let word = match known.stage() {
        Stage::Open => return None,
        Stage::Completed => "complete",
        Stage::Stopped => "aborted",
    };
    Some(match flavour {
        Flavour::Stu4 => {
            let text = format!("submission {} is already {word} — no further submissions allowed", name(known));
            refusal(StatusCode::CONFLICT, "conflict", text)
        }
        Flavour::Argonaut => refusal(StatusCode::BAD_REQUEST, "invalid", "Submission is already complete or aborted"),
    })
}

/// A manifest is good for one time, with Helios. The test servers load it once more.
fn refuse_twice(flavour: Flavour, known: &Submission, request: &Request) -> Option<Response> {
    let url = request.manifest_url.as_ref().filter(|_| flavour == Flavour::Stu4)?;
    let twice = known.has(url) && request.replaces.as_ref() != Some(url);
    twice.then(|| refusal(StatusCode::CONFLICT, "conflict", format!("manifestUrl '{url}' already submitted")))
}

fn replace(submit: &BulkSubmit, submission: &Submission, request: &Request) -> Option<Response> {
    let found = submission.withdraw(request.replaces.as_ref()?, &submit.server);
    if found || submit.flavour == Flavour::Stu4 {
        return None;
    }
    Some(refusal(StatusCode::NOT_FOUND, "not-found", "Job not found for the given manifestUrl"))
}

/// Starts what is to be done: the first request of a submission is its job, later ones give it more to do.
async fn work(
    submit: &Arc<BulkSubmit>,
    script: Arc<Script>,
    submission: &Arc<Submission>,
    request: &Request,
    body: Bytes,
) -> Result<(), Response> {
    let manifest = request.manifest_url.clone().filter(|_| request.stage != Stage::Stopped);
    let files = match &manifest {
        Some(url) if submit.flavour == Flavour::Argonaut => Some(fetch_now(submit, &script, url).await?),
        _ => None,
    };
    let manifest = manifest.map(|url| submission.add(url, request.base.clone()));
    let work = run(Arc::clone(submit), script, Arc::clone(submission), manifest, files);
    if submit.jobs.find(&submission.token).is_some() {
        more(submit, work).await;
        return Ok(());
    }
    let status_url = submit.status_url(&submission.token);
    let entry = Entry::new(Starter::KickOff, status_url, body, submit.server.now());
    let started = submit.jobs.start(submission.token.clone(), entry, |_, _| false, work).await;
    started.map_err(|_full| {
        submit.forget(&submission.token);
        let text = "too many concurrent submissions for this tenant";
        retry_after(refusal(StatusCode::TOO_MANY_REQUESTS, "throttled", text), &submit.server, "120")
    })
}

/// deqm fetches the manifest before it answers. What it noted of the submission by then it keeps.
async fn fetch_now(submit: &BulkSubmit, script: &Script, url: &str) -> Result<Vec<Input>, Response> {
    export::files(&submit.server, script, url).await.map_err(|unusable| {
        let text = format!("Was unable to resolve manifest url {url}. Received error: {unusable}");
        refusal(StatusCode::NOT_FOUND, "not-found", text)
    })
}

async fn run(
    submit: Arc<BulkSubmit>,
    script: Arc<Script>,
    submission: Arc<Submission>,
    manifest: Option<Arc<Manifest>>,
    files: Option<Vec<Input>>,
) -> End {
    if let Some(manifest) = manifest {
        let files: Result<_, Unusable> = match files {
            Some(files) => Ok(files),
            None => export::files(&submit.server, &script, &manifest.url).await,
        };
        manifest.work(&submit.server, &script, submit.flavour, files).await;
    }
    book(&submit, &submission);
    End(submission)
}

/// Does more for a job there is.
async fn more(submit: &BulkSubmit, work: impl Future<Output = End> + Send + 'static) {
    match submit.server.pace {
        Pace::Waits => drop(tokio::spawn(work)),
        Pace::Tells => drop(work.await),
    }
}

/// Writes into the books how a submission stands. A stopped one leaves nothing behind.
fn book(submit: &BulkSubmit, submission: &Submission) {
    let Some(job) = submit.jobs.find(&submission.token) else { return };
    if submission.stage() == Stage::Stopped {
        job.entry.stop(Fate::Cancelled, &submit.server.script(), submit.server.now());
        submission.roll_back(&submit.server);
    }
    job.entry.worked(submission.worked());
}

fn accepted(submit: &BulkSubmit, submission: &Submission) -> Response {
    let body = match submit.flavour {
        Flavour::Stu4 => {
            let text = format!("submission {} accepted", name(submission));
            json!({"resourceType": "OperationOutcome",
                "issue": [{"severity": "information", "code": "informational", "details": {"text": text}}]})
        }
        Flavour::Argonaut => {
            let token = &submission.token;
            outcome(&[Issue::information(match submission.stage() {
                Stage::Open => format!("Job {token} started successfully! Submission: {token}"),
                Stage::Completed => format!("Submission {token} marked as complete"),
                Stage::Stopped => format!("Submission {token} marked as aborted"),
            })])
        }
    };
    reply(StatusCode::OK, FHIR_JSON, json::compact(&body))
}

/// `system|value/id`, as Helios writes it.
fn name(submission: &Submission) -> String {
    let submitter = &submission.submitter;
    format!("{}|{}/{}", submitter.system.as_deref().unwrap_or_default(), submitter.value, submission.id)
}

pub(super) async fn status_place(State(submit): State<Arc<BulkSubmit>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(problem) = check_headers(submit.flavour, &headers) {
        return refusal(StatusCode::BAD_REQUEST, "invalid", problem);
    }
    let (submitter, id) = match submission_of(submit.flavour, &body) {
        Ok(named) => named,
        Err(problem) => return refusal(StatusCode::BAD_REQUEST, "invalid", problem),
    };
    match submit.find(&submitter, &id) {
        Some(submission) => place(&submit, &submission, &headers),
        None => refusal(
            StatusCode::NOT_FOUND,
            "not-found",
            match submit.flavour {
                Flavour::Stu4 => format!("Submission/{id} not found"),
                Flavour::Argonaut => "No submission found for the given submitter and submissionId".to_owned(),
            },
        ),
    }
}

/// The draft's server takes no other values than these, and no headers at all.
fn check_headers(flavour: Flavour, headers: &HeaderMap) -> Result<(), String> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let other = |name: &str, wanted: &str| flavour == Flavour::Argonaut && value(name).is_some_and(|v| v != wanted);
    if other(ACCEPT.as_str(), "application/fhir+json") {
        return Err("Invalid Accept header. Only application/fhir+json is supported by this server.".to_owned());
    }
    if other("prefer", "respond-async") {
        return Err("Invalid Prefer header. Only respond-async is supported by this server.".to_owned());
    }
    Ok(())
}

fn place(submit: &BulkSubmit, submission: &Submission, headers: &HeaderMap) -> Response {
    const SEPARATE: &str = "separate-export-status";
    let url = submit.status_url(&submission.token);
    if submit.flavour == Flavour::Argonaut {
        let body = outcome(&[Issue::information(format!("Check job status at {url}"))]);
        let response = with(reply(StatusCode::ACCEPTED, FHIR_JSON, json::compact(&body)), EXPIRES, "0");
        return with(response, CONTENT_LOCATION, &url);
    }
    let response = with(empty(StatusCode::ACCEPTED), CONTENT_LOCATION, &url);
    let prefer = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    if prefer.flat_map(|value| value.split(',')).any(|preference| preference.trim() == SEPARATE) {
        submission.show(Shown::Separately);
        return with(response, HeaderName::from_static("preference-applied"), SEPARATE);
    }
    submission.show(Shown::InTheStatus);
    response
}
