//! Aidbox (Health Samurai) with `/fhir/$import`, and with `/v2/fhir/$import` on top of its workflow engine.
//!
//! Nothing here is recorded: the server is closed. It is written from its documentation, HealthSamurai/documentation
//! @0bd14439 `docs/api/bulk-api/import-and-fhir-import.md`. What that leaves open is said at the item.

mod kick_off;
mod status;
#[cfg(test)]
mod tests;
mod work;

use crate::front::at;
use crate::job::Jobs;
use crate::json;
use crate::ledger::{Entry, Starter};
use crate::personality::{Desk, Opened};
use crate::reply::{FHIR_JSON, reply};
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use crate::statement::{Software, statement};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use work::End;

/// What Aidbox calls itself. The documentation does not show a capability statement.
const SOFTWARE: Software = Software { name: "Aidbox", version: None };

/// Which of the two imports of Aidbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Edition {
    /// `/fhir/$import`, which is asked for at `/BulkImportStatus/<id>`.
    V1,
    /// `/v2/fhir/$import`, which is asked for at `/v2/$import/<id>`.
    V2,
}

/// What the endpoints of the import share.
struct Aidbox {
    server: Arc<Server>,
    jobs: Jobs<End>,
    edition: Edition,
    /// The newest job of each id: version 1 lets an id be used again.
    newest: Mutex<HashMap<String, String>>,
}

pub(super) fn open(server: &Arc<Server>, edition: Edition) -> Opened {
    let jobs = Jobs::new(server);
    let aidbox = Arc::new(Aidbox { server: Arc::clone(server), jobs, edition, newest: Mutex::default() });
    let (below_base, at_root) = routes(server, &aidbox);
    Opened { below_base, at_root, desk: aidbox }
}

impl Edition {
    fn status_path(self, id: &str) -> String {
        match self {
            Self::V1 => format!("/BulkImportStatus/{id}"),
            Self::V2 => format!("/v2/$import/{id}"),
        }
    }
}

impl Aidbox {
    fn status_url(&self, id: &str) -> String {
        format!("{}{}", self.server.origin, self.edition.status_path(id))
    }

    /// The job that is meant by an id now.
    fn key(&self, id: &str) -> Option<String> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn name(&self, id: &str, key: &str) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), key.to_owned());
    }
}

impl Desk for Aidbox {
    fn foreign_job(&self, _source: &str) -> String {
        let (id, now) = (self.server.ids.uuid(), self.server.now());
        let status_url = self.status_url(&id);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), now);
        self.name(&id, &id);
        self.jobs.enter_done(id, entry, End::of_nothing(self.edition, now));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

/// The routes below the FHIR base and those outside of it.
fn routes(server: &Arc<Server>, aidbox: &Arc<Aidbox>) -> (Router, Router) {
    let kick_off = at(server, Endpoint::KickOff, post(kick_off::kick_off));
    let poll = at(server, Endpoint::Poll, get(status::poll));
    let poll = poll.merge(at(server, Endpoint::Delete, delete(nowhere)));
    let below_base = Router::new().route("/metadata", at(server, Endpoint::Metadata, get(capabilities)));
    let (below_base, at_root) = match aidbox.edition {
        Edition::V1 => (below_base.route("/$import", kick_off), Router::new().route("/BulkImportStatus/{id}", poll)),
        Edition::V2 => (below_base, Router::new().route("/v2/fhir/$import", kick_off).route("/v2/$import/{id}", poll)),
    };
    let below_base = below_base.with_state(Arc::clone(aidbox)).merge(rest::routes(server, explain)).fallback(nowhere);
    (below_base, at_root.with_state(Arc::clone(aidbox)))
}

/// The import is not mentioned.
async fn capabilities(State(aidbox): State<Arc<Aidbox>>) -> Response {
    statement(&aidbox.server, &SOFTWARE, &[])
}

/// Errors of Aidbox are OperationOutcomes that name themselves and repeat their text as a narrative.
fn refusal(status: StatusCode, code: &'static str, text: &str) -> Response {
    let outcome = json!({"resourceType": "OperationOutcome", "id": code,
        "text": {"status": "generated", "div": text},
        "issue": [{"severity": "fatal", "code": code, "diagnostics": text}]});
    reply(status, FHIR_JSON, json::compact(&outcome))
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            refusal(StatusCode::NOT_FOUND, "not-found", &format!("Resource Id={kind}/{id} not found"))
        }
        Absent::Kind(kind) => refusal(StatusCode::NOT_FOUND, "not-found", &format!("route GET /fhir/{kind} not found")),
        Absent::Parameter { kind, name } => {
            refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &format!("{kind}: unknown parameter {name}"))
        }
    }
}

/// There is nothing else; the documentation announces that jobs can be cancelled one day.
async fn nowhere(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::NOT_FOUND, "not-found", &format!("route {method} {} not found", uri.path()))
}
