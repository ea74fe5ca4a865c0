//! The SMART "Bulk Data Import, manifest approach" draft (smart-on-fhir/bulk-import, `import-manifest.md`).
//!
//! No public server implements it exactly, so this one follows the text. Where the text leaves a choice, the choice
//! is said at the item.

mod error_file;
mod kick_off;
mod list;
mod metadata;
mod registration;
mod status;
#[cfg(test)]
mod tests;
mod work;

use crate::front::at;
use crate::job::Jobs;
use crate::json;
use crate::ledger::{Entry, Starter};
use crate::outcome::{Issue, outcome};
use crate::personality::{Desk, Opened};
use crate::reply::{FHIR_JSON, allow, reply};
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use serde_json::json;
use std::sync::Arc;
use work::{Accepted, Manifest};

pub(super) use registration::Registration;

/// The draft asks for `Retry-After` and gives no value; one second suits practice.
const RETRY_AFTER: &str = "1";

/// What the endpoints of the import share.
struct Smart {
    server: Arc<Server>,
    jobs: Jobs<Manifest>,
    registration: Registration,
}

pub(super) fn open(server: &Arc<Server>, registration: Registration) -> Opened {
    let smart = Arc::new(Smart { server: Arc::clone(server), jobs: Jobs::new(server), registration });
    Opened::below_base(routes(server, Arc::clone(&smart)), smart)
}

impl Smart {
    fn status_url(&self, id: &str) -> String {
        format!("{}/import-jobs/{id}", self.server.base)
    }
}

impl Desk for Smart {
    fn foreign_job(&self, source: &str) -> String {
        let (id, now) = (self.server.ids.uuid(), self.server.now());
        let status_url = self.status_url(&id);
        let body = json!({"inputFormat": kick_off::NDJSON, "inputSource": source, "input": []}).to_string();
        let job = Accepted { status_url: status_url.clone(), created: now };
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::from(body), now);
        self.jobs.enter_done(id, entry, Manifest::of_nothing(&self.server, job));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

fn routes(server: &Arc<Server>, smart: Arc<Smart>) -> Router {
    let kick_off = at(server, Endpoint::KickOff, post(kick_off::kick_off)).fallback(only_post);
    let job = at(server, Endpoint::Poll, get(status::poll)).merge(at(server, Endpoint::Delete, delete(status::cancel)));
    let definition = at(server, Endpoint::OperationDefinition, get(metadata::operation_definition));
    let router = match smart.registration {
        Registration::Listed => Router::new().route("/import-jobs", at(server, Endpoint::List, get(list::list))),
        Registration::CallerKey | Registration::EveryKickOff | Registration::SameBytes => Router::new(),
    };
    router
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/OperationDefinition/import", definition)
        .route("/$import", kick_off)
        .route("/import-jobs/{id}", job)
        .route("/import-jobs/{id}/{file}", at(server, Endpoint::ErrorFile, get(error_file::error_file)))
        .with_state(smart)
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
}

/// Every error is an OperationOutcome, as the draft requires.
fn refusal(status: StatusCode, code: &'static str, diagnostics: impl Into<String>) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::error(code, diagnostics)])))
}

fn unknown_job() -> Response {
    refusal(StatusCode::NOT_FOUND, "not-found", "There is no such import")
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            refusal(StatusCode::NOT_FOUND, "not-found", format!("There is no {kind}/{id}"))
        }
        Absent::Kind(kind) => refusal(StatusCode::NOT_FOUND, "not-supported", format!("There is nothing at {kind}")),
        Absent::Parameter { kind, name } => {
            let text = format!("{kind} cannot be searched by {name}");
            refusal(StatusCode::BAD_REQUEST, "not-supported", text)
        }
    }
}

async fn only_post(method: Method) -> Response {
    let text = format!("$import is for POST, not for {method}");
    allow(refusal(StatusCode::METHOD_NOT_ALLOWED, "not-supported", text), "POST")
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::NOT_FOUND, "not-supported", format!("There is nothing for {method} at {}", uri.path()))
}
