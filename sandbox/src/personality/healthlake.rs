//! AWS HealthLake: jobs by its own API (AWS JSON 1.0, one URL for all actions), resources by FHIR.
//!
//! Nothing is recorded. Written from its model (boto/botocore @cd92077 `healthlake/2017-07-01`), its guide
//! (awsdocs/amazon-healthlake-dev-guide @f4e0c9d0) and its API reference; where these have no answer it is said so.
//!
//! A job has no URL, because every action is a `POST /`: in the books it is `<origin>/?JobId=<id>`. The files that the real server writes into the output
//! bucket (`manifest.json`, `SUCCESS/`, `FAILURE/`) are not written here.

mod call;
mod job;
mod list;
mod sigv4;
mod start;
#[cfg(test)]
mod tests;

use crate::job::Jobs;
use crate::ledger::{Entry, Starter};
use crate::outcome::{Issue, outcome};
use crate::personality::{Desk, Opened};
use crate::reply::{FHIR_JSON, reply};
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use crate::statement::{Software, statement};
use crate::{front, json};
use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use job::End;
use std::sync::Arc;

/// The one data store there is: that of the examples.
const DATASTORE: &str = "32839038a2f47f17c2fe0f53f0c3a0ba";

/// Where its resources are.
pub(super) const ROOT: &str = "/datastore/32839038a2f47f17c2fe0f53f0c3a0ba/r4";

/// What it calls itself in its statement is not documented.
const SOFTWARE: Software = Software { name: "AWS HealthLake", version: None };

/// What the actions share.
struct HealthLake {
    server: Arc<Server>,
    jobs: Jobs<End>,
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let lake = Arc::new(HealthLake { server: Arc::clone(server), jobs: Jobs::new(server) });
    let below_base = Router::new()
        .route("/metadata", front::at(server, Endpoint::Metadata, get(capabilities)))
        .with_state(Arc::clone(&lake))
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .layer(from_fn_with_state(Arc::clone(server), sigv4::of_reads));
    Opened { below_base, at_root: call::routes(server, &lake), desk: lake }
}

impl HealthLake {
    fn new_id(&self) -> String {
        self.server.ids.uuid().replace('-', "")
    }

    /// What stands for a URL in the books.
    fn status_url(&self, id: &str) -> String {
        format!("{}/?JobId={id}", self.server.origin)
    }
}

/// The id of a job in the books.
fn id_of(entry: &Entry) -> &str {
    entry.status_url.rsplit('=').next().unwrap_or_default()
}

impl Desk for HealthLake {
    fn foreign_job(&self, source: &str) -> String {
        let id = self.new_id();
        let (status_url, body) = (self.status_url(&id), start::foreign(source));
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::from(body), self.server.now());
        self.jobs.enter_done(id, entry, End::of_nothing(self.server.now()));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

/// The import is not mentioned: it is no FHIR operation.
async fn capabilities(State(lake): State<Arc<HealthLake>>) -> Response {
    statement(&lake.server, &SOFTWARE, &[])
}

fn refusal(status: StatusCode, code: &'static str, diagnostics: impl Into<String>) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::error(code, diagnostics)])))
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            refusal(StatusCode::NOT_FOUND, "not-found", format!("Resource {kind}/{id} not found"))
        }
        Absent::Kind(kind) => refusal(StatusCode::NOT_FOUND, "not-found", format!("Unknown resource type {kind}")),
        Absent::Parameter { kind, name } => {
            refusal(StatusCode::BAD_REQUEST, "invalid", format!("Unknown search parameter {name} of {kind}"))
        }
    }
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::NOT_FOUND, "not-found", format!("No {method} {}", uri.path()))
}
