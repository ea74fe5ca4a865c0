//! The import itself: files and lines in their order, each checked against what came before it.

use crate::fetch::Unread;
use crate::intake::{References, Refusal, Tally};
use crate::job::Ending;
use crate::ledger::Worked;
use crate::load::{self, BadLine, Blank, Input, Load, Loaded, Manners, Problem, Reach, Repeated};
use crate::resource::{Malformed, Resource};
use crate::script::Script;
use crate::server::Server;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;

/// What a kick-off asks for.
pub(super) struct Order {
    pub(super) inputs: Vec<Input>,
    pub(super) validation: Validation,
}

/// Whether content and references are checked.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Validation {
    Done,
    Skipped,
}

/// How a job ended.
pub(super) struct End {
    pub(super) state: Final,
    pub(super) at: SystemTime,
    tally: Tally,
}

pub(super) enum Final {
    /// Its result.
    Completed(Value),
    /// Why it failed.
    Failed(String),
}

impl Ending for End {
    fn worked(&self) -> Worked {
        match self.state {
            Final::Completed(_) => Worked::Done(self.tally),
            Final::Failed(_) => Worked::Failed(self.tally),
        }
    }
}

impl End {
    pub(super) fn nothing(at: SystemTime) -> Self {
        let result = json!({"errors": [], "total_created": 0, "total_errors": 0});
        Self { state: Final::Completed(result), at, tally: Tally::default() }
    }
}

fn manners(validation: Validation) -> Manners {
    let checked = validation == Validation::Done;
    Manners {
        references: if checked { References::ToEarlier } else { References::Unchecked },
        blank: Blank::Nothing,
        repeated: Repeated::Newer,
        bad_line: Reach::Itself,
        unread: |unread| if matches!(unread, Unread::Refused(_)) { Reach::Itself } else { Reach::RestOfJob },
        check: if checked { invalid } else { load::anything },
    }
}

pub(super) async fn run(server: Arc<Server>, script: Arc<Script>, order: Order) -> End {
    let load = load::run(&server, &script, order.inputs, &manners(order.validation)).await;
    let (tally, at) = (load.tally, server.now());
    End { state: broken(&load).map_or_else(|| Final::Completed(result(&load, &script)), Final::Failed), at, tally }
}

/// A file whose server does not answer fails the job; one that its server does not have does not.
fn broken(load: &Load) -> Option<String> {
    let file = load
        .files
        .iter()
        .find(|file| file.unread.as_ref().is_some_and(|unread| !matches!(unread, Unread::Refused(_))))?;
    let url = &file.input.source.url;
    Some(format!("Failed to fetch {url}: error sending request for url ({url})"))
}

fn result(load: &Load, script: &Script) -> Value {
    let created: u64 = load.files.iter().enumerate().map(|(index, file)| file.claimed(index, script)).sum();
    let errors: Vec<_> = load.files.iter().flat_map(rows).collect();
    json!({"total_errors": errors.len(), "errors": errors, "total_created": created})
}

/// Lines are counted without the blank ones. A file that was refused has a row without a line.
fn rows(file: &Loaded) -> Vec<Value> {
    let url = &file.input.source.url;
    let row = |bad: &BadLine| json!({"source": url, "line": bad.place.filled, "error": explain(bad, file)});
    let refused = file.unread.as_ref().and_then(|unread| match unread {
        Unread::Refused(status) => Some(*status),
        _ => None,
    });
    let refused = refused.map(|status| {
        let reason = StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string());
        json!({"source": url, "error": format!("Failed to fetch {url}: HTTP {reason}")})
    });
    refused.into_iter().chain(file.bad.iter().map(row)).collect()
}

fn explain(bad: &BadLine, file: &Loaded) -> String {
    let expected = file.input.kind.as_deref().unwrap_or_default();
    match &bad.problem {
        Problem::Malformed(Malformed::Json { message, .. }) => format!("Invalid JSON: {message}"),
        Problem::Malformed(Malformed::Untyped) => format!("Expected resourceType '{expected}', got 'null'"),
        Problem::OtherKind => {
            format!("Expected resourceType '{expected}', got '{}'", bad.kind.as_deref().unwrap_or("null"))
        }
        Problem::Invalid(text) => format!("Validation failed: {text}"),
        Problem::Refused(Refusal::Dangling { target, .. }) => {
            format!("Validation failed: Referenced resource '{target}' does not exist (got: \"{target}\")")
        }
        Problem::Refused(Refusal::Scripted) | Problem::Repeated => "Rejected by the script".to_owned(),
    }
}

/// The two checks of content that were recorded, in the recorded order.
fn invalid(resource: &Resource) -> Option<String> {
    let text = |name: &str| resource.content.get(name).and_then(Value::as_str);
    let date = text("birthDate").filter(|date| !is_date(date));
    let date = date.map(|date| format!("date does not match FHIR regex: \"{date}\" (expected: \"date\")"));
    let code = text("gender").filter(|code| !["male", "female", "other", "unknown"].contains(code));
    let code = code.map(|code| {
        let set = "http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1";
        format!("Code '{code}' is not valid in required ValueSet {set} (expected: \"{set}\")")
    });
    let problems: Vec<_> = date.into_iter().chain(code).collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

/// A year, perhaps with a month, perhaps with a day.
fn is_date(text: &str) -> bool {
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.split('-');
    let year = parts.next().is_some_and(|part| digits(part, 4));
    let rest: Vec<_> = parts.collect();
    year && rest.len() <= 2 && rest.iter().all(|part| digits(part, 2))
}
