//! `POST $import` with the manifest profile of the guide as its body.

use super::{End, Receiver, refusal};
use crate::fetch::Source;
use crate::job::Unstarted;
use crate::ledger::{Entry, Fate, Starter};
use crate::loading::{Input, Manner, load};
use crate::reply::{empty, retry_after, with};
use crate::script::Script;
use crate::server::Server;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CONTENT_LOCATION;
use serde_json::Value;
use std::sync::Arc;

/// What a submission says.
struct Order {
    /// `center/submission`, its place in the status URL.
    key: String,
    files: Vec<Input>,
}

pub(super) async fn kick_off(State(receiver): State<Arc<Receiver>>, body: Bytes) -> Response {
    let script = receiver.server.script();
    if !script.import_enabled {
        return refusal(StatusCode::NOT_FOUND, "not-found", "No POST $import");
    }
    match Order::read(&body) {
        Ok(order) => start(&receiver, script, order, body).await,
        Err(problem) => refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid", problem),
    }
}

/// A submission takes the place of an older one of its name.
async fn start(receiver: &Receiver, script: Arc<Script>, order: Order, body: Bytes) -> Response {
    let status_url = receiver.status_url(&order.key);
    let entry = Entry::new(Starter::KickOff, status_url.clone(), body, receiver.server.now());
    receiver.jobs.forget(&order.key, Fate::Lost);
    let work = run(Arc::clone(&receiver.server), script, order.files);
    match receiver.jobs.start(order.key, entry, |_, _| false, work).await {
        Ok(()) => with(empty(StatusCode::CREATED), CONTENT_LOCATION, &status_url),
        Err(Unstarted::Known(_) | Unstarted::Full) => {
            let busy = refusal(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many submissions");
            retry_after(busy, &receiver.server, "1")
        }
    }
}

async fn run(server: Arc<Server>, script: Arc<Script>, files: Vec<Input>) -> End {
    End { loaded: load(&server, &script, Manner::USUAL, files).await }
}

impl Order {
    /// The value types are those of the profile.
    fn read(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let parameters = body["parameter"].as_array().filter(|_| body["resourceType"] == "Parameters");
        let parameters = parameters.ok_or("the manifest must be a Parameters resource")?;
        let format = named(parameters, "inputFormat").and_then(|found| found["valueCode"].as_str());
        if !format.is_some_and(|format| format.ends_with("fhir+ndjson")) {
            return Err("inputFormat must be fhir+ndjson".to_owned());
        }
        let submission = named(parameters, "submissionId").and_then(|found| found["valueString"].as_str());
        let submission = submission.filter(|id| !id.is_empty()).ok_or("submissionId is required")?;
        let center =
            named(parameters, "hcInformation").and_then(|found| part(found, "hcName")?["valueString"].as_str());
        let center = center.filter(|name| !name.is_empty()).ok_or("hcInformation.hcName is required")?;
        let files: Vec<_> = parameters.iter().filter(|found| found["name"] == "udsData").map(file).collect();
        let files = files.into_iter().collect::<Result<Vec<_>, _>>()?;
        if files.is_empty() {
            return Err("udsData is required".to_owned());
        }
        Ok(Self { key: format!("{center}/{submission}"), files })
    }
}

fn file(data: &Value) -> Result<Input, String> {
    let kind = part(data, "type").and_then(|found| found["valueCode"].as_str()).ok_or("udsData.type is required")?;
    let url = part(data, "url").and_then(|found| found["valueUrl"].as_str()).ok_or("udsData.url is required")?;
    Ok(Input { kind: Some(kind.to_owned()), source: Source { url: url.to_owned(), basic: None } })
}

fn named<'a>(parameters: &'a [Value], name: &str) -> Option<&'a Value> {
    parameters.iter().find(|parameter| parameter["name"] == name)
}

fn part<'a>(parameter: &'a Value, name: &str) -> Option<&'a Value> {
    named(parameter["part"].as_array()?, name)
}
