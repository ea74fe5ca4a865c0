//! sazare (fu-foo/fhir-sazare) 0.6.6, as recorded from a running server: the body of a kick-off is the NDJSON itself,
//! and the answer to it is the result.
//!
//! Recorded: every answer here unless an item says otherwise. What is simplified: of its validation this server knows
//! the code of `gender` that was recorded, and its statement lists types without their search parameters.
//!
//! Nobody can ask for an import again, so the books name each by a URL of their own making: the operation's, with a
//! fragment.

mod import;
mod metadata;
mod read;
#[cfg(test)]
mod tests;

use crate::front::at;
use crate::ledger::{Entry, Starter};
use crate::personality::{Desk, Opened};
use crate::reply::{reply, with};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, VARY};
use serde_json::{Value, json};
use std::sync::Arc;

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// What the endpoints share. There are no jobs: an import is over with its request.
struct Sazare {
    server: Arc<Server>,
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let sazare = Arc::new(Sazare { server: Arc::clone(server) });
    let routes = Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/$import", at(server, Endpoint::KickOff, post(import::import)))
        .route("/{kind}", at(server, Endpoint::Search, get(read::search)))
        .route("/{kind}/{id}", at(server, Endpoint::Read, get(read::read)))
        .with_state(Arc::clone(&sazare))
        .layer(map_response(signed));
    Opened::below_base(routes, sazare)
}

impl Sazare {
    fn entry(&self, starter: Starter, body: Bytes) -> Arc<Entry> {
        let url = format!("{}/$import#{}", self.server.base, self.server.ids.uuid());
        let entry = Arc::new(Entry::new(starter, url, body, self.server.now()).unasked());
        self.server.ledger.add(Arc::clone(&entry));
        entry
    }
}

impl Desk for Sazare {
    fn foreign_job(&self, _source: &str) -> String {
        let entry = self.entry(Starter::Somebody, Bytes::new());
        entry.worked(crate::ledger::Worked::Done(crate::intake::Tally::default()));
        entry.status_url.clone()
    }

    fn lose_jobs(&self) {}
}

/// JSON with its members in the order of the alphabet.
fn answer(status: StatusCode, content_type: &str, body: &Value) -> Response {
    reply(status, content_type, body.to_string())
}

fn absent(kind: &str, id: &str) -> Response {
    let issue =
        json!({"code": "not-found", "diagnostics": format!("Resource not found: {kind}/{id}"), "severity": "error"});
    answer(StatusCode::NOT_FOUND, "application/json", &json!({"resourceType": "OperationOutcome", "issue": [issue]}))
}

/// Every answer allows every origin.
async fn signed(response: Response) -> Response {
    let vary = "origin, access-control-request-method, access-control-request-headers";
    with(with(response, VARY, vary), ACCESS_CONTROL_ALLOW_ORIGIN, "*")
}
