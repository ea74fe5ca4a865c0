//! `POST $import`: `Parameters` with fixed types of values, five files at most.

use super::{Ibm, RETRY_AFTER, refusal, work};
use crate::fetch::Source;
use crate::job::Unstarted;
use crate::ledger::{Entry, Starter};
use crate::load::Input;
use crate::parameters::{all, first, of, parts, typed};
use crate::r4;
use crate::reply::{empty, retry_after, with};
use crate::script::Script;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CONTENT_LOCATION;
use serde_json::Value;
use std::sync::Arc;

/// The default of `maxInputPerRequest`.
const MOST_INPUTS: usize = 5;

const STORAGE: [&str; 5] = ["https", "file", "aws-s3", "ibm-cos", "azure-blob"];
const ENCODINGS: [&str; 2] = ["text", "text/plain"];

pub(super) async fn kick_off(State(ibm): State<Arc<Ibm>>, body: Bytes) -> Response {
    let script = ibm.server.script();
    if !script.import_enabled {
        return refusal(StatusCode::NOT_FOUND, "not-found", "Operation with name: 'import' was not found");
    }
    let inputs = match read(&body, &script) {
        Ok(inputs) => inputs,
        Err(problem) => return refusal(StatusCode::BAD_REQUEST, "invalid", &problem),
    };
    let (id, created) = (ibm.id(), ibm.server.now());
    let status_url = ibm.status_url(&id);
    let entry = Entry::new(Starter::KickOff, status_url.clone(), body, created);
    let work = work::run(Arc::clone(&ibm.server), script, inputs, created);
    match ibm.jobs.start(id, entry, |_, _| false, work).await {
        Ok(()) => with(empty(StatusCode::ACCEPTED), CONTENT_LOCATION, &status_url),
        Err(Unstarted::Known(_) | Unstarted::Full) => {
            let busy = refusal(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many jobs are running");
            retry_after(busy, &ibm.server, RETRY_AFTER)
        }
    }
}

/// The checks in the order of the source. `Prefer` is not looked at.
fn read(body: &[u8], script: &Script) -> Result<Vec<Input>, String> {
    let request: Value = serde_json::from_slice(body).map_err(|error| format!("FHIRProvider: {error}"))?;
    if request["resourceType"] != "Parameters" {
        return Err("$import parameters are empty or null".to_owned());
    }
    let parameters = of(&request);
    check_format(parameters)?;
    check_source(parameters)?;
    let inputs = all(parameters, "input").map(|part| input(parts(part), script)).collect::<Result<Vec<_>, _>>()?;
    match inputs.len() {
        0 => return Err("$import requires 'input' is not found".to_owned()),
        1..=MOST_INPUTS => {}
        _ => {
            let text = "$import maximum input per bulkdata import request 'fhirServer/bulkdata/maxInputPerRequest'";
            return Err(text.to_owned());
        }
    }
    check_storage(parameters)?;
    Ok(inputs)
}

fn check_format(parameters: &[Value]) -> Result<(), String> {
    match first(parameters, "inputFormat").map(|format| string(format).ok_or(())) {
        Some(Ok("application/fhir+ndjson")) => Ok(()),
        Some(Err(())) => Err("invalid $import parameter value in 'inputFormat'".to_owned()),
        Some(Ok(_)) | None => Err("$import requires 'inputFormat' is not found".to_owned()),
    }
}

fn check_source(parameters: &[Value]) -> Result<(), String> {
    match first(parameters, "inputSource").map(uri) {
        Some(Some(_)) => Ok(()),
        Some(None) => Err("invalid $import parameter value in 'inputSource'".to_owned()),
        None => Err("$import requires 'inputSource' is not found".to_owned()),
    }
}

/// A code is a string, and a URL is a URI, but not the other way round.
fn string(parameter: &Value) -> Option<&str> {
    typed(parameter, "valueString").or_else(|| typed(parameter, "valueCode"))
}

fn uri(parameter: &Value) -> Option<&str> {
    typed(parameter, "valueUri").or_else(|| typed(parameter, "valueUrl"))
}

fn input(parts: &[Value], script: &Script) -> Result<Input, String> {
    let invalid = || "$import invalid elements in the 'input' field".to_owned();
    let kind = first(parts, "type").and_then(string).ok_or_else(invalid)?;
    if !r4::is_type(kind) {
        return Err("$import invalid Resource Type 'input'".to_owned());
    }
    let url = first(parts, "url").and_then(|part| typed(part, "valueUrl")).ok_or_else(invalid)?;
    if url.contains("//") && !base_urls(script).iter().any(|base| url.starts_with(base)) {
        return Err("$import does not have a valid base url".to_owned());
    }
    Ok(Input { kind: Some(kind.to_owned()), source: Source { url: url.to_owned(), basic: None } })
}

/// `fhirServer/bulkdata/validBaseUrls`.
fn base_urls(script: &Script) -> Vec<&str> {
    let bases: Vec<_> = script.stores.keys().map(String::as_str).filter(|start| start.contains("//")).collect();
    if bases.is_empty() { vec!["https://"] } else { bases }
}

/// The kind of storage is the value of the parameter itself.
fn check_storage(parameters: &[Value]) -> Result<(), String> {
    let Some(detail) = first(parameters, "storageDetail") else {
        return Err("$import required 'storageDetail' is not found".to_owned());
    };
    let Some(kind) = string(detail) else {
        return Err("$import invalid elements in the 'storageDetail' field".to_owned());
    };
    if !STORAGE.contains(&kind) {
        return Err("$import invalid type in 'storageDetail'".to_owned());
    }
    let mut encodings = all(parts(detail), "contentEncoding").filter_map(string);
    match encodings.find(|encoding| !ENCODINGS.contains(encoding)) {
        Some(encoding) => Err(format!("$import invalid 'contentEncoding' for storageDetail for '{encoding}'")),
        None => Ok(()),
    }
}
