//! The manifest of results and its files.

use super::submission::{Manifest, Submission, Worth};
use super::{BulkSubmit, Flavour, unknown_status};
use crate::json;
use crate::loading::{File, Problem};
use crate::moment;
use crate::reply::reply;
use crate::script::Script;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// Rows of a page. Helios has 1000 by default; fewer make more pages to practise on.
const PAGE: usize = 3;

/// A file of OperationOutcomes.
struct Document {
    name: String,
    manifest_url: String,
    rows: Vec<Value>,
    information: usize,
    errors: usize,
}

/// What is known of the end. `None`: there is no such page.
pub(super) fn manifest(submit: &BulkSubmit, submission: &Submission, script: &Script, page: usize) -> Option<Value> {
    let documents = documents(submit.flavour, submission);
    let time = moment::instant(submission.opened);
    if submit.flavour == Flavour::Argonaut {
        let row = |document: &Document| argonaut_row(submit, submission, document);
        return Some(json!({"extension": {"submissionId": submission.id}, "transactionTime": time,
            "request": format!("{}/$bulk-submit-status", submit.server.base), "requiresAccessToken": false,
            "output": [], "error": documents.iter().map(row).collect::<Vec<_>>()}));
    }
    let pages: Vec<_> = documents.chunks(PAGE).collect();
    let rows: &[Document] = if page == 1 && pages.is_empty() { &[] } else { pages.get(page.checked_sub(1)?)? };
    let next = format!("{}?page={}", submit.status_url(&submission.token), page + 1);
    let link = (page < pages.len()).then(|| json!({"relation": "next", "url": next}));
    Some(json!({
        "submissionId": submission.id,
        "manifestType": "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkSubmitStatusManifest",
        "transactionTime": time,
        "requiresAccessToken": script.require_bearer.is_some(),
        "outputFormat": "application/fhir+ndjson",
        "output": [],
        "outcome": rows.iter().map(|document| stu4_row(submit, submission, document)).collect::<Vec<_>>(),
        "deleted": [],
        "link": link.into_iter().collect::<Vec<_>>(),
    }))
}

fn stu4_row(submit: &BulkSubmit, submission: &Submission, document: &Document) -> Value {
    json!({"url": submit.file_url(&submission.token, &document.name), "manifestUrl": document.manifest_url,
        "count": document.rows.len(), "fileSize": text(submit.flavour, document).len(),
        "countSeverity": [{"code": "information", "count": document.information},
            {"code": "error", "count": document.errors}]})
}

/// Everything is in `error`, successes too.
fn argonaut_row(submit: &BulkSubmit, submission: &Submission, document: &Document) -> Value {
    json!({"type": "OperationOutcome", "url": submit.file_url(&submission.token, &document.name),
        "extension": {"manifestUrl": document.manifest_url,
            "countSeverity": {"success": document.information, "error": document.errors}}})
}

/// The guide leaves the cut to the server: here each file has one of its own, and one more for its errors. The draft
/// has one for each manifest.
fn documents(flavour: Flavour, submission: &Submission) -> Vec<Document> {
    let manifests = submission.manifests();
    let ends = manifests.iter().enumerate().filter_map(|(index, manifest)| Some((index, manifest, manifest.end()?)));
    ends.flat_map(|(index, manifest, end)| match flavour {
        Flavour::Stu4 => stu4_documents(index, manifest, &end),
        Flavour::Argonaut => vec![argonaut_document(index, manifest, &end)],
    })
    .collect()
}

fn stu4_documents(index: usize, manifest: &Manifest, end: &Worth) -> Vec<Document> {
    let document = |name: String, rows: Vec<Value>, errors: usize| {
        let information = rows.len() - errors;
        Document { name, manifest_url: manifest.url.clone(), rows, information, errors }
    };
    let loaded = match end {
        Worth::Nothing(reason) => return vec![document(format!("{index}-manifest"), vec![failure(reason)], 1)],
        Worth::Loaded(loaded) => loaded,
    };
    let mut documents = Vec::new();
    for (number, file) in loaded.files.iter().enumerate() {
        documents.push(document(format!("{index}-{number}-information"), vec![success(file)], 0));
        let errors: Vec<_> = errors(file, &manifest.base);
        if !errors.is_empty() {
            let count = errors.len();
            documents.push(document(format!("{index}-{number}-error"), errors, count));
        }
    }
    documents
}

