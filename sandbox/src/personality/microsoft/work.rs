//! The units of a job, the rows about them, and the error blobs.

use super::kick_off::{self, Order};
use crate::fetch::{Source, Unread};
use crate::intake::{References, Refusal, Tally};
use crate::job::Ending;
use crate::ledger::Worked;
use crate::load::{self, BadLine, Blank, Input, Loaded, Manners, Place, Problem, Reach, Repeated};
use crate::moment;
use crate::resource::{Malformed, Resource};
use crate::script::Script;
use crate::server::Server;
use crate::{json, stores};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// How many bytes a unit reads when the request does not say.
pub(super) const UNIT_BYTES: u64 = 1_000;

/// What the work knows of its job: its number, and when it was created.
pub(super) struct Ticket {
    pub(super) group: u64,
    pub(super) created: SystemTime,
}

/// How a job ended.
pub(super) struct End {
    pub(super) state: Final,
    tally: Tally,
}

pub(super) enum Final {
    Completed(Report),
    Failed { status: u16, reason: String },
}

/// What became of the units of a job.
pub(super) struct Report {
    created: String,
    request: String,
    units: Vec<Unit>,
}

/// A part of a file.
struct Unit {
    kind: Option<String>,
    url: String,
    stored: u64,
    blob: Option<Blob>,
}

/// The errors of a unit.
struct Blob {
    url: String,
    lines: Vec<String>,
}

impl Ending for End {
    fn worked(&self) -> Worked {
        match self.state {
            Final::Completed(_) => Worked::Done(self.tally),
            Final::Failed { .. } => Worked::Failed(self.tally),
        }
    }
}

impl End {
    pub(super) fn nothing() -> Self {
        let report = Report { created: String::new(), request: String::new(), units: Vec::new() };
        Self { state: Final::Completed(report), tally: Tally::default() }
    }
}

fn manners() -> Manners {
    Manners {
        references: References::Unchecked,
        blank: Blank::BadLine,
        repeated: Repeated::BadLine,
        bad_line: Reach::Itself,
        unread: |_| Reach::RestOfJob,
        check,
    }
}

/// A resource of an import brings its id.
fn check(resource: &Resource) -> Option<String> {
    match (&resource.id, resource.kind.as_str()) {
        (_, "SearchParameter") => Some("SearchParameter resources cannot be processed by import.".to_owned()),
        (None, _) => Some("Resource id is empty.".to_owned()),
        _ => None,
    }
}

/// Asks for every blob before it reads one: a job whose inputs are not all there stores nothing.
pub(super) async fn run(server: Arc<Server>, script: Arc<Script>, order: Order, job: Ticket) -> End {
    for input in &order.inputs {
        let source = Source { url: input.url.clone(), basic: None };
        if let Err(unread) = stores::open(&server.reader, &script.stores, &source).await {
            return failed(&unread, &input.url, Tally::default());
        }
    }
    let inputs = order.inputs.iter().map(input).collect();
    let load = load::run(&server, &script, inputs, &manners()).await;
    let broken = load.files.iter().find_map(|file| Some((file.unread.as_ref()?, &file.input.source.url)));
    if let Some((unread, url)) = broken {
        return failed_unit(unread, url, load.tally);
    }
    let files = load.files.iter().enumerate();
    let units = files.flat_map(|(index, file)| units(&server, &script, &order, &job, (index, file))).collect();
    let report =
        Report { created: moment::instant_to(job.created, 7), request: format!("{}/$import", server.base), units };
    End { state: Final::Completed(report), tally: load.tally }
}

fn input(input: &kick_off::Input) -> Input {
    Input { kind: input.kind.clone(), source: Source { url: input.url.clone(), basic: None } }
}

/// The reason is masked where the status is 500.
fn failed(unread: &Unread, url: &str, tally: Tally) -> End {
    let (status, reason) = match unread {
        Unread::Refused(404) => (404, "The specified blob does not exist.".to_owned()),
        Unread::Refused(401 | 403) => (403, "Server failed to authenticate the request.".to_owned()),
        Unread::Unreachable(address) => (400, format!("No such host is known. ({address})")),
        Unread::Unsupported => (400, format!("No such host is known. ({url})")),
        Unread::Refused(_) | Unread::Broken(_) => (500, "InternalServerError".to_owned()),
    };
    End { state: Final::Failed { status, reason }, tally }
}

/// What a unit failed at also names its blob, which the text calls the error file.
fn failed_unit(unread: &Unread, url: &str, tally: Tally) -> End {
    let mut end = failed(unread, url, tally);
    if let Final::Failed { reason, .. } = &mut end.state {
        *reason = format!("{reason} ErrorFile: {url}");
    }
    end
}

/// A unit skips the line its offset falls on or in, and ends with the line that reaches its length.
fn unit_of(place: Place, bytes: u64) -> u64 {
    place.offset.saturating_sub(1) / bytes
}

