//! The batch job behind `$import`.

use super::kick_off::Order;
use super::report::{Action, Report};
use crate::fetch::{Lines, Reader, Source, Unread};
use crate::identity::Ids;
use crate::intake::{References, Refusal, Tally, Verdict, take_in, tally};
use crate::job::Ending;
use crate::ledger::Worked;
use crate::r4;
use crate::resource::{Malformed, Resource};
use crate::script::Script;
use crate::server::Server;
use crate::store::Store;
use std::sync::Arc;
use std::time::SystemTime;

/// How often HAPI tries again what might have been bad luck; it gives up after the fourth failure.
pub(super) const RETRIES: u32 = 3;

/// The step error HAPI does not retry begins with the name of its class.
const FATAL: &str = "ca.uhn.fhir.batch2.api.JobExecutionFailedException:";

/// A file's content type must contain one of these.
const CONTENT_TYPES: [&str; 6] = [
    "application/ndjson",
    "application/fhir+ndjson",
    "application/json+fhir",
    "application/fhir+json",
    "application/json",
    "text/plain",
];

/// How a job ended, and what it really did.
pub(super) struct End {
    pub(super) state: Final,
    tally: Tally,
}

/// The state a job stays in.
pub(super) enum Final {
    Completed(Report),
    Failed(Failure),
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
    /// The end of a job that had nothing to do.
    pub(super) fn nothing(now: SystemTime) -> Self {
        Self { state: Final::Completed(Report::new(now)), tally: Tally::default() }
    }

    /// Whether the job was in the state ERRORED for a while before it failed.
    pub(super) fn retried(&self) -> bool {
        matches!(&self.state, Final::Failed(failure) if failure.errors > 1)
    }
}

/// A failed job. It may have stored much: the report, where there is one, says what.
pub(super) struct Failure {
    pub(super) errors: u32,
    pub(super) last: String,
    pub(super) report: Option<Report>,
}

impl Failure {
    fn fatal(error: &str) -> Self {
        Self { errors: 1, last: format!("{FATAL} {error}"), report: None }
    }

    fn retried(error: &str) -> Self {
        let errors = RETRIES + 1;
        Self { errors, last: format!("Too many errors: {errors}. Last err msg {error}"), report: None }
    }
}

/// The resources of a job in the order they are stored, each with its origin.
#[derive(Default)]
struct Batch {
    resources: Vec<(String, Resource)>,
    origins: Vec<Origin>,
}

/// Where a resource came from, and whether it brought its own id.
struct Origin {
    source: usize,
    has_id: bool,
}

/// Reads every file twice, as HAPI's two passes do, and stores what the second pass read.
pub(super) async fn run(server: Arc<Server>, script: Arc<Script>, order: Order) -> End {
    let mut report = Report::new(server.now());
    let mut batch = Batch::default();
    let trouble = gather(&server, &order, &mut batch).await.err();
    let tally = store(&server.store, &script, &order, &batch, &mut report);
    report.end(server.now());
    End { state: last_state(trouble, report), tally }
}

fn last_state(trouble: Option<Failure>, report: Report) -> Final {
    match trouble {
        Some(failure) => Final::Failed(failure),
        None if report.has_failures() => {
            let last = "HAPI-2673: Job completed with at least one failure".to_owned();
            Final::Failed(Failure { errors: 0, last, report: Some(report) })
        }
        None => Final::Completed(report),
    }
}

fn store(store: &Store, script: &Script, order: &Order, batch: &Batch, report: &mut Report) -> Tally {
    let references = References::ToTheBatch.scripted(script);
    let verdicts = take_in(store, script, references, &batch.resources);
    for ((verdict, origin), (id, resource)) in verdicts.iter().zip(&batch.origins).zip(&batch.resources) {
        let url = &order.sources[origin.source].url;
        match verdict {
            Verdict::Stored(change) => report.stored(url, Action::of(*change, origin.has_id)),
            Verdict::Refused(refusal) => report.failed(url, explain(refusal, &resource.kind, id)),
        }
    }
    if let Some(first) = order.sources.first() {
        report.lie(&first.url, script.lie_count);
    }
    tally(script, &verdicts)
}

fn explain(refusal: &Refusal, kind: &str, id: &str) -> String {
    match refusal {
        Refusal::Dangling { path, target } => {
            format!("HAPI-1094: Resource {target} not found, specified in path: {path}")
        }
        Refusal::Scripted => format!("{kind}/{id} is rejected by the script"),
    }
}

