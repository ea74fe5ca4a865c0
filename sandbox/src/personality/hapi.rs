//! HAPI FHIR JPA 8.8.0 with `BulkDataImportProvider`, as recorded from a running server.
//!
//! What was recorded: status, headers, texts and the shape of bodies of every answer here unless an item says
//! otherwise. What is simplified: HAPI advances jobs once a minute and this server at every poll.
//!
//! Smile CDR is HAPI under another name. What differs is from its documentation (`docs/bulk/fhir_bulk_import.html`,
//! 2024.08), and nothing of it is recorded.

mod kick_off;
mod metadata;
mod report;
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
use crate::reply::{FHIR_JSON, allow, empty, reply, with};
use crate::rest::{self, Absent};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, HeaderName, SERVER};
use hyper::{Method, StatusCode};
use std::sync::Arc;
use work::End;

const POWERED_BY: &str = "HAPI FHIR 8.8.0 REST Server (FHIR Server; FHIR 4.0.1/R4)";

/// What HAPI sends with every job that is not over.
const RETRY_AFTER: &str = "120";

/// Under which name the server is sold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Brand {
    Hapi,
    SmileCdr,
}

/// What HAPI's own endpoints share.
struct Hapi {
    brand: Brand,
    server: Arc<Server>,
    jobs: Jobs<End>,
}

pub(super) fn open(server: &Arc<Server>, brand: Brand) -> Opened {
    let hapi = Arc::new(Hapi { brand, server: Arc::clone(server), jobs: Jobs::new(server) });
    Opened::below_base(routes(server, Arc::clone(&hapi)), hapi)
}

impl Hapi {
    fn status_url(&self, id: &str) -> String {
        format!("{}/$import-poll-status?_jobId={id}", self.server.base)
    }
}

impl Desk for Hapi {
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

fn routes(server: &Arc<Server>, hapi: Arc<Hapi>) -> Router {
    let brand = hapi.brand;
    let kick_off = at(server, Endpoint::KickOff, post(kick_off::kick_off)).fallback(only_post);
    let delete = at(server, Endpoint::Delete, delete(not_deletable));
    let poll = at(server, Endpoint::Poll, get(status::poll).post(status::poll_by_parameters)).head(not_head);
    let definition = at(server, Endpoint::OperationDefinition, get(metadata::operation_definition));
    Router::new()
        .route("/metadata", at(server, Endpoint::Metadata, get(metadata::capabilities)))
        .route("/OperationDefinition/{id}", definition)
        .route("/$import", kick_off)
        .route("/$import-poll-status", poll.merge(delete))
        .with_state(hapi)
        .merge(rest::routes(server, explain))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
        .layer(map_response(move |response| signed(brand, response)))
}

/// An error in the form of HAPI's framework, which is not the one of its polls.
fn refusal(status: StatusCode, diagnostics: impl Into<String>) -> Response {
    reply(status, FHIR_JSON, json::compact(&outcome(&[Issue::error("processing", diagnostics)])))
}

/// What HAPI says of an operation it does not have. A server without bulk import says it of `$import`
/// (hapi-fhir-jpaserver-starter issue 404).
fn unknown_operation(method: &Method, path: &str) -> Response {
    let text = format!(
        "Invalid request: The FHIR endpoint on this server does not know how to handle {method} operation[{path}] \
         with parameters [[]]"
    );
    let body = json::compact(&outcome(&[Issue::error("not-supported", text)]));
    reply(StatusCode::BAD_REQUEST, FHIR_JSON, body)
}

async fn nowhere(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    unknown_operation(&method, uri.path().trim_start_matches("/fhir").trim_start_matches('/'))
}

async fn only_post(method: Method) -> Response {
    let text = format!("HAPI-0426: HTTP Method {method} is not allowed for this operation. Allowed method(s): POST");
    allow(refusal(StatusCode::METHOD_NOT_ALLOWED, text), "POST")
}

/// No REST call cancels a job.
async fn not_deletable() -> Response {
    let text = "HAPI-0427: HTTP Method DELETE is not allowed for this operation. Allowed method(s): POST, GET";
    allow(refusal(StatusCode::METHOD_NOT_ALLOWED, text), "POST,GET")
}

/// The unknown resource is recorded; the unknown type and the unknown parameter are worded after HAPI's habit.
fn explain(absent: &Absent) -> Response {
    match absent {
        Absent::Resource { kind, id } => {
            refusal(StatusCode::NOT_FOUND, format!("HAPI-2001: Resource {kind}/{id} is not known"))
        }
        Absent::Kind(operation) if operation.starts_with('$') => unknown_operation(&Method::GET, operation),
        Absent::Kind(kind) => refusal(StatusCode::NOT_FOUND, format!("HAPI-0302: Unknown resource type '{kind}'")),
        Absent::Parameter { kind, name } => {
            let text = format!("HAPI-0524: Unknown search parameter \"{name}\" for resource type \"{kind}\"");
            refusal(StatusCode::BAD_REQUEST, text)
        }
    }
}

/// What a `HEAD` of the status gets.
async fn not_head() -> Response {
    with(empty(StatusCode::BAD_REQUEST), CONTENT_TYPE, FHIR_JSON)
}

/// Every answer names the servlet container and HAPI, and comes in chunks: the length is not known beforehand. What
/// Smile CDR calls itself there is not known.
async fn signed(brand: Brand, response: Response) -> Response {
    let response = with(response, SERVER, "Jetty(12.0.25)");
    let response = match brand {
        Brand::Hapi => with(response, HeaderName::from_static("x-powered-by"), POWERED_BY),
        Brand::SmileCdr => response,
    };
    response.map(|body| Body::new(body.map_frame(|frame| frame)))
}
