//! `POST $import`: what the filter and the controller look at, in their order.

use super::work::{self, Ticket};
use super::{Microsoft, refusal};
use crate::job::Unstarted;
use crate::ledger::{Entry, Starter};
use crate::parameters::{all, first, of, parts, text};
use crate::r4;
use crate::reply::{empty, retry_after, with};
use crate::script::Script;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::header::{CONTENT_LOCATION, CONTENT_TYPE, HeaderMap};
use hyper::{StatusCode, Uri};
use serde_json::Value;
use std::sync::Arc;

/// The account of a server whose script has no stores.
const ACCOUNT: &str = "https://practice.blob.core.windows.net";

/// What a job is to do. The same definition is the same job.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Order {
    pub(super) inputs: Vec<Input>,
    pub(super) container: String,
    pub(super) unit_bytes: u64,
    mode: String,
    /// `allowNegativeVersions` and `eventualConsistency`.
    flags: [Value; 2],
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct Input {
    pub(super) kind: Option<String>,
    pub(super) url: String,
    etag: Option<String>,
}

pub(super) async fn kick_off(State(microsoft): State<Arc<Microsoft>>, headers: HeaderMap, body: Bytes) -> Response {
    let script = microsoft.server.script();
    match check_headers(&headers).and_then(|()| Order::read(&body, &script)) {
        Ok(order) => start(&microsoft, script, order, body).await,
        Err(problem) => refusal(&microsoft.server, StatusCode::BAD_REQUEST, "invalid", &problem),
    }
}

async fn start(microsoft: &Microsoft, script: Arc<Script>, order: Order, body: Bytes) -> Response {
    let group = microsoft.numbers(1 + order.inputs.len() as u64);
    let (id, created) = (group.to_string(), microsoft.server.now());
    let status_url = microsoft.status_url(&id);
    let entry = Entry::new(Starter::KickOff, status_url.clone(), body, created);
    let known = |known: &Entry, wanted: &Entry| same_definition(&script, known, wanted);
    let work = work::run(Arc::clone(&microsoft.server), Arc::clone(&script), order, Ticket { group, created });
    match microsoft.jobs.start(id, entry, known, work).await {
        Ok(()) => accepted(&status_url),
        Err(Unstarted::Known(job)) => accepted(&job.entry.status_url),
        Err(Unstarted::Full) => {
            let text = "The maximum number of import jobs is running.";
            let busy = refusal(&microsoft.server, StatusCode::TOO_MANY_REQUESTS, "throttled", text);
            retry_after(busy, &microsoft.server, "")
        }
    }
}

/// A cancelled, failed or completed job is found as well; only an archived one would not be.
fn same_definition(script: &Script, known: &Entry, wanted: &Entry) -> bool {
    let read = |entry: &Entry| Order::read(&entry.kick_off, script).ok();
    read(known).is_some_and(|order| Some(order) == read(wanted))
}

fn accepted(status_url: &str) -> Response {
    with(empty(StatusCode::ACCEPTED), CONTENT_LOCATION, status_url)
}

/// One `Prefer` with one value, whose case does not matter; one content type that contains that of FHIR.
fn check_headers(headers: &HeaderMap) -> Result<(), String> {
    let refused =
        |name: &str, value: &str| format!("Value supplied, {value},  for the \"{name}\" header is not supported.");
    let prefer = joined(headers, "prefer");
    if !prefer.eq_ignore_ascii_case("respond-async") {
        return Err(refused("Prefer", &prefer));
    }
    let content_type = joined(headers, CONTENT_TYPE.as_str());
    if content_type.contains("application/fhir+json") { Ok(()) } else { Err(refused("Content-Type", &content_type)) }
}

