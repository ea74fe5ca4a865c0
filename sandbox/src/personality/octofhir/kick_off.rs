//! `$import`: `Parameters` or plain JSON, answered 200.

use super::work::{self, Order};
use super::{Octo, answer, invalid};
use crate::fetch::Source;
use crate::ledger::{Entry, Starter};
use crate::load::Input;
use crate::parameters::{all, first, of, parts, typed};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use std::sync::Arc;

const CONTENT_TYPES: [&str; 2] = ["application/fhir+json", "application/json"];

pub(super) async fn kick_off(State(octo): State<Arc<Octo>>, headers: HeaderMap, body: Bytes) -> Response {
    let script = octo.server.script();
    if !script.import_enabled {
        return super::not_found("Resource type '$import' is not available at this path");
    }
    if !readable(&headers) {
        return unreadable();
    }
    let order = match Order::read(&body) {
        Ok(order) => order,
        Err(problem) => return invalid(&problem),
    };
    let (id, created) = (octo.server.ids.uuid(), octo.server.now());
    let status_url = octo.status_url(&id);
    let entry = Entry::new(Starter::KickOff, status_url.clone(), body, created);
    let work = work::run(Arc::clone(&octo.server), script, order);
    match octo.jobs.start(id.clone(), entry, |_, _| false, work).await {
        Ok(()) => answer(StatusCode::OK, &json!({"job_id": id, "status": "accepted", "status_url": status_url})),
        // Not recorded: ten jobs run at a time, and more wait.
        Err(_full) => super::refusal(StatusCode::TOO_MANY_REQUESTS, "error", "throttled", "Too many jobs are running"),
    }
}

/// The operation is invoked by `GET` too, without any parameters.
pub(super) async fn by_get() -> Response {
    invalid("At least one input source is required")
}

fn readable(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    CONTENT_TYPES.contains(&sent.split(';').next().unwrap_or_default().trim())
}

fn unreadable() -> Response {
    let text = "Content-Type must be application/fhir+json or application/json";
    let issue = json!({"code": "invalid", "diagnostics": text, "severity": "error"});
    answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!({"issue": [issue], "resourceType": "OperationOutcome"}))
}

impl Order {
    /// `skipValidation` counts beside `parameter` only; in the plain form it is looked for in the wrong place.
    fn read(body: &[u8]) -> Result<Self, String> {
        let request: Value = serde_json::from_slice(body).map_err(|error| format!("Invalid JSON: {error}"))?;
        let inputs = match request["input"].as_array() {
            Some(inputs) => inputs.iter().map(plain_input).collect::<Result<Vec<_>, _>>()?,
            None if request["resourceType"] == "Parameters" || request["parameter"].is_array() => {
                all(of(&request), "input").map(|input| part_input(parts(input))).collect::<Result<_, _>>()?
            }
            None => return Err("Request must contain 'parameter' (FHIR Parameters) or 'input' array".to_owned()),
        };
        if inputs.is_empty() {
            return Err("At least one input source is required".to_owned());
        }
        let unchecked = request["resourceType"] == "Parameters" && request["skipValidation"] == true;
        Ok(Self { inputs, validation: if unchecked { work::Validation::Skipped } else { work::Validation::Done } })
    }
}

fn incomplete() -> String {
    "Each input must have 'type' and 'url' parts".to_owned()
}

fn plain_input(input: &Value) -> Result<Input, String> {
    named(input["type"].as_str(), input["url"].as_str())
}

/// The type is a string, and the URL a URL or a string.
fn part_input(parts: &[Value]) -> Result<Input, String> {
    let kind = first(parts, "type").and_then(|part| typed(part, "valueString"));
    let url = first(parts, "url").and_then(|part| typed(part, "valueUrl").or_else(|| typed(part, "valueString")));
    named(kind, url)
}

fn named(kind: Option<&str>, url: Option<&str>) -> Result<Input, String> {
    let (kind, url) = (kind.ok_or_else(incomplete)?, url.ok_or_else(incomplete)?);
    Ok(Input { kind: Some(kind.to_owned()), source: Source { url: url.to_owned(), basic: None } })
}
