//! `POST $import`: what HAPI reads from the request, and what it refuses.

use super::{Brand, Hapi, RETRY_AFTER, refusal, unknown_operation, work};
use crate::fetch::Source;
use crate::json;
use crate::ledger::{Entry, Starter};
use crate::outcome::{Issue, outcome};
use crate::reply::{FHIR_JSON, reply, retry_after, with};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::header::{CONTENT_LOCATION, HeaderMap};
use hyper::{Method, StatusCode};
use serde_json::Value;
use std::sync::Arc;

/// How many resources HAPI loads together when the request does not say.
const CHUNK: usize = 800;

/// The types others refer to most come first; HAPI sorts the inputs so that fewer references are missing.
const REFERRED_TO: [&str; 6] = ["Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "Encounter"];

/// An import HAPI has agreed to.
pub(super) struct Order {
    /// The files, in the order they are loaded.
    pub(super) sources: Vec<Source>,
    /// How many resources are loaded together: a malformed one keeps the others of its chunk out.
    pub(super) chunk: usize,
}

pub(super) async fn kick_off(State(hapi): State<Arc<Hapi>>, headers: HeaderMap, body: Bytes) -> Response {
    let script = hapi.server.script();
    if !script.import_enabled {
        return unknown_operation(&Method::POST, "$import");
    }
    let order = match Order::read(hapi.brand, &headers, &body) {
        Ok(order) => order,
        Err(problem) => return refusal(StatusCode::BAD_REQUEST, problem),
    };
    let id = hapi.server.ids.uuid();
    let entry = Entry::new(Starter::KickOff, hapi.status_url(&id), body, hapi.server.now());
    let work = work::run(Arc::clone(&hapi.server), script, order);
    match hapi.jobs.start(id.clone(), entry, |_, _| false, work).await {
        Ok(()) => accepted(&hapi, &id),
        Err(_full) => retry_after(busy(), &hapi.server, RETRY_AFTER),
    }
}

fn accepted(hapi: &Hapi, id: &str) -> Response {
    let status_url = hapi.status_url(id);
    let body = outcome(&[
        Issue::information(format!("Bulk import job has been submitted with ID: {id}")),
        Issue::information(format!("Use the following URL to poll for job status: {status_url}")),
    ]);
    let response = reply(StatusCode::ACCEPTED, "application/json+fhir; charset=UTF-8", json::pretty(&body));
    with(response, CONTENT_LOCATION, &status_url)
}

/// HAPI itself never refuses for being busy; gateways before it do.
fn busy() -> Response {
    let body = outcome(&[Issue::error("throttled", "Too many imports are running")]);
    reply(StatusCode::TOO_MANY_REQUESTS, FHIR_JSON, json::compact(&body))
}

impl Order {
    /// The checks in HAPI's order: the framework parses before the provider looks.
    fn read(brand: Brand, headers: &HeaderMap, body: &[u8]) -> Result<Self, String> {
        let request = parse(body)?;
        if !prefers_async(headers) {
            return Err("HAPI-0513: Must request async processing for $import".to_owned());
        }
        let parameters = request["parameter"].as_array().map(Vec::as_slice).unwrap_or_default();
        if first(parameters, "inputFormat").and_then(primitive).as_deref() != Some("application/fhir+ndjson") {
            return Err("HAPI-2048: Input format must be \"application/fhir+ndjson\"".to_owned());
        }
        let storage = first(parameters, "storageDetail");
        check_storage(brand, storage)?;
        let inputs = parameters.iter().filter(|parameter| parameter["name"] == "input");
        let mut inputs = inputs.map(input).collect::<Result<Vec<_>, _>>()?;
        if inputs.is_empty() {
            return Err("HAPI-1769: No URLs specified".to_owned());
        }
        inputs.sort_by_key(|(kind, _)| REFERRED_TO.iter().position(|first| first == kind).unwrap_or(REFERRED_TO.len()));
        let basic = storage.and_then(|detail| part(detail, "credentialHttpBasic"));
        let chunk = storage.and_then(|detail| part(detail, "maxBatchResourceCount")?.parse().ok());
        let sources = inputs.into_iter().map(|(_, url)| Source { url, basic: basic.clone() }).collect();
        Ok(Self { sources, chunk: chunk.filter(|size| *size > 0).unwrap_or(CHUNK) })
    }
}

/// Recorded is the refusal of a body without a resource type, such as the SMART manifest; the others follow its form.
fn parse(body: &[u8]) -> Result<Value, String> {
    const FAILED: &str = "HAPI-0450: Failed to parse request body as JSON resource. Error was:";
    let request: Value = serde_json::from_slice(body)
        .map_err(|error| format!("{FAILED} HAPI-1861: Failed to parse JSON encoded FHIR content: {error}"))?;
    match request["resourceType"].as_str() {
        Some("Parameters") => Ok(request),
        None => {
            Err(format!("{FAILED} HAPI-1838: Invalid JSON content detected, missing required element: 'resourceType'"))
        }
        Some(other) => Err(format!(
            "{FAILED} HAPI-1814: Incorrect resource type found, expected \"Parameters\" but found \"{other}\""
        )),
    }
}

/// Further preferences beside `respond-async` do not matter.
fn prefers_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split([',', ';'])).any(|preference| preference.trim() == "respond-async")
}

/// Smile CDR documents one value, and another for tests; HAPI does not look.
fn check_storage(brand: Brand, storage: Option<&Value>) -> Result<(), String> {
    let kind = storage.filter(|_| brand == Brand::SmileCdr).and_then(|detail| part(detail, "type"));
    match kind.as_deref() {
        None | Some("https" | "http") => Ok(()),
        Some(other) => Err(format!("Invalid storage type: {other}. Storage type must be \"https\"")),
    }
}

fn input(parameter: &Value) -> Result<(String, String), String> {
    let kind = part(parameter, "type").ok_or("HAPI-1765: Missing type for input")?;
    let url = part(parameter, "url").ok_or("HAPI-1765: Missing url for input")?;
    if url.starts_with("http://") || url.starts_with("https://") {
        Ok((kind, url))
    } else {
        // Not recorded: HAPI checks the scheme among the parameters of the job.
        Err(format!("HAPI-2039: Failed to validate parameters for job of type BULK_IMPORT_PULL: {url}"))
    }
}

fn part(parameter: &Value, name: &str) -> Option<String> {
    let parts = parameter["part"].as_array()?;
    primitive(first(parts, name)?).filter(|value| !value.trim().is_empty())
}

fn first<'a>(parameters: &'a [Value], name: &str) -> Option<&'a Value> {
    parameters.iter().find(|parameter| parameter["name"] == name)
}

/// HAPI takes any primitive for any parameter: valueCode, valueString, valueUrl and valueUri are all the same to it.
fn primitive(parameter: &Value) -> Option<String> {
    let (_, value) = parameter.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}
