//! Google Cloud Healthcare: `fhirStores.import`, whose jobs are long-running operations.
//!
//! Nothing is recorded. Written from the discovery document `healthcare.v1` (google-api-python-client @00aaeb31) and
//! the pages of the product. In JSON, fields of protocol buffers with their default value are left out: `done` while
//! an operation runs, and counters that are zero. The words of errors are not documented.

mod glob;
mod import;
mod operation;
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
use crate::statement::{Software, statement};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use import::End;
use serde_json::json;
use std::sync::Arc;

/// The one data set there is.
const DATASET: &str = "projects/p/locations/us-central1/datasets/d";

/// Where its store `f` is.
pub(super) const ROOT: &str = "/v1/projects/p/locations/us-central1/datasets/d/fhirStores/f/fhir";

/// What the store calls itself in its statement is not documented.
const SOFTWARE: Software = Software { name: "Google Cloud Healthcare API", version: None };

/// What the methods share.
struct Google {
    server: Arc<Server>,
    jobs: Jobs<End>,
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let google = Arc::new(Google { server: Arc::clone(server), jobs: Jobs::new(server) });
    let (below_base, at_root) = routes(server, &google);
    Opened { below_base, at_root, desk: google }
}

impl Google {
    /// A number, as ids of operations are.
    fn new_id(&self) -> String {
        let uuid = self.server.ids.uuid().replace('-', "");
        u64::from_str_radix(&uuid[..15], 16).map_or(uuid, |number| number.to_string())
    }

    fn status_url(&self, id: &str) -> String {
        format!("{}/v1/{}", self.server.origin, name(id))
    }
}

/// The name of an operation.
fn name(id: &str) -> String {
    format!("{DATASET}/operations/{id}")
}

impl Desk for Google {
    fn foreign_job(&self, _source: &str) -> String {
        let (id, now) = (self.new_id(), self.server.now());
        let status_url = self.status_url(&id);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), now);
        self.jobs.enter_done(id, entry, End::of_nothing(now));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

fn routes(server: &Arc<Server>, google: &Arc<Google>) -> (Router, Router) {
    let operation = at(server, Endpoint::Poll, get(operation::get_one));
    let cancel = at(server, Endpoint::Delete, post(operation::cancel));
    let below_base = Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(capabilities)))
        .with_state(Arc::clone(google))
        .merge(rest::routes(server, explain))
        .fallback(nowhere);
    let at_root = Router::new()
        .route(&format!("/v1/{DATASET}/fhirStores/{{store}}"), at(server, Endpoint::KickOff, post(import::import)))
        .route(&format!("/v1/{DATASET}/operations"), at(server, Endpoint::List, get(operation::list)))
        .route(&format!("/v1/{DATASET}/operations/{{id}}"), operation.merge(cancel))
        .with_state(Arc::clone(google))
        .fallback(no_method);
    (below_base, at_root)
}

/// The import is not mentioned: it is no FHIR operation.
async fn capabilities(State(google): State<Arc<Google>>) -> Response {
    statement(&google.server, &SOFTWARE, &[])
}

/// An error of a method that is not of FHIR.
fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": status.as_u16(), "message": message, "status": code}});
    reply(status, "application/json; charset=UTF-8", body.to_string())
}

async fn no_method(uri: Uri) -> Response {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", &format!("The requested URL {} was not found", uri.path()))
}

fn refusal(status: StatusCode, code: &'static str, diagnostics: impl Into<String>) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::error(code, diagnostics)])))
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            refusal(StatusCode::NOT_FOUND, "not-found", format!("resource {kind}/{id} does not exist"))
        }
        Absent::Kind(kind) => refusal(StatusCode::NOT_FOUND, "not-found", format!("invalid resource type {kind}")),
        Absent::Parameter { kind, name } => {
            refusal(StatusCode::BAD_REQUEST, "value", format!("invalid search parameter {name} for {kind}"))
        }
    }
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::NOT_FOUND, "not-found", format!("no {method} {}", uri.path()))
}
