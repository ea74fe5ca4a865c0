//! The import itself: files one after the other, and nothing of the one with trouble or those behind it.

use super::order::{Mode, Order};
use super::{Edition, FHIR_JSON, news, refusal};
use crate::fetch::Unread;
use crate::intake::{References, Tally};
use crate::job::Ending;
use crate::json;
use crate::ledger::Worked;
use crate::load::{self, Blank, Input, Load, Manners, Problem, Reach, Repeated};
use crate::moment;
use crate::reply::reply;
use crate::resource::Malformed;
use crate::script::Script;
use crate::server::Server;
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};

/// What the newer and the old edition allow when nothing is said.
const STAGING: &str = "file:///usr/share/staging";

/// How an import ended.
pub(super) struct End {
    outcome: Result<Done, Failure>,
    tally: Tally,
}

/// What is said of a good import.
enum Done {
    Outcome,
    Parameters(Value),
}

/// What is said of a bad one, and with which status.
#[derive(Clone)]
struct Failure {
    status: StatusCode,
    text: String,
}

impl Ending for End {
    fn worked(&self) -> Worked {
        if self.outcome.is_ok() { Worked::Done(self.tally) } else { Worked::Failed(self.tally) }
    }
}

impl End {
    pub(super) fn nothing(server: &Server, edition: Edition) -> Self {
        Self { outcome: Ok(Done::of(server, edition, &[])), tally: Tally::default() }
    }

    pub(super) fn answer(&self) -> Response {
        match &self.outcome {
            Ok(Done::Outcome) => news(StatusCode::OK, "Data import completed successfully"),
            Ok(Done::Parameters(parameters)) => reply(StatusCode::OK, FHIR_JSON, json::compact(parameters)),
            Err(failure) => refusal(failure.status, "processing", failure.text.as_str()),
        }
    }
}

impl Done {
    /// Every value is a string, whatever the documentation says.
    fn of(server: &Server, edition: Edition, urls: &[String]) -> Self {
        if edition == Edition::Seven {
            return Self::Outcome;
        }
        let time = moment::instant(server.now()).replace("+00:00", "Z");
        let mut parameters = vec![
            json!({"name": "transactionTime", "valueString": time}),
            json!({"name": "request", "valueString": format!("{}/$import", server.base)}),
        ];
        parameters
            .extend(urls.iter().map(|url| json!({"name": "output", "part": [{"name": "inputUrl", "valueUrl": url}]})));
        Self::Parameters(json!({"resourceType": "Parameters", "parameter": parameters}))
    }
}

fn bad(text: String) -> Failure {
    Failure { status: StatusCode::BAD_REQUEST, text }
}

fn manners() -> Manners {
    Manners {
        references: References::Unchecked,
        blank: Blank::Nothing,
        repeated: Repeated::Newer,
        bad_line: Reach::RestOfJob,
        unread: |_| Reach::RestOfJob,
        check: load::anything,
    }
}

/// Whether a source may be read is asked when its turn comes: those before it are imported.
pub(super) async fn run(server: &Server, script: &Script, order: Order, edition: Edition) -> End {
    let urls: Vec<_> = order.inputs.iter().map(|input| input.url.clone()).collect();
    let refused = order.inputs.iter().position(|input| refused(script, edition, &input.url).is_some());
    let allowed = &order.inputs[..refused.unwrap_or(order.inputs.len())];
    if let Err(failure) = make_room(server, &order, allowed.len()) {
        return End { outcome: Err(failure), tally: Tally::default() };
    }
    let inputs = allowed.iter().filter(|input| keeps(server, order.mode, &input.kind));
    let inputs = inputs.map(|input| Input { kind: Some(input.kind.clone()), source: input.source() }).collect();
    let stores = with_other_names(script);
    let load = load::run(server, &stores, inputs, &manners()).await;
    let trouble = trouble(&load).or_else(|| refused.and_then(|at| self::refused(script, edition, &urls[at])));
    End { outcome: trouble.map_or_else(|| Ok(Done::of(server, edition, &urls)), Err), tally: load.tally }
}

