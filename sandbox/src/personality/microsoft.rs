//! Microsoft FHIR Server, the open source one with SQL (microsoft/fhir-server @14f52857), which Azure Health Data
//! Services is built on.
//!
//! Nothing of it was recorded. It follows the source: `ImportController`, `GetImportRequestHandler`,
//! `CancelImportRequestHandler`, `EnqueueJobs.sql` (the same definition is the same job), `ImportResourceLoader` (what a
//! unit reads) and `ImportErrorSerializer`. Texts of `Resources.resx` are as far as they are known; where one is cut,
//! the item says so.
//!
//! What is simplified: a unit has a thousand bytes by default (the real one has ten million), so that small files have
//! several. Error blobs lie on this origin beside the base instead of on the account's, and demand a credential of
//! their own ([`crate::Script::error_store_bearer`]). Answers are not held back, and an `etag` is part of the
//! definition of a job but compared with nothing.

mod blobs;
mod kick_off;
mod metadata;
mod status;
#[cfg(test)]
mod tests;
mod work;

use crate::front::{at, at_a_door_of_its_own};
use crate::job::Jobs;
use crate::json;
use crate::ledger::{Entry, Starter};
use crate::personality::{Desk, Opened};
use crate::reply::reply;
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use hyper::{StatusCode, Uri};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use work::End;

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// What the endpoints share.
struct Microsoft {
    server: Arc<Server>,
    jobs: Jobs<End>,
    /// The last number of the queue: jobs and their units are numbered together.
    last: AtomicU64,
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let microsoft =
        Arc::new(Microsoft { server: Arc::clone(server), jobs: Jobs::new(server), last: AtomicU64::new(0) });
    let blob = at_a_door_of_its_own(server, Endpoint::ErrorFile, get(blobs::blob));
    let at_root = Router::new().route("/{container}/{name}", blob).with_state(Arc::clone(&microsoft));
    Opened { below_base: routes(server, Arc::clone(&microsoft)), at_root, desk: microsoft }
}

fn routes(server: &Arc<Server>, microsoft: Arc<Microsoft>) -> Router {
    let kick_off = at(server, Endpoint::KickOff, post(kick_off::kick_off));
    let job = at(server, Endpoint::Poll, get(status::poll)).merge(at(server, Endpoint::Delete, delete(status::cancel)));
    Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/$import", kick_off)
        .route("/_operations/import/{id}", job)
        .with_state(microsoft)
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
}

impl Microsoft {
    fn status_url(&self, id: &str) -> String {
        format!("{}/_operations/import/{id}", self.server.base)
    }

    /// The first of this many new numbers of the queue.
    fn numbers(&self, many: u64) -> u64 {
        self.last.fetch_add(many, Ordering::Relaxed) + 1
    }
}

impl Desk for Microsoft {
    fn foreign_job(&self, _source: &str) -> String {
        let (id, now) = (self.numbers(1).to_string(), self.server.now());
        let status_url = self.status_url(&id);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), now);
        self.jobs.enter_done(id, entry, End::nothing());
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

/// Every error is an `OperationOutcome` with an id and one issue.
fn refusal(server: &Server, status: StatusCode, code: &str, diagnostics: &str) -> Response {
    let issue = json!({"severity": "error", "code": code, "diagnostics": diagnostics});
    let outcome = json!({"resourceType": "OperationOutcome", "id": server.ids.uuid(), "issue": [issue]});
    reply(status, FHIR_JSON, json::compact(&outcome))
}

/// A refusal by those who do not know the server; its id is fixed.
fn plain_refusal(status: StatusCode, code: &str, diagnostics: &str) -> Response {
    let issue = json!({"severity": "error", "code": code, "diagnostics": diagnostics});
    let id = "00000000-0000-4000-8000-000000000000";
    reply(status, FHIR_JSON, json::compact(&json!({"resourceType": "OperationOutcome", "id": id, "issue": [issue]})))
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            let text = format!("Resource type '{kind}' with id '{id}' couldn't be found.");
            plain_refusal(StatusCode::NOT_FOUND, "not-found", &text)
        }
        Absent::Kind(kind) => {
            let text = format!("Resource type '{kind}' is not supported.");
            plain_refusal(StatusCode::NOT_FOUND, "not-supported", &text)
        }
        Absent::Parameter { kind, name } => {
            let text = format!("The search parameter '{name}' is not supported for resource type '{kind}'.");
            plain_refusal(StatusCode::BAD_REQUEST, "not-supported", &text)
        }
    }
}

async fn nowhere(_uri: Uri) -> Response {
    plain_refusal(StatusCode::NOT_FOUND, "not-found", "The requested route was not found.")
}
