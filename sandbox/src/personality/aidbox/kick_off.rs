//! `POST /fhir/$import` and `POST /v2/fhir/$import`: a plain object with an id of the caller's choice.

use super::work;
use super::{Aidbox, Edition, refusal};
use crate::fetch::Source;
use crate::job::Unstarted;
use crate::ledger::{Entry, Starter};
use crate::loading;
use crate::reply::{empty, retry_after, with};
use crate::script::Script;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CONTENT_LOCATION;
use serde::Deserialize;
use std::sync::Arc;

/// What the documentation has as examples; the practice server unpacks nothing.
const ENCODINGS: [&str; 2] = ["gzip", "plain"];

/// The body. Fields that do not matter here, such as `update`, are let through.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    #[serde(default)]
    id: Option<String>,
    #[serde(default = "plain")]
    content_encoding: String,
    inputs: Vec<Input>,
}

/// One file of one resource type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    resource_type: String,
    url: String,
}

fn plain() -> String {
    "plain".to_owned()
}

/// No header is needed. The documentation shows bodies in YAML, of which JSON is a part; others are not read here.
pub(super) async fn kick_off(State(aidbox): State<Arc<Aidbox>>, body: Bytes) -> Response {
    let script = aidbox.server.script();
    if !script.import_enabled {
        return refusal(StatusCode::NOT_FOUND, "not-found", "route POST $import not found");
    }
    match Order::read(&body) {
        Ok(order) => start(&aidbox, script, order, body).await,
        Err(problem) => refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &problem),
    }
}

/// Version 2 refuses an id it knows, which is documented without a status; version 1 begins again under it.
async fn start(aidbox: &Aidbox, script: Arc<Script>, mut order: Order, body: Bytes) -> Response {
    let id = order.id.get_or_insert_with(|| aidbox.server.ids.uuid()).clone();
    let (key, created) = (aidbox.server.ids.uuid(), aidbox.server.now());
    let entry = Entry::new(Starter::KickOff, aidbox.status_url(&id), body, created);
    let known = |known: &Entry, wanted: &Entry| aidbox.edition == Edition::V2 && known.status_url == wanted.status_url;
    let work = work::run(Arc::clone(&aidbox.server), script, aidbox.edition, order);
    match aidbox.jobs.start(key.clone(), entry, known, work).await {
        Ok(()) => {
            aidbox.name(&id, &key);
            with(empty(StatusCode::OK), CONTENT_LOCATION, &aidbox.edition.status_path(&id))
        }
        Err(Unstarted::Known(_)) => {
            refusal(StatusCode::CONFLICT, "duplicate", &format!("Import with id '{id}' already exists"))
        }
        Err(Unstarted::Full) => {
            retry_after(refusal(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many imports"), &aidbox.server, "1")
        }
    }
}

impl Order {
    fn read(body: &[u8]) -> Result<Self, String> {
        let order: Self = serde_json::from_slice(body).map_err(|error| format!("Invalid request: {error}"))?;
        if !ENCODINGS.contains(&order.content_encoding.as_str()) {
            return Err("contentEncoding: expected one of gzip, plain".to_owned());
        }
        if order.inputs.is_empty() {
            return Err("inputs: required".to_owned());
        }
        Ok(order)
    }

    pub(super) fn files(&self) -> Vec<loading::Input> {
        let source = |url: &String| Source { url: url.clone(), basic: None };
        let file =
            |input: &Input| loading::Input { kind: Some(input.resource_type.clone()), source: source(&input.url) };
        self.inputs.iter().map(file).collect()
    }
}
