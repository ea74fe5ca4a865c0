//! `$bulk-submit`: the client publishes a manifest of its files, and the server fetches it.
//!
//! Two flavours. [`Flavour::Stu4`] is the HL7 Bulk Data guide 4.0.0-ballot (HL7/bulk-data @e83f9b3), with the words
//! and the paths of Helios FHIR Server (HeliosSoftware/hfs @0281380c `bulk_submit.rs`). [`Flavour::Argonaut`] is the
//! draft before it, as two test servers have it: smart-on-fhir/bulk-submit-consumer @3ee7230e and
//! projecttacoma/deqm-test-server @882cf3fe, each with its hardest manner. Nothing is recorded: the sources were read.
//!
//! One submission is one job in the books, whatever the number of its manifests; its status URL is where it is polled.

mod documents;
mod kick_off;
mod request;
mod status;
mod submission;
#[cfg(test)]
mod tests;

use crate::front::at;
use crate::job::Jobs;
use crate::json;
use crate::ledger::{Entry, Starter};
use crate::outcome::{Issue, outcome};
use crate::personality::{Desk, Opened};
use crate::reply::{FHIR_JSON, reply};
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use crate::statement::{Software, operation, statement};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use submission::{End, Stage, Submission, Submitter};

/// Which text of the operation the server follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flavour {
    /// HL7 Bulk Data 4.0.0-ballot.
    Stu4,
    /// The draft of the Argonaut project.
    Argonaut,
}

/// What the endpoints share.
struct BulkSubmit {
    server: Arc<Server>,
    flavour: Flavour,
    jobs: Jobs<End>,
    submissions: Mutex<Vec<Arc<Submission>>>,
}

pub(super) fn open(server: &Arc<Server>, flavour: Flavour) -> Opened {
    let (jobs, submissions) = (Jobs::new(server), Mutex::default());
    let submit = Arc::new(BulkSubmit { server: Arc::clone(server), flavour, jobs, submissions });
    Opened::below_base(routes(server, Arc::clone(&submit)), submit)
}

impl Flavour {
    /// Where a submission is asked for, below the base.
    fn status_path(self) -> &'static str {
        match self {
            Self::Stu4 => "bulk-submit-status",
            Self::Argonaut => "bulkstatus",
        }
    }

    fn file_path(self) -> &'static str {
        match self {
            Self::Stu4 => "bulk-submit-file",
            Self::Argonaut => "jobs",
        }
    }

    fn software(self) -> Software {
        match self {
            Self::Stu4 => Software { name: "Helios FHIR Server", version: None },
            Self::Argonaut => Software { name: "deqm-test-server", version: None },
        }
    }
}

impl BulkSubmit {
    fn status_url(&self, token: &str) -> String {
        format!("{}/{}/{token}", self.server.base, self.flavour.status_path())
    }

    fn file_url(&self, token: &str, name: &str) -> String {
        format!("{}/{}/{token}/{name}", self.server.base, self.flavour.file_path())
    }

    fn find(&self, submitter: &Submitter, id: &str) -> Option<Arc<Submission>> {
        self.lock().iter().find(|known| known.submitter == *submitter && known.id == id).cloned()
    }

    /// The submission of this name, which may be a new one.
    fn find_or_open(&self, submitter: &Submitter, id: &str) -> Arc<Submission> {
        let mut all = self.lock();
        if let Some(known) = all.iter().find(|known| known.submitter == *submitter && known.id == id) {
            return Arc::clone(known);
        }
        let token = match self.flavour {
            Flavour::Stu4 => self.server.ids.uuid(),
            Flavour::Argonaut => format!("{}-{id}", submitter.value),
        };
        let new = Arc::new(Submission::new(submitter.clone(), id.to_owned(), token, self.server.now()));
        all.push(Arc::clone(&new));
        new
    }

    fn forget(&self, token: &str) {
        self.lock().retain(|known| known.token != token);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Submission>>> {
        self.submissions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for BulkSubmit {
    fn foreign_job(&self, source: &str) -> String {
        let submitter = Submitter { system: Some(source.to_owned()), value: "somebody".to_owned() };
        let submission = self.find_or_open(&submitter, &self.server.ids.uuid());
        submission.set_stage(Stage::Completed);
        let status_url = self.status_url(&submission.token);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), self.server.now());
        self.jobs.enter_done(submission.token.clone(), entry, End(submission));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
        self.lock().clear();
    }
}

fn routes(server: &Arc<Server>, submit: Arc<BulkSubmit>) -> Router {
    let flavour = submit.flavour;
    let poll = at(server, Endpoint::Poll, get(status::poll));
    let cancel = at(server, Endpoint::Delete, delete(status::cancel));
    let file = at(server, Endpoint::ErrorFile, get(documents::file));
    let place = at(server, Endpoint::StatusKickOff, post(kick_off::status_place));
    Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(capabilities)))
        .route("/$bulk-submit", at(server, Endpoint::KickOff, post(kick_off::submit)))
        .route("/$bulk-submit-status", place)
        .route(&format!("/{}/{{token}}", flavour.status_path()), poll.merge(cancel))
        .route(&format!("/{}/{{token}}/{{name}}", flavour.file_path()), file)
        .with_state(submit)
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
}

/// Helios names both operations by the canonicals of HL7, where they are switched on; the test servers name none.
async fn capabilities(State(submit): State<Arc<BulkSubmit>>) -> Response {
    const CANONICAL: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/";
    let script = submit.server.script();
    let named = submit.flavour == Flavour::Stu4 && script.import_enabled && !script.metadata_without_import;
    let named = ["bulk-submit", "bulk-submit-status"].iter().filter(|_| named);
    let operations: Vec<_> = named.map(|name| operation(name, &format!("{CANONICAL}{name}"))).collect();
    statement(&submit.server, &submit.flavour.software(), &operations)
}

/// An error as an OperationOutcome.
fn refusal(status: StatusCode, code: &'static str, diagnostics: impl Into<String>) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::error(code, diagnostics)])))
}

fn unknown_status(flavour: Flavour, token: &str) -> Response {
    let text = match flavour {
        Flavour::Stu4 => format!("bulk-submit-status/{token} not found"),
        Flavour::Argonaut => "No submission found for the given id. Perhaps it expired and was cleaned up.".to_owned(),
    };
    refusal(StatusCode::NOT_FOUND, "not-found", text)
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => refusal(StatusCode::NOT_FOUND, "not-found", format!("{kind}/{id} not found")),
        Absent::Kind(kind) => refusal(StatusCode::NOT_FOUND, "not-found", format!("{kind} not found")),
        Absent::Parameter { kind, name } => {
            refusal(StatusCode::BAD_REQUEST, "invalid", format!("unknown search parameter '{name}' for {kind}"))
        }
    }
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::NOT_FOUND, "not-found", format!("Cannot {method} {}", uri.path()))
}
