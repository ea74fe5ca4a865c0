//! The receiver of UDS+ submissions (HRSA), as its implementation guide describes it: drajer-health/uds-plus @1cbe19e7,
//! `input/pagecontent/requestresponseexamples.md`. Nothing is recorded; the answers of the guide's examples are copied
//! in short into `recorded/`.
//!
//! What the guide leaves open: what is stored of a submission that fails (here: what could be), the body of an answer
//! while it runs (here: none), and what a receiver calls itself.

mod kick_off;
mod status;
#[cfg(test)]
mod tests;

use crate::front::at;
use crate::job::{Ending, Jobs};
use crate::json;
use crate::ledger::{Entry, Starter, Worked};
use crate::loading::Loaded;
use crate::outcome::{Issue, outcome};
use crate::personality::{Desk, Opened};
use crate::reply::{FHIR_JSON, allow, reply};
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
use std::sync::Arc;

const CANONICAL: &str = "http://fhir.org/guides/hrsa/uds-plus/OperationDefinition/import";

const SOFTWARE: Software = Software { name: "UDS+ Data Receiver", version: None };

/// What the endpoints share.
struct Receiver {
    server: Arc<Server>,
    jobs: Jobs<End>,
}

/// How a submission ended.
struct End {
    loaded: Loaded,
}

impl End {
    fn failed(&self) -> bool {
        self.loaded.files.iter().any(|file| !file.is_whole())
    }
}

/// One bad line makes a submission a failure.
impl Ending for End {
    fn worked(&self) -> Worked {
        if self.failed() { Worked::Failed(self.loaded.tally) } else { Worked::Done(self.loaded.tally) }
    }
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let receiver = Arc::new(Receiver { server: Arc::clone(server), jobs: Jobs::new(server) });
    let (below_base, at_root) = routes(server, &receiver);
    Opened { below_base, at_root, desk: receiver }
}

impl Receiver {
    /// The key of a submission, and its status, have the names of the health center and of the submission.
    fn status_url(&self, key: &str) -> String {
        format!("{}/status/{key}", self.server.origin)
    }
}

impl Desk for Receiver {
    fn foreign_job(&self, _source: &str) -> String {
        let key = format!("somebody/{}", self.server.ids.uuid());
        let status_url = self.status_url(&key);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), self.server.now());
        self.jobs.enter_done(key, entry, End { loaded: Loaded::default() });
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

fn routes(server: &Arc<Server>, receiver: &Arc<Receiver>) -> (Router, Router) {
    let poll = at(server, Endpoint::Poll, get(status::poll));
    let below_base = Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(capabilities)))
        .route("/$import", at(server, Endpoint::KickOff, post(kick_off::kick_off)))
        .with_state(Arc::clone(receiver))
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere);
    let at_root = Router::new()
        .route("/status/{center}/{submission}", poll.merge(at(server, Endpoint::Delete, delete(not_deletable))))
        .with_state(Arc::clone(receiver));
    (below_base, at_root)
}

async fn capabilities(State(receiver): State<Arc<Receiver>>) -> Response {
    let script = receiver.server.script();
    let named = script.import_enabled && !script.metadata_without_import;
    let operations: Vec<_> = named.then(|| operation("import", CANONICAL)).into_iter().collect();
    statement(&receiver.server, &SOFTWARE, &operations)
}

fn refusal(status: StatusCode, code: &'static str, diagnostics: impl Into<String>) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::error(code, diagnostics)])))
}

/// The guide knows no cancelling: a newer submission takes the place of an older one.
async fn not_deletable() -> Response {
    allow(refusal(StatusCode::METHOD_NOT_ALLOWED, "not-supported", "Method DELETE is not supported"), "GET")
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => refusal(StatusCode::NOT_FOUND, "not-found", format!("No {kind}/{id}")),
        Absent::Kind(kind) => refusal(StatusCode::NOT_FOUND, "not-found", format!("No {kind}")),
        Absent::Parameter { kind, name } => {
            refusal(StatusCode::BAD_REQUEST, "invalid", format!("{kind} has no parameter {name}"))
        }
    }
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::NOT_FOUND, "not-found", format!("No {method} {}", uri.path()))
}
