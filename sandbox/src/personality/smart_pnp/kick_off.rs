//! `POST $import` with the address of an export that is finished.

use super::{Consumer, End, refusal};
use crate::export;
use crate::job::Unstarted;
use crate::ledger::{Entry, Starter};
use crate::loading::{BadLine, Input, Manner, load};
use crate::reply::{empty, retry_after, with};
use crate::script::Script;
use crate::server::Server;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CONTENT_LOCATION, HeaderMap};
use serde_json::Value;
use std::sync::Arc;

/// A file with a bad line is read no further.
const MANNER: Manner = Manner { bad_line: BadLine::EndsItsFile, ..Manner::USUAL };

/// What an order says.
#[derive(Debug)]
enum Order {
    /// A finished export.
    Static(String),
    /// An export that is still to be asked for.
    Dynamic,
}

pub(super) async fn kick_off(State(consumer): State<Arc<Consumer>>, headers: HeaderMap, body: Bytes) -> Response {
    let script = consumer.server.script();
    if !script.import_enabled {
        return refusal(&headers, StatusCode::NOT_FOUND, "Cannot POST /$import");
    }
    let order = match check_headers(&headers).and_then(|()| Order::read(&body)) {
        Ok(order) => order,
        Err(problem) => return refusal(&headers, StatusCode::BAD_REQUEST, &problem),
    };
    let Order::Static(url) = order else {
        return refusal(&headers, StatusCode::INTERNAL_SERVER_ERROR, "Response code 404 (Not Found)");
    };
    // The manifest is fetched before the answer: without it there is no job.
    match export::files(&consumer.server, &script, &url).await {
        Ok(files) => start(&consumer, script, &headers, files, body).await,
        Err(unusable) => refusal(&headers, StatusCode::INTERNAL_SERVER_ERROR, &unusable.to_string()),
    }
}

async fn start(
    consumer: &Consumer,
    script: Arc<Script>,
    headers: &HeaderMap,
    files: Vec<Input>,
    body: Bytes,
) -> Response {
    let id = consumer.server.ids.uuid().replace('-', "");
    let status_url = consumer.status_url(&id);
    let entry = Entry::new(Starter::KickOff, status_url.clone(), body, consumer.server.now());
    let work = run(Arc::clone(&consumer.server), script, files);
    match consumer.jobs.start(id, entry, |_, _| false, work).await {
        Ok(()) => with(empty(StatusCode::ACCEPTED), CONTENT_LOCATION, &status_url),
        Err(Unstarted::Known(_) | Unstarted::Full) => {
            retry_after(refusal(headers, StatusCode::TOO_MANY_REQUESTS, "Too many requests"), &consumer.server, "1")
        }
    }
}

async fn run(server: Arc<Server>, script: Arc<Script>, files: Vec<Input>) -> End {
    End::of(load(&server, &script, MANNER, files).await)
}

/// Each header may be left out; one that is there has one value only.
fn check_headers(headers: &HeaderMap) -> Result<(), String> {
    for (name, wanted) in [("accept", "application/fhir+json"), ("prefer", "respond-async")] {
        let Some(given) = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes())) else { continue };
        if given != wanted {
            return Err(format!("Only \"{wanted}\" {name} header is supported (received: {given})"));
        }
    }
    Ok(())
}

impl Order {
    fn read(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let parameters = body["parameter"].as_array().filter(|_| body["resourceType"] == "Parameters");
        let parameters = parameters.ok_or("The POST body should be a Parameters resource")?;
        let text = |name: &str, kinds: &[&str]| {
            let found = parameters.iter().find(|parameter| parameter["name"] == name)?;
            kinds.iter().find_map(|kind| found[*kind].as_str()).map(str::to_owned)
        };
        let url = text("exportUrl", &["valueUrl", "valueUri", "valueString"]).ok_or(
            "exportUrl parameter is required and must have a \"valueUrl\", \"valueUri\" or \"valueString\" property.",
        )?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("The exportUrl parameter value must be an URL".to_owned());
        }
        match text("exportType", &["valueCode", "valueString"]).as_deref() {
            Some("static") => Ok(Self::Static(url)),
            None | Some("dynamic") => Ok(Self::Dynamic),
            Some(other) => Err(format!("Invalid exportType parameter {other}. Must be 'static' and 'dynamic'.")),
        }
    }
}
