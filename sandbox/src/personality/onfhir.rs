//! onFHIR (srdc/onfhir @0dcd59d9): a kick-off that is taken and never heard of again.
//!
//! Nothing of it was recorded. It follows the source: `BulkOperationHandler.scala`, `BulkImportJobHandler.scala` and
//! `bulk-import.json` (the types of values). Its outcomes and its statement follow the form of its source as far as it
//! is known; whether it gives its definition out is not known, so this server does not.
//!
//! Nobody can ask for a job, so the books name each by a URL of their own making: the operation's, with a fragment. It
//! is over when its work is; the dials of polls do nothing.

mod kick_off;
mod metadata;
#[cfg(test)]
mod tests;

use crate::front::at;
use crate::intake::Tally;
use crate::job::{Ending, Jobs};
use crate::json;
use crate::ledger::{Entry, Starter, Worked};
use crate::personality::{Desk, Opened};
use crate::reply::reply;
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::sync::Arc;

const FHIR_JSON: &str = "application/fhir+json";

/// How a job ended: only its log would say.
struct End(Tally);

impl Ending for End {
    fn worked(&self) -> Worked {
        Worked::Done(self.0)
    }
}

/// What the endpoints share.
struct Onfhir {
    server: Arc<Server>,
    jobs: Jobs<End>,
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let onfhir = Arc::new(Onfhir { server: Arc::clone(server), jobs: Jobs::new(server) });
    let routes = Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/$import", at(server, Endpoint::KickOff, post(kick_off::kick_off)))
        .with_state(Arc::clone(&onfhir))
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere);
    Opened::below_base(routes, onfhir)
}

impl Onfhir {
    fn entry(&self, starter: Starter, id: &str, body: Bytes) -> Entry {
        let url = format!("{}/$import#{id}", self.server.base);
        Entry::new(starter, url, body, self.server.now()).unasked()
    }
}

impl Desk for Onfhir {
    fn foreign_job(&self, _source: &str) -> String {
        let id = self.server.ids.uuid();
        let entry = self.entry(Starter::Somebody, &id, Bytes::new());
        let url = entry.status_url.clone();
        self.jobs.enter_done(id, entry, End(Tally::default()));
        url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

/// An outcome with where it is about, if that is a place in the request.
fn refusal(status: StatusCode, code: &str, text: &str, place: Option<String>) -> Response {
    let mut issue = json!({"severity": "error", "code": code, "diagnostics": text});
    if let Some(place) = place {
        issue["expression"] = Value::from(vec![place]);
    }
    reply(status, FHIR_JSON, json::compact(&json!({"resourceType": "OperationOutcome", "issue": [issue]})))
}

fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            refusal(StatusCode::NOT_FOUND, "not-found", &format!("There is no {kind} resource with id {id}"), None)
        }
        Absent::Kind(kind) => {
            refusal(StatusCode::NOT_FOUND, "not-supported", &format!("{kind} is not supported"), None)
        }
        Absent::Parameter { kind, name } => {
            let text = format!("{kind} cannot be searched by {name}");
            refusal(StatusCode::BAD_REQUEST, "invalid", &text, None)
        }
    }
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    let text = format!("There is nothing for {method} at {}", uri.path());
    refusal(StatusCode::NOT_FOUND, "not-supported", &text, None)
}
