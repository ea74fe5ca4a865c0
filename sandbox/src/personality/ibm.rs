//! IBM FHIR Server, later LinuxForHealth FHIR Server (LinuxForHealth/FHIR @e4f30db and @4f46e15).
//!
//! Nothing of it was recorded. It follows the source (`ImportOperation`, `BulkDataImportUtil`, `StatusOperation`,
//! `import.json`) and the guide `FHIRBulkOperations.md`. Its FHIR base has the path of the real one.
//!
//! `validBaseUrls` are the beginnings of the script's stores; without any, every `https` base is allowed and `http` is
//! not. A name without `//` is an object of the storage provider: a store with an empty beginning has it. What is
//! simplified: work that was stopped goes on behind the scenes, since the next poll takes it up again anyway.

mod kick_off;
mod metadata;
mod status;
#[cfg(test)]
mod tests;
mod work;

use crate::front::at;
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
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use serde_json::json;
use std::sync::Arc;
use work::End;

const FHIR_JSON: &str = "application/fhir+json";

/// What the server sends with every job that is not over.
const RETRY_AFTER: &str = "120";

/// What the endpoints share.
struct Ibm {
    server: Arc<Server>,
    jobs: Jobs<End>,
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let ibm = Arc::new(Ibm { server: Arc::clone(server), jobs: Jobs::new(server) });
    let kick_off = at(server, Endpoint::KickOff, post(kick_off::kick_off));
    let status = at(server, Endpoint::Poll, get(status::poll));
    let status = status.merge(at(server, Endpoint::Delete, delete(status::cancel)));
    let routes = Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/$import", kick_off)
        .route("/$bulkdata-status", status)
        .with_state(Arc::clone(&ibm))
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere);
    Opened::below_base(routes, ibm)
}

impl Ibm {
    /// An id as the server gives it out: the encrypted number of a job, in base64.
    fn id(&self) -> String {
        let bytes: Vec<u8> = self.server.ids.uuid().bytes().filter(|byte| *byte != b'-').step_by(2).collect();
        BASE64_STANDARD.encode(bytes)
    }

    /// The id is percent-encoded, its end too.
    fn status_url(&self, id: &str) -> String {
        let id = id.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("{}/$bulkdata-status?job={id}", self.server.base)
    }
}

impl Desk for Ibm {
    fn foreign_job(&self, _source: &str) -> String {
        let (id, now) = (self.id(), self.server.now());
        let status_url = self.status_url(&id);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), now);
        self.jobs.enter_done(id, entry, End::nothing(now));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

/// The text stands in the details.
fn refusal(status: StatusCode, code: &str, text: &str) -> Response {
    let issue = json!({"severity": "fatal", "code": code, "details": {"text": text}});
    reply(status, FHIR_JSON, json::compact(&json!({"resourceType": "OperationOutcome", "issue": [issue]})))
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            refusal(StatusCode::NOT_FOUND, "not-found", &format!("Resource '{kind}/{id}' not found."))
        }
        Absent::Kind(kind) => {
            refusal(StatusCode::NOT_FOUND, "not-supported", &format!("'{kind}' is not a valid resource type."))
        }
        Absent::Parameter { kind, name } => {
            let text = format!("Search parameter '{name}' for resource type '{kind}' was not found.");
            refusal(StatusCode::BAD_REQUEST, "invalid", &text)
        }
    }
}

/// Known is only that a `GET` of `$import` is refused (issue 2062), not how.
async fn nowhere(method: Method, uri: Uri) -> Response {
    let text = format!("{method} is not supported at {}", uri.path());
    refusal(StatusCode::NOT_FOUND, "not-supported", &text)
}
