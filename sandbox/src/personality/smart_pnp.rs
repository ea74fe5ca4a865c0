//! SMART "Ping and Pull" (smart-on-fhir/bulk-import @eba80b0a `import-pnp.md`) with the manners of its reference server,
//! smart-on-fhir/bulk-import-consumer @1dfd91ae. Nothing is recorded: the source was read.
//!
//! What is left out: `exportType` `dynamic`, for which the server would be the client of an export. Such an order is
//! refused in the words for an export server that refuses. What is different: the reference server copies files and
//! does not look at lines, this one stores resources.

mod kick_off;
mod status;
#[cfg(test)]
mod tests;

use crate::front::at;
use crate::job::Jobs;
use crate::ledger::{Entry, Starter, Worked};
use crate::loading::Loaded;
use crate::personality::{Desk, Opened};
use crate::reply::{FHIR_JSON, reply};
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use crate::statement::{Software, statement};
use crate::{job, json};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The statement is of this practice server: the reference server has none.
const SOFTWARE: Software = Software { name: "bulk-import-consumer", version: None };

/// What the endpoints share.
struct Consumer {
    server: Arc<Server>,
    jobs: Jobs<End>,
    /// Jobs that were removed while they ran, and have not been asked for since.
    in_flight: Mutex<HashSet<String>>,
}

/// How a job ended.
struct End {
    loaded: Loaded,
    /// One poll is told of the hundred percent before another gets the result.
    announced: AtomicBool,
}

impl job::Ending for End {
    fn worked(&self) -> Worked {
        Worked::Done(self.loaded.tally)
    }
}

impl End {
    fn of(loaded: Loaded) -> Self {
        Self { loaded, announced: AtomicBool::new(false) }
    }

    /// Whether this is the poll that hears of the end first.
    fn announce(&self) -> bool {
        !self.announced.swap(true, Ordering::Relaxed)
    }
}

pub(super) fn open(server: &Arc<Server>) -> Opened {
    let (jobs, in_flight) = (Jobs::new(server), Mutex::default());
    let consumer = Arc::new(Consumer { server: Arc::clone(server), jobs, in_flight });
    Opened::below_base(routes(server, Arc::clone(&consumer)), consumer)
}

impl Consumer {
    fn status_url(&self, id: &str) -> String {
        format!("{}/job/{id}", self.server.base)
    }

    fn removed(&self, id: &str) {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    /// Whether this is the first request for a job that was removed while it ran.
    fn hits_removed(&self, id: &str) -> bool {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

impl Desk for Consumer {
    fn foreign_job(&self, _source: &str) -> String {
        let (id, now) = (self.server.ids.uuid(), self.server.now());
        let status_url = self.status_url(&id);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), now);
        self.jobs.enter_done(id, entry, End::of(Loaded::default()));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

fn routes(server: &Arc<Server>, consumer: Arc<Consumer>) -> Router {
    let poll = at(server, Endpoint::Poll, get(status::poll));
    let cancel = at(server, Endpoint::Delete, delete(status::cancel));
    let file = at(server, Endpoint::ErrorFile, get(status::outcomes));
    Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(capabilities)))
        .route("/$import", at(server, Endpoint::KickOff, post(kick_off::kick_off)))
        .route("/job/{id}", poll.merge(cancel))
        .route("/job/{id}/import-outcome.ndjson", file)
        .with_state(consumer)
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
}

/// The draft advertises nothing.
async fn capabilities(State(consumer): State<Arc<Consumer>>) -> Response {
    statement(&consumer.server, &SOFTWARE, &[])
}

/// The server's own kind of OperationOutcome, whose code may be a number.
fn outcome(severity: &str, code: &Value, message: &str) -> Value {
    let encoded = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let div = format!(
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><h1>Operation Outcome</h1><table border=\"0\"><tr>\
         <td style=\"font-weight:bold;\">ERROR</td><td>[]</td><td><pre>{encoded}</pre></td></tr></table></div>"
    );
    json!({"resourceType": "OperationOutcome", "text": {"status": "generated", "div": div},
        "issue": [{"severity": severity, "code": code, "diagnostics": message}]})
}

/// An error has the status as the code of its issue, and is an OperationOutcome only where the client asked for JSON.
fn refusal(headers: &HeaderMap, status: StatusCode, message: &str) -> Response {
    const JSON: [&str; 2] = ["application/json", "application/fhir+json"];
    let accept = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = match JSON.contains(&accept) {
        true => outcome("error", &status.as_u16().into(), message),
        false => json!({"status": status.as_u16(), "severity": "error"}),
    };
    reply(status, "application/json; charset=utf-8", json::compact(&body))
}

fn explain(absent: &Absent) -> Response {
    let (status, message) = match absent {
        Absent::Resource { kind, id } => (StatusCode::NOT_FOUND, format!("There is no {kind}/{id}")),
        Absent::Kind(kind) => (StatusCode::NOT_FOUND, format!("Cannot GET /{kind}")),
        Absent::Parameter { kind, name } => (StatusCode::BAD_REQUEST, format!("{kind} cannot be searched by {name}")),
    };
    reply(status, FHIR_JSON, json::compact(&outcome("error", &status.as_u16().into(), &message)))
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n\
         <pre>Cannot {method} {}</pre>\n</body>\n</html>\n",
        uri.path()
    );
    reply(StatusCode::NOT_FOUND, "text/html; charset=utf-8", page)
}
