//! OctoFHIR (octofhir/server-rs @7eccf11b, which calls itself Abyxon), as recorded from a running server with
//! `PostgreSQL`.
//!
//! Recorded: every answer here unless an item says otherwise. What is simplified: of its validation this server knows the
//! code of `gender` and the form of `birthDate`; versions count for each resource and not for the server; its statement
//! lists types without their search parameters.
//!
//! Cancelling is not real there: the job says so for a while, runs on, and then is completed. The books have it running.

mod kick_off;
mod metadata;
mod read;
mod status;
#[cfg(test)]
mod tests;
mod work;

use crate::front::at;
use crate::job::Jobs;
use crate::ledger::{Entry, Starter};
use crate::personality::{Desk, Opened};
use crate::reply::{reply, with};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::extract::OriginalUri;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use work::End;

/// What the endpoints share.
struct Octo {
    server: Arc<Server>,
    jobs: Jobs<End>,
    /// When somebody wanted a job to end, by its id.
    cancelled: Mutex<BTreeMap<String, SystemTime>>,
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let octo = Arc::new(Octo { server: Arc::clone(server), jobs: Jobs::new(server), cancelled: Mutex::default() });
    let status = at(server, Endpoint::Poll, get(status::poll));
    let status = status.merge(at(server, Endpoint::Delete, delete(status::cancel)));
    let routes = Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/$import", at(server, Endpoint::KickOff, post(kick_off::kick_off).get(kick_off::by_get)))
        .route("/_async-status/{id}", status)
        .route("/_async-status/{id}/result", at(server, Endpoint::Result, get(status::result)))
        .route("/{kind}", at(server, Endpoint::Search, get(read::search)))
        .route("/{kind}/{id}", at(server, Endpoint::Read, get(read::read)))
        .with_state(Arc::clone(&octo))
        .fallback(nowhere)
        .layer(map_response(signed));
    Opened { below_base: routes, at_root: Router::new().fallback(nowhere), desk: octo }
}

impl Octo {
    fn status_url(&self, id: &str) -> String {
        format!("{}/_async-status/{id}", self.server.base)
    }

    fn cancelled(&self) -> MutexGuard<'_, BTreeMap<String, SystemTime>> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for Octo {
    fn foreign_job(&self, _source: &str) -> String {
        let (id, now) = (self.server.ids.uuid(), self.server.now());
        let status_url = self.status_url(&id);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), now);
        self.jobs.enter_done(id, entry, End::nothing(now));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

/// JSON with its members in the order of the alphabet, as most of its answers have them.
fn answer(status: StatusCode, body: &Value) -> Response {
    reply(status, "application/json", body.to_string())
}

/// The other way its errors are written.
fn refusal(status: StatusCode, severity: &str, code: &str, text: &str) -> Response {
    let text = Value::from(text);
    let body = format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","code":"{code}","diagnostics":{text}}}]}}"#
    );
    reply(status, "application/fhir+json", body)
}

fn invalid(text: &str) -> Response {
    refusal(StatusCode::BAD_REQUEST, "error", "invalid", text)
}

fn not_found(text: &str) -> Response {
    refusal(StatusCode::NOT_FOUND, "error", "not-found", text)
}

async fn nowhere(OriginalUri(uri): OriginalUri) -> Response {
    let kind = uri.path().split('/').find(|part| !part.is_empty()).unwrap_or_default();
    not_found(&format!("Resource type '{kind}' is not available at this path"))
}

/// Who brings no credentials is told so in words of its own.
async fn signed(response: Response) -> Response {
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    let issue = json!({"code": "login", "diagnostics": "Authentication required", "severity": "error"});
    let body = json!({"issue": [issue], "resourceType": "OperationOutcome"});
    with(answer(StatusCode::UNAUTHORIZED, &body), WWW_AUTHENTICATE, "Bearer")
}