fn success(file: &File) -> Value {
    let text = format!("{} resources imported from {}", file.stored, file.url);
    issue("information", "informational", &text)
}

fn failure(reason: &str) -> Value {
    issue("error", "exception", reason)
}

fn issue(severity: &str, code: &str, text: &str) -> Value {
    json!({"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code,
        "details": {"text": text}}]})
}

fn errors(file: &File, base: &str) -> Vec<Value> {
    let unread = file.unread.iter().map(|_| failure(&format!("{} could not be read", file.url)));
    let problem = |problem: &Problem| {
        let mut outcome = issue("error", "structure", &problem.cause.to_string());
        match &problem.resource {
            Some(resource) => outcome["extension"] = source_resource(&format!("{base}/{resource}")),
            None => {
                let text = format!("line {} of {}: {}", problem.line, file.url, problem.cause);
                outcome["issue"][0]["details"]["text"] = text.into();
            }
        }
        outcome
    };
    file.problems.iter().map(problem).chain(unread).collect()
}

/// The extension by which the guide names the resource an outcome is about.
fn source_resource(reference: &str) -> Value {
    json!([{"url": "http://hl7.org/fhir/StructureDefinition/operationoutcome-sourceResource",
        "valueReference": {"reference": reference}}])
}

fn argonaut_document(index: usize, manifest: &Manifest, end: &Worth) -> Document {
    let mut document = Document {
        name: format!("output-{index}.ndjson"),
        manifest_url: manifest.url.clone(),
        rows: Vec::new(),
        information: 0,
        errors: 0,
    };
    let Worth::Loaded(loaded) = end else { return document };
    for file in &loaded.files {
        if file.stored > 0 {
            document.information += 1;
            let text = format!("Successfully processed {} rows.", file.stored);
            document.rows.push(related(issue("information", "informational", &text), file));
        }
        for problem in &file.problems {
            let text = format!("Failed to process entry at row {}: {}", problem.line, problem.cause);
            document.rows.push(related(issue("error", "processing", &text), file));
        }
        if file.unread.is_some() {
            document.rows.push(related(issue("fatal", "transient", "Request failed"), file));
        }
    }
    document.errors = document.rows.len() - document.information;
    document
}

/// The extension by which the draft names the file an outcome is about.
fn related(mut outcome: Value, file: &File) -> Value {
    outcome["extension"] = json!([{"url": "http://hl7.org/fhir/StructureDefinition/artifact-relatedArtifact",
        "valueRelatedArtifact": {"type": "documentation", "url": file.url}}]);
    outcome
}

/// deqm puts carriage returns between rows, and no line end behind the last.
fn text(flavour: Flavour, document: &Document) -> String {
    let rows: Vec<_> = document.rows.iter().map(json::compact).collect();
    match flavour {
        Flavour::Stu4 => rows.iter().map(|row| format!("{row}\n")).collect(),
        Flavour::Argonaut => rows.join("\r\n"),
    }
}

/// deqm appends the rows once more for every answer with a manifest, without a line end in between.
pub(super) async fn file(
    State(submit): State<Arc<BulkSubmit>>,
    Path((token, name)): Path<(String, String)>,
) -> Response {
    let known = submit.lock().iter().find(|known| known.token == token).cloned();
    let Some((submission, job)) = known.zip(submit.jobs.find(&token)) else {
        return unknown_status(submit.flavour, &token);
    };
    let documents = documents(submit.flavour, &submission);
    let Some(document) = documents.iter().find(|document| document.name == name) else {
        return unknown_status(submit.flavour, &format!("{token}/{name}"));
    };
    let text = text(submit.flavour, document);
    match submit.flavour {
        Flavour::Stu4 => reply(StatusCode::OK, "application/fhir+ndjson", text),
        Flavour::Argonaut => {
            let times = job.entry.ends_shown().max(1) as usize;
            reply(StatusCode::OK, "application/x-ndjson", text.repeat(times))
        }
    }
}
