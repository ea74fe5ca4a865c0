//! `POST $import`: `Parameters` whose inputs have their parts in one order, and files of the server's own disk.

use super::{End, Onfhir, refusal};
use crate::fetch::Source;
use crate::intake::References;
use crate::ledger::Starter;
use crate::load::{self, Blank, Input, Manners, Reach, Repeated};
use crate::parameters::{all, first, of, parts, typed};
use crate::reply::empty;
use crate::script::Script;
use crate::server::Server;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde_json::Value;
use std::sync::Arc;

const FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

/// What is wrong with a kick-off, and where.
enum Problem {
    Invalid(String, String),
    /// The handler has no case for it, and breaks.
    Unhandled,
}

pub(super) async fn kick_off(State(onfhir): State<Arc<Onfhir>>, body: Bytes) -> Response {
    let script = onfhir.server.script();
    if !script.import_enabled {
        return refusal(StatusCode::NOT_FOUND, "not-supported", "$import is not supported", None);
    }
    let inputs = match read(&body) {
        Ok(inputs) => inputs,
        Err(problem) => return problem.answer(),
    };
    let id = onfhir.server.ids.uuid();
    let entry = onfhir.entry(Starter::KickOff, &id, body);
    let work = run(Arc::clone(&onfhir.server), script, inputs);
    match onfhir.jobs.start(id, entry, |_, _| false, work).await {
        Ok(()) => empty(StatusCode::ACCEPTED),
        Err(_full) => refusal(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many imports are running", None),
    }
}

impl Problem {
    fn answer(self) -> Response {
        match self {
            Self::Invalid(text, place) => refusal(StatusCode::BAD_REQUEST, "invalid", &text, Some(place)),
            Self::Unhandled => {
                let text = "An unexpected error occurred";
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "exception", text, None)
            }
        }
    }
}

fn at(parameter: &str) -> String {
    format!("Parameters.parameter.where(name ='{parameter}')")
}

/// The checks in the order of the source.
fn read(body: &[u8]) -> Result<Vec<Input>, Problem> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let parameters = of(&request);
    let invalid = |text: &str, name: &str| Problem::Invalid(text.to_owned(), at(name));
    let format = first(parameters, "inputFormat").and_then(|format| typed(format, "valueString"));
    if !format.is_some_and(|format| FORMATS.contains(&format)) {
        return Err(invalid("The parameter inputFormat should exist and be 'application/fhir+ndjson'!", "inputFormat"));
    }
    let source = first(parameters, "inputSource").and_then(|source| typed(source, "valueUri"));
    let source = source.ok_or_else(|| invalid("The parameter inputSource should exist!", "inputSource"))?;
    let inputs = all(parameters, "input").enumerate().map(|(index, part)| input(index, parts(part), source));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let Some(detail) = first(parameters, "storageDetail") else {
        return Err(invalid("The parameter storageDetail should exist!", "storageDetail"));
    };
    match first(parts(detail), "type").map(|kind| typed(kind, "valueCode")) {
        Some(Some("file")) => Ok(inputs),
        Some(Some(_)) => Err(Problem::Unhandled),
        Some(None) | None => {
            let text = "The parameter storageDetail with children parameter type should exist!";
            Err(invalid(text, "storageDetail"))
        }
    }
}

/// The type and then the URL, and nothing else.
fn input(index: usize, parts: &[Value], source: &str) -> Result<Input, Problem> {
    let names: Vec<_> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    let kind = parts.first().and_then(|part| typed(part, "valueCode"));
    let url = parts.get(1).and_then(|part| typed(part, "valueUri"));
    match (names.as_slice(), kind, url) {
        (["type", "url"], Some(kind), Some(url)) => {
            let source = Source { url: resolve(source, url), basic: None };
            Ok(Input { kind: Some(kind.to_owned()), source })
        }
        _ => Err(Problem::Invalid(
            "One of the parameter input is invalid!".to_owned(),
            format!("{}[{index}]", at("input")),
        )),
    }
}

/// A name without a scheme is one in the folder of the source.
fn resolve(source: &str, url: &str) -> String {
    if url.contains(':') || url.starts_with('/') {
        return url.to_owned();
    }
    let folder = source.rfind('/').map_or("", |end| &source[..=end]);
    format!("{folder}{url}")
}

/// The first bad line of a file is the end of that file.
async fn run(server: Arc<Server>, script: Arc<Script>, inputs: Vec<Input>) -> End {
    let manners = Manners {
        references: References::Unchecked,
        blank: Blank::Nothing,
        repeated: Repeated::Newer,
        bad_line: Reach::RestOfFile,
        unread: load::itself,
        check: load::anything,
    };
    End(load::run(&server, &script, inputs, &manners).await.tally)
}