fn joined(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<_> = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

impl Order {
    fn read(body: &[u8], script: &Script) -> Result<Self, String> {
        if !script.import_enabled {
            return Err("The requested \"import\" operation is not enabled.".to_owned());
        }
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        if request["resourceType"] != "Parameters" {
            // The known part of the text, spelt as there.
            return Err("Import request must be specified as a Paramters.".to_owned());
        }
        let order = Self::of(of(&request));
        check_format(of(&request))?;
        check_inputs(&order.inputs, script)?;
        check_mode(&order.mode, of(&request))?;
        Ok(order)
    }

    fn of(parameters: &[Value]) -> Self {
        let named = |name| first(parameters, name).and_then(text).map(str::to_owned);
        let flag = |name| first(parameters, name).map(|flag| flag["valueBoolean"].clone()).unwrap_or_default();
        let unit = first(parameters, "processingUnitBytesToRead").and_then(|unit| unit["valueInteger"].as_u64());
        Self {
            inputs: all(parameters, "input").map(|input| Input::of(parts(input))).collect(),
            container: named("errorContainerName").unwrap_or_else(|| "fhirlogs".to_owned()),
            unit_bytes: unit.filter(|bytes| *bytes > 0).unwrap_or(work::UNIT_BYTES),
            mode: named("mode").unwrap_or_else(|| "IncrementalLoad".to_owned()).to_ascii_lowercase(),
            flags: [flag("allowNegativeVersions"), flag("eventualConsistency")],
        }
    }
}

impl Input {
    /// The type of a value does not matter: every text is one.
    fn of(parts: &[Value]) -> Self {
        let part = |name| first(parts, name).and_then(text).map(str::to_owned);
        Self { kind: part("type"), url: part("url").unwrap_or_default(), etag: part("etag") }
    }
}

fn invalid(name: &str) -> String {
    format!("Value of the following parameter {name} is invalid.")
}

fn check_format(parameters: &[Value]) -> Result<(), String> {
    let format = first(parameters, "inputFormat").and_then(text).unwrap_or_default();
    if !format.eq_ignore_ascii_case("application/fhir+ndjson") {
        return Err(invalid("inputFormat"));
    }
    let storage = first(parameters, "storageDetail").and_then(|detail| first(parts(detail), "type")).and_then(text);
    match storage {
        Some(kind) if !kind.eq_ignore_ascii_case("azure-blob") => Err(invalid("storageDetails")),
        _ => Ok(()),
    }
}

fn check_inputs(inputs: &[Input], script: &Script) -> Result<(), String> {
    if inputs.is_empty() {
        return Err(invalid("input"));
    }
    let twice = |at: usize| inputs[..at].iter().any(|earlier| earlier.url == inputs[at].url);
    let duplicates: Vec<_> = (0..inputs.len()).filter(|at| twice(*at)).map(|at| inputs[at].url.as_str()).collect();
    if !duplicates.is_empty() {
        let duplicates = duplicates.join(", ");
        return Err(format!("Import request cannot have duplicate files. Found duplicates: {duplicates}. "));
    }
    inputs.iter().try_for_each(|input| input.check(script))
}

impl Input {
    fn check(&self, script: &Script) -> Result<(), String> {
        if let Some(kind) = self.kind.as_deref().filter(|kind| !r4::is_type(kind) || *kind == "SearchParameter") {
            return Err(format!("Requested operation does not support resource type: {kind}."));
        }
        if self.url.contains('?') {
            return Err(invalid("input.url"));
        }
        let place = account(&self.url).ok_or_else(|| invalid("input.url"))?;
        if accounts(script).any(|account| account == place) {
            return Ok(());
        }
        Err("input.url must match the configured integration storage account endpoint.".to_owned())
    }
}

/// Scheme and host of an absolute URL, which is all that is compared.
fn account(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_ascii_lowercase(), uri.host()?.to_ascii_lowercase()))
}

/// The accounts the server is configured for: where its stores are, or else one of its own.
fn accounts(script: &Script) -> impl Iterator<Item = (String, String)> {
    let own = script.stores.is_empty().then_some(ACCOUNT);
    script.stores.keys().map(String::as_str).chain(own).filter_map(account)
}

/// The ends of both texts are not known.
fn check_mode(mode: &str, parameters: &[Value]) -> Result<(), String> {
    let forced = first(parameters, "force").is_some_and(|force| force["valueBoolean"] == true);
    match mode {
        "incrementalload" => Ok(()),
        "initialload" if forced => Ok(()),
        "initialload" => Err("Initial import mode is not enabled.".to_owned()),
        _ => Err("Import mode can be either \"InitialLoad\"or \"IncrementalLoad\".".to_owned()),
    }
}