fn units(server: &Server, script: &Script, order: &Order, job: &Ticket, (index, file): (usize, &Loaded)) -> Vec<Unit> {
    let mut lines: BTreeMap<u64, Vec<(Place, Option<&BadLine>)>> = BTreeMap::new();
    let good = file.stored.iter().map(|place| (*place, None));
    for line in good.chain(file.bad.iter().map(|bad| (bad.place, Some(bad)))) {
        lines.entry(unit_of(line.0, order.unit_bytes)).or_default().push(line);
    }
    let lied = file.claimed(index, script) as i64 - file.stored.len() as i64;
    let all = lines.into_iter().enumerate().map(|(number, (unit, mut lines))| {
        lines.sort_by_key(|line| line.0);
        let stored = lines.iter().filter(|line| line.1.is_none()).count() as u64;
        let kind = file.input.kind.clone();
        // Numbers of units follow those of the jobs and repeat from file to file; the name has the file's too.
        let name = format!("{}{}_{}", kind.as_deref().unwrap_or_default(), job.group, job.group + 1 + index as u64);
        let url = format!("{}/{}/{name}_{number}.ndjson", server.origin, order.container);
        let stored = if number == 0 { stored.saturating_add_signed(lied) } else { stored };
        Unit { kind, url: file.input.source.url.clone(), stored, blob: blob(url, &lines, unit * order.unit_bytes) }
    });
    all.collect()
}

fn blob(url: String, lines: &[(Place, Option<&BadLine>)], offset: u64) -> Option<Blob> {
    let numbered = lines.iter().enumerate();
    let lines: Vec<_> = numbered.filter_map(|(at, (_, bad))| Some(error_line((*bad)?, at + 1, offset))).collect();
    (!lines.is_empty()).then_some(Blob { url, lines })
}

/// An issue without a code, as the serializer writes it: the line counts from the start of its unit.
fn error_line(bad: &BadLine, line: usize, offset: u64) -> String {
    let text = explain(bad, line);
    let diagnostics = format!("Failed to process resource at line: {line} with stream start offset: {offset}");
    let issue = json!({"severity": "error", "details": {"text": text}, "diagnostics": diagnostics});
    json::compact(&json!({"resourceType": "OperationOutcome", "issue": [issue]}))
}

/// The words about a line that is no JSON or has no type are those of the parser, and were not looked up.
fn explain(bad: &BadLine, line: usize) -> String {
    let id = bad.id.as_deref().unwrap_or_default();
    match &bad.problem {
        Problem::Malformed(Malformed::Json { message, .. }) => format!("Invalid Json encountered. Details: {message}"),
        Problem::Malformed(Malformed::Untyped) => "Root object has no type indication (resourceType)".to_owned(),
        Problem::OtherKind => "Resource type not match.".to_owned(),
        Problem::Invalid(text) => text.clone(),
        Problem::Repeated => format!("Failed to import duplicate resource, resource id: {id}, line: {line}"),
        Problem::Refused(Refusal::Scripted) => format!("Resource {id} is rejected by the script"),
        Problem::Refused(Refusal::Dangling { target, .. }) => format!("Resource {target} does not exist"),
    }
}

/// Which rows of `output` a status has.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Detail {
    /// One for each file.
    Files,
    /// One for each unit.
    Units,
    /// Those of the first unit only: the others are still at work.
    FirstUnit,
}

impl Report {
    /// Rows about errors are never put together: there is one for each unit that has some.
    pub(super) fn to_json(&self, detail: Detail) -> Value {
        let many = if detail == Detail::FirstUnit { 1 } else { self.units.len() };
        let units: Vec<&Unit> = self.units.iter().take(many).collect();
        let output =
            if detail == Detail::Files { by_file(&units) } else { units.iter().map(|unit| output(unit)).collect() };
        let error: Vec<_> = units.iter().filter_map(|unit| error(unit)).collect();
        json!({"transactionTime": self.created, "request": self.request, "output": output, "error": error})
    }

    /// The content of an error blob.
    pub(super) fn blob(&self, url: &str) -> Option<String> {
        let blob = self.units.iter().filter_map(|unit| unit.blob.as_ref()).find(|blob| blob.url == url)?;
        Some(blob.lines.iter().map(|line| format!("{line}\n")).collect())
    }
}

fn by_file(units: &[&Unit]) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    for unit in units {
        match rows.iter_mut().find(|row| row["inputUrl"] == unit.url.as_str()) {
            Some(row) => row["count"] = (row["count"].as_u64().unwrap_or(0) + unit.stored).into(),
            None => rows.push(output(unit)),
        }
    }
    rows
}

fn output(unit: &Unit) -> Value {
    json!({"type": unit.kind, "count": unit.stored, "inputUrl": unit.url})
}

fn error(unit: &Unit) -> Option<Value> {
    let blob = unit.blob.as_ref()?;
    Some(json!({"type": unit.kind, "count": blob.lines.len(), "inputUrl": unit.url, "url": blob.url}))
}