/// A store of the script is found by both names of its scheme.
fn with_other_names(script: &Script) -> Script {
    let other = |(start, at): (&String, &String)| Some((format!("s3a://{}", start.strip_prefix("s3://")?), at.clone()));
    let mut script = script.clone();
    let others: Vec<_> = script.stores.iter().filter_map(other).collect();
    script.stores.extend(others);
    script
}

/// Why a source is not read, if it is not on the list.
fn refused(script: &Script, edition: Edition, url: &str) -> Option<Failure> {
    let stores = with_other_names(script).stores;
    let on_the_list = if stores.is_empty() {
        url.starts_with(STAGING)
    } else {
        stores.keys().any(|start| url.starts_with(start.as_str()))
    };
    match edition {
        _ if on_the_list => None,
        // Recorded: a list that has `http` does not help, the file cannot be read all the same.
        Edition::Seven if url.starts_with("http") => Some(bad(format!("Error reading from URL: {url}"))),
        Edition::Seven => Some(bad(format!("Not allowed to import from URL: {url}"))),
        Edition::Newer => {
            let text = format!("URL: '{url}' is not an allowed source for import.");
            Some(Failure { status: StatusCode::FORBIDDEN, text })
        }
    }
}

/// What a mode does to what is there: `overwrite` replaces the whole type, `error` wants none of it.
fn make_room(server: &Server, order: &Order, allowed: usize) -> Result<(), Failure> {
    let kinds = order.inputs[..allowed].iter().map(|input| input.kind.as_str());
    match order.mode {
        Mode::Overwrite => kinds.for_each(|kind| server.store.clear(kind)),
        Mode::Error => {
            if let Some(kind) = kinds.into_iter().find(|kind| server.store.count_of(kind) > 0) {
                return Err(bad(format!("Resource type {kind} already exists")));
            }
        }
        Mode::Merge | Mode::Append | Mode::Ignore => {}
    }
    Ok(())
}

/// `ignore` leaves a type alone that is there.
fn keeps(server: &Server, mode: Mode, kind: &str) -> bool {
    mode != Mode::Ignore || server.store.count_of(kind) == 0
}

/// The first trouble. That a resource is rejected by the script is one too.
fn trouble(load: &Load) -> Option<Failure> {
    load.files.iter().find_map(|file| {
        let url = &file.input.source.url;
        let unread = file.unread.as_ref().map(|unread| unreadable(unread, url));
        unread.or_else(|| file.bad.first().map(|bad_line| bad(explain(&bad_line.problem))))
    })
}

fn unreadable(unread: &Unread, url: &str) -> Failure {
    match unread {
        Unread::Refused(_) | Unread::Unsupported | Unread::Unreachable(_) => {
            bad(format!("Error reading from URL: {url}"))
        }
        Unread::Broken(_) => {
            Failure { status: StatusCode::INTERNAL_SERVER_ERROR, text: "Unexpected error occurred".to_owned() }
        }
    }
}

/// Recorded is the line that ends too early.
fn explain(problem: &Problem) -> String {
    match problem {
        Problem::Malformed(Malformed::Json { cut_short, column, message }) => {
            let what = if *cut_short { "Unexpected end-of-input within/between Object entries" } else { message };
            format!("Invalid JSON content: {what}\n at [Source: UNKNOWN; line: 1, column: {column}]")
        }
        Problem::Malformed(Malformed::Untyped) => {
            "Invalid JSON content detected, missing required element: 'resourceType'".to_owned()
        }
        Problem::OtherKind => "Incorrect resource type found".to_owned(),
        Problem::Invalid(_) | Problem::Repeated | Problem::Refused(_) => {
            "A resource is rejected by the script".to_owned()
        }
    }
}
