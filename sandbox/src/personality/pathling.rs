//! Pathling (aehrc/pathling), in two editions: 7.2.0 as recorded from a running server, with `source` parameters and an
//! outcome as the result, and the newer one (@2f0804b8) from its source, with `input` and a `Parameters` result.
//!
//! Recorded are status, headers and content of every answer of the old edition unless an item says otherwise. Its
//! asynchronous failures other than of a malformed line were not: they follow its synchronous ones.
//!
//! `allowableSources` are the beginnings of the script's stores; without any, each edition has its own default. What is
//! simplified: what is stored can be read by both editions' searches at once, Parquet is refused, and one import at a
//! time is not enforced (the script's `max_concurrent` answers 429 here as elsewhere).
//!
//! An import within its kick-off (the old edition without `Prefer`) cannot be asked for: the books name it by a URL of
//! their own making, the operation's with a fragment.

mod kick_off;
mod metadata;
mod order;
mod read;
mod signed;
mod status;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_7;
mod work;

use crate::front::at;
use crate::job::Jobs;
use crate::json;
use crate::ledger::{Entry, Starter};
use crate::outcome::{Issue, outcome};
use crate::personality::{Desk, Opened};
use crate::reply::{allow, reply};
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::extract::OriginalUri;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use std::sync::Arc;
use work::End;

const FHIR_JSON: &str = "application/fhir+json;charset=UTF-8";

/// Which Pathling it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::personality) enum Edition {
    /// 7.2.0.
    Seven,
    /// From 8 on; the server counts its own versions, from 1.
    Newer,
}

/// What the endpoints share.
struct Pathling {
    server: Arc<Server>,
    jobs: Jobs<End>,
    edition: Edition,
}

pub(super) fn open(server: &Arc<Server>, edition: Edition) -> Opened {
    let pathling = Arc::new(Pathling { server: Arc::clone(server), jobs: Jobs::new(server), edition });
    Opened::below_base(routes(server, &pathling), pathling)
}

fn routes(server: &Arc<Server>, pathling: &Arc<Pathling>) -> Router {
    let router = Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/$import", at(server, Endpoint::KickOff, post(kick_off::kick_off)))
        .route("/$job", job(server, pathling.edition));
    let router = match pathling.edition {
        Edition::Seven => router
            .route("/{kind}", at(server, Endpoint::Search, get(read::search)))
            .route("/{kind}/{id}", at(server, Endpoint::Read, get(nowhere)))
            .with_state(Arc::clone(pathling)),
        Edition::Newer => {
            let definition = at(server, Endpoint::OperationDefinition, get(metadata::operation_definition));
            let router = router.route("/OperationDefinition/{id}", definition);
            router.with_state(Arc::clone(pathling)).merge(rest::routes(server, explain))
        }
    };
    router.fallback(nowhere).method_not_allowed_fallback(nowhere).layer(map_response(signed::signed))
}

/// The old edition has no request that cancels a job.
fn job(server: &Arc<Server>, edition: Edition) -> MethodRouter<Arc<Pathling>> {
    let poll = at(server, Endpoint::Poll, get(status::poll));
    let delete = match edition {
        Edition::Seven => delete(not_deletable),
        Edition::Newer => delete(status::cancel),
    };
    poll.merge(at(server, Endpoint::Delete, delete))
}

impl Pathling {
    fn status_url(&self, id: &str) -> String {
        format!("{}/$job?id={id}", self.server.base)
    }
}

impl Desk for Pathling {
    fn foreign_job(&self, _source: &str) -> String {
        let (id, now) = (self.server.ids.uuid(), self.server.now());
        let status_url = self.status_url(&id);
        let entry = Entry::new(Starter::Somebody, status_url.clone(), Bytes::new(), now);
        self.jobs.enter_done(id, entry, End::nothing(&self.server, self.edition));
        status_url
    }

    fn lose_jobs(&self) {
        self.jobs.lose();
    }
}

/// Every error is an outcome with one issue.
fn refusal(status: StatusCode, code: &'static str, text: impl Into<String>) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::error(code, text)])))
}

/// News that is none of an error.
fn news(status: StatusCode, text: &str) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::information(text)])))
}

async fn nowhere(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    let path = uri.path().trim_start_matches("/fhir").trim_start_matches('/');
    let text = format!(
        "Invalid request: The FHIR endpoint on this server does not know how to handle {method} operation[{path}] \
         with parameters [[]]"
    );
    refusal(StatusCode::BAD_REQUEST, "not-supported", text)
}

async fn not_deletable() -> Response {
    let text = "HAPI-0427: HTTP Method DELETE is not allowed for this operation. Allowed method(s): POST, GET";
    allow(refusal(StatusCode::METHOD_NOT_ALLOWED, "processing", text), "POST,GET")
}

/// Of the newer edition; the texts are those of the framework it shares with HAPI.
fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            let text = format!("Resource of type {kind} with ID '{id}' not found");
            refusal(StatusCode::NOT_FOUND, "processing", text)
        }
        Absent::Kind(kind) => {
            refusal(StatusCode::NOT_FOUND, "processing", format!("HAPI-0302: Unknown resource type '{kind}'"))
        }
        Absent::Parameter { kind, name } => {
            let text = format!("HAPI-0524: Unknown search parameter \"{name}\" for resource type \"{kind}\"");
            refusal(StatusCode::BAD_REQUEST, "processing", text)
        }
    }
}
