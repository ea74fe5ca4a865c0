//! The import itself, and the manifest of what became of it.

use super::kick_off::{Input, Order};
use crate::fetch::{Reader, Source, Unread};
use crate::intake::{References, Refusal, Tally, Verdict, take_in, tally};
use crate::job::Ending;
use crate::json;
use crate::ledger::Worked;
use crate::moment;
use crate::outcome::{Issue, outcome};
use crate::resource::{Malformed, Resource};
use crate::script::Script;
use crate::server::Server;
use crate::store::Store;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::SystemTime;

/// What the work knows of its job.
pub(super) struct Accepted {
    pub(super) status_url: String,
    pub(super) created: SystemTime,
}

/// The result of an import. A failure of some resources, or of all, is a result too.
pub(super) struct Manifest {
    job: Accepted,
    request: String,
    files: Vec<File>,
    tally: Tally,
}

impl Ending for Manifest {
    fn worked(&self) -> Worked {
        Worked::Done(self.tally)
    }
}

/// What became of one input.
struct File {
    url: String,
    stored: u64,
    /// One issue for each resource that is not stored, or one for the whole file.
    errors: Vec<Issue>,
}

/// The resources of an import in the order of the inputs, each with its input and its line.
#[derive(Default)]
struct Batch {
    resources: Vec<(String, Resource)>,
    places: Vec<(usize, usize)>,
    /// How many lines were no resource of the kind they should be.
    unusable: u64,
}

/// Reads every file once, line by line, keeps what can be kept, and writes down the rest.
pub(super) async fn run(server: Arc<Server>, script: Arc<Script>, order: Order, job: Accepted) -> Manifest {
    let mut batch = Batch::default();
    let mut files = Vec::new();
    for input in &order.input {
        files.push(read(&server.reader, input, files.len(), &order.input_source, &mut batch).await);
    }
    let mut manifest = Manifest { files, ..Manifest::of_nothing(&server, job) };
    manifest.tally = store(&server.store, &script, &batch, &mut manifest.files);
    manifest.tally.refused += batch.unusable;
    manifest
}

fn store(store: &Store, script: &Script, batch: &Batch, files: &mut [File]) -> Tally {
    let references = References::Unchecked.scripted(script);
    let verdicts = take_in(store, script, references, &batch.resources);
    let tally = tally(script, &verdicts);
    for (verdict, (file, line)) in verdicts.into_iter().zip(&batch.places) {
        match verdict {
            Verdict::Stored(_) => files[*file].stored += 1,
            Verdict::Refused(refusal) => files[*file].errors.push(refused(*line, &refusal)),
        }
    }
    if let Some(first) = files.first_mut() {
        first.stored = first.stored.saturating_add_signed(script.lie_count);
    }
    tally
}

/// Reads one input. A file that cannot be read to its end keeps the resources before the break.
async fn read(reader: &Reader, input: &Input, index: usize, source: &str, batch: &mut Batch) -> File {
    let mut file = File { url: input.url.clone(), stored: 0, errors: Vec::new() };
    if let Err(unread) = read_lines(reader, input, index, source, batch, &mut file.errors).await {
        file.errors.push(unreadable(&input.url, &unread));
    }
    file
}

async fn read_lines(
    reader: &Reader,
    input: &Input,
    index: usize,
    source: &str,
    batch: &mut Batch,
    errors: &mut Vec<Issue>,
) -> Result<(), Unread> {
    let mut lines = Source { url: input.url.clone(), basic: None }.open(reader).await?;
    let mut number = 0;
    while let Some(line) = lines.next().await? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match resource(&line, number, &input.kind) {
            Ok((id, mut resource)) => {
                set_source(&mut resource, source);
                batch.resources.push((id, resource));
                batch.places.push((index, number));
            }
            Err(issue) => {
                batch.unusable += 1;
                errors.push(issue);
            }
        }
    }
    Ok(())
}

fn resource(line: &[u8], number: usize, kind: &str) -> Result<(String, Resource), Issue> {
    let resource = Resource::parse(line).map_err(|malformed| unparsable(number, &malformed))?;
    if resource.kind != kind {
        return Err(Issue::error("invalid", format!("line {number}: expected {kind}, found {}", resource.kind)));
    }
    match resource.id.clone() {
        Some(id) => Ok((id, resource)),
        None => Err(Issue::error("required", format!("line {number}: {kind} without an id"))),
    }
}

/// `meta.source` becomes the `inputSource` where a resource has none, as the draft says.
fn set_source(resource: &mut Resource, source: &str) {
    let meta = resource.content.entry("meta").or_insert_with(|| Value::Object(Map::new()));
    if let Some(meta) = meta.as_object_mut() {
        meta.entry("source").or_insert_with(|| source.into());
    }
}

fn unparsable(number: usize, malformed: &Malformed) -> Issue {
    let problem = match malformed {
        Malformed::Json { message, .. } => format!("line {number}: not a JSON object: {message}"),
        Malformed::Untyped => format!("line {number}: no resourceType"),
    };
    Issue::error("structure", problem)
}

fn refused(line: usize, refusal: &Refusal) -> Issue {
    match refusal {
        Refusal::Scripted => Issue::error("processing", format!("line {line}: rejected by the script")),
        Refusal::Dangling { path, target } => {
            Issue::error("not-found", format!("line {line}: {path} refers to {target}, which does not exist"))
        }
    }
}

fn unreadable(url: &str, unread: &Unread) -> Issue {
    let why = match unread {
        Unread::Unreachable(address) => format!("{address} is unreachable"),
        Unread::Broken(error) => error.clone(),
        Unread::Refused(status) => format!("the answer was {status}"),
        Unread::Unsupported => "it is not plain HTTP".to_owned(),
    };
    Issue::error("exception", format!("{url} could not be read: {why}"))
}

impl Manifest {
    /// The result of a job without inputs.
    pub(super) fn of_nothing(server: &Server, job: Accepted) -> Self {
        let request = format!("{}/$import", server.base);
        Self { job, request, files: Vec::new(), tally: Tally::default() }
    }

    /// `transactionTime` is when the job was created. Every input has a row under `output`; only those with errors have one under `error`. The draft calls the
    /// field `input` in its table and `inputUrl` in its example: this is the example.
    pub(super) fn to_json(&self) -> Value {
        let output = self.files.iter().map(|file| row(file, file.stored)).collect::<Vec<_>>();
        let failed = self.files.iter().enumerate().filter(|(_, file)| !file.errors.is_empty());
        let error = failed.map(|(index, file)| {
            let mut row = row(file, file.errors.len() as u64);
            row["url"] = format!("{}/{}", self.job.status_url, file_name(index)).into();
            row
        });
        json!({"transactionTime": moment::instant(self.job.created), "request": self.request, "output": output,
            "error": error.collect::<Vec<_>>()})
    }

    /// One OperationOutcome a line. `None`: no input has errors under this name.
    pub(super) fn error_file(&self, name: &str) -> Option<String> {
        let (_, file) = self.files.iter().enumerate().find(|(index, _)| file_name(*index) == name)?;
        let line = |issue: &Issue| json::compact(&outcome(std::slice::from_ref(issue))) + "\n";
        (!file.errors.is_empty()).then(|| file.errors.iter().map(line).collect())
    }
}

fn row(file: &File, count: u64) -> Value {
    json!({"type": "OperationOutcome", "count": count, "inputUrl": file.url})
}

fn file_name(index: usize) -> String {
    format!("errors-{}.ndjson", index + 1)
}