/// Fills the batch up to the first chunk that cannot be parsed. Chunks before that one are stored all the same.
async fn gather(server: &Server, order: &Order, batch: &mut Batch) -> Result<(), Failure> {
    for source in &order.sources {
        let lines = open(&server.reader, source).await?;
        lines.skip().await.map_err(|unread| Failure::retried(&reason(&unread, &source.url)))?;
    }
    for index in 0..order.sources.len() {
        read(server, order, index, batch).await?;
    }
    Ok(())
}

async fn read(server: &Server, order: &Order, index: usize, batch: &mut Batch) -> Result<(), Failure> {
    let source = &order.sources[index];
    let broken = |unread: Unread| Failure::retried(&reason(&unread, &source.url));
    let mut lines = open(&server.reader, source).await?;
    let mut chunk = Vec::new();
    while let Some(line) = lines.next().await.map_err(broken)? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        chunk.push(parse(&line).map_err(|problem| Failure::fatal(&problem))?);
        if chunk.len() == order.chunk {
            batch.add(&server.ids, index, chunk.drain(..));
        }
    }
    batch.add(&server.ids, index, chunk.drain(..));
    Ok(())
}

impl Batch {
    fn add(&mut self, ids: &Ids, source: usize, chunk: impl Iterator<Item = Resource>) {
        for mut resource in chunk {
            self.origins.push(Origin { source, has_id: resource.id.is_some() });
            let id = resource.id.clone().unwrap_or_else(|| ids.uuid());
            resource.name(id.clone());
            self.resources.push((id, resource));
        }
    }
}

/// Opens a file that HAPI would read. What might be bad luck is tried four times.
async fn open(reader: &Reader, source: &Source) -> Result<Lines, Failure> {
    let mut last = String::new();
    for _ in 0..=RETRIES {
        last = match source.open(reader).await {
            Ok(lines) if supported(&lines.content_type) => return Ok(lines),
            Ok(lines) => unsupported(&lines.content_type, &source.url),
            Err(refused @ Unread::Refused(_)) => return Err(Failure::fatal(&reason(&refused, &source.url))),
            Err(unread) => reason(&unread, &source.url),
        };
    }
    Err(Failure::retried(&last))
}

fn supported(content_type: &str) -> bool {
    CONTENT_TYPES.iter().any(|supported| content_type.contains(supported))
}

fn unsupported(content_type: &str, url: &str) -> String {
    let supported = CONTENT_TYPES.join(", ");
    format!(
        "Received content type \"{content_type}\" from URL: {url}. \
         This format is not one of the supported content type: {supported}"
    )
}

/// The refused connection and the refused request are recorded; the other two were not provoked.
fn reason(unread: &Unread, url: &str) -> String {
    match unread {
        Unread::Refused(status) => format!("HAPI-2056: Received HTTP {status} from URL: {url}"),
        Unread::Unreachable(address) => {
            let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
            format!("HAPI-2054: Connect to {address} [/{host}] failed: Connection refused")
        }
        Unread::Broken(error) => format!("HAPI-2054: {error}"),
        Unread::Unsupported => format!("HAPI-2054: {url} is not plain HTTP"),
    }
}

/// A line as HAPI's strict parser reads it. It fails at the first fault and with it the job.
fn parse(line: &[u8]) -> Result<Resource, String> {
    let failed =
        |error: String| format!("HAPI-2674: Failed to parse resource: ca.uhn.fhir.parser.DataFormatException: {error}");
    let resource = Resource::parse(line).map_err(|malformed| failed(describe(&malformed)))?;
    if !r4::is_type(&resource.kind) {
        let kind = &resource.kind;
        return Err(failed(format!(
            "HAPI-1684: Unknown resource name \"{kind}\" (this name is not known in FHIR version \"R4\")"
        )));
    }
    match unknown_gender(&resource) {
        None => Ok(resource),
        Some(code) => Err(failed(format!(
            "HAPI-1821: [element=\"gender\"] Invalid attribute value \"{code}\": \
             Unknown AdministrativeGender code '{code}'"
        ))),
    }
}

fn describe(malformed: &Malformed) -> String {
    match malformed {
        Malformed::Json { cut_short, column, message } => {
            let what = if *cut_short { "Unexpected end-of-input within/between Object entries" } else { message };
            format!("HAPI-1861: Failed to parse JSON encoded FHIR content: {what}\n at [line: 1, column: {column}]")
        }
        Malformed::Untyped => {
            "HAPI-1838: Invalid JSON content detected, missing required element: 'resourceType'".to_owned()
        }
    }
}

/// HAPI refuses any code outside a required value set. This server knows the one that was recorded.
fn unknown_gender(resource: &Resource) -> Option<&str> {
    let code = resource.content.get("gender")?.as_str()?;
    (!["male", "female", "other", "unknown"].contains(&code)).then_some(code)
}
