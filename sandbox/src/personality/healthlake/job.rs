//! A job: its work, and `DescribeFHIRImportJob`.

use super::call::{Refused, answer};
use super::start::{Order, store};
use super::{HealthLake, id_of};
use crate::clock::unix_millis;
use crate::fetch::Source;
use crate::job::Ending;
use crate::ledger::{Entry, Fate, Worked};
use crate::loading::{File, Input, Loaded, Manner, load};
use crate::script::Script;
use crate::server::Server;
use crate::stores;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;

/// How a job ended.
pub(super) struct End {
    loaded: Loaded,
    ended: SystemTime,
    /// Why it failed as a whole.
    message: Option<String>,
}

impl Ending for End {
    fn worked(&self) -> Worked {
        match self.message {
            Some(_) => Worked::Failed(self.loaded.tally),
            None => Worked::Done(self.loaded.tally),
        }
    }
}

impl End {
    pub(super) fn of_nothing(ended: SystemTime) -> Self {
        Self { loaded: Loaded::default(), ended, message: None }
    }

    fn status(&self) -> &'static str {
        let whole = self.loaded.files.iter().all(File::is_whole);
        match (&self.message, whole) {
            (Some(_), _) => "FAILED",
            (None, true) => "COMPLETED",
            (None, false) => "COMPLETED_WITH_ERRORS",
        }
    }
}

/// Loads everything below the prefix. A prefix without a file is a wrong parameter, of which the guide says that it
/// fails the job with a message; the words are not documented.
pub(super) async fn run(server: Arc<Server>, script: Arc<Script>, order: Order) -> End {
    let names = stores::list(&server.reader, &script.stores, order.prefix());
    let message = names.is_empty().then(|| format!("No files were found at {}", order.prefix()));
    let input = |url: String| Input { kind: None, source: Source { url, basic: None } };
    let loaded = load(&server, &script, Manner::USUAL, names.into_iter().map(input).collect()).await;
    End { loaded, ended: server.now(), message }
}

pub(super) async fn describe(State(lake): State<Arc<HealthLake>>, body: Bytes) -> Response {
    match describe_or_refuse(&lake, &body).await {
        Ok(answer) => answer,
        Err(refused) => refused.into_response(),
    }
}

async fn describe_or_refuse(lake: &HealthLake, body: &[u8]) -> Result<Response, Refused> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Refused::new("SerializationException", ""))?;
    for (name, member) in [("DatastoreId", "datastoreId"), ("JobId", "jobId")] {
        body[name].as_str().ok_or_else(|| Refused::invalid(member, "null", "Member must not be null"))?;
    }
    store(body["DatastoreId"].as_str().unwrap_or_default())?;
    let id = body["JobId"].as_str().unwrap_or_default();
    let Some(poll) = lake.jobs.poll(id) else {
        return Err(Refused::new("ResourceNotFoundException", format!("Job with id {id} does not exist.")));
    };
    let end = poll.end(&lake.server.script()).await;
    if end.is_some() {
        poll.job.entry.show_end();
    }
    let running = if poll.number == 1 { "SUBMITTED" } else { running(lake, &poll.job.entry) };
    Ok(answer(lake, &json!({"ImportJobProperties": properties(&poll.job.entry, end.as_deref(), running)})))
}

/// One job runs at a time, the others wait in their order.
pub(super) fn running(lake: &HealthLake, entry: &Entry) -> &'static str {
    let (script, now) = (lake.server.script(), lake.server.now());
    let first = lake.jobs.list().into_iter().find(|known| known.fate(&script, now) == Fate::Running);
    let is_first = first.is_none_or(|first| first.status_url == entry.status_url);
    if is_first { "IN_PROGRESS" } else { "QUEUED" }
}

/// What is known of a job. Times are seconds with a fraction.
pub(super) fn properties(entry: &Entry, end: Option<&End>, running: &str) -> Value {
    let order: Value = serde_json::from_slice(&entry.kick_off).unwrap_or_default();
    let mut properties = json!({"JobId": id_of(entry), "JobStatus": running,
        "SubmitTime": seconds(entry.created)});
    for name in
        ["JobName", "DatastoreId", "InputDataConfig", "JobOutputDataConfig", "DataAccessRoleArn", "ValidationLevel"]
    {
        if !order[name].is_null() {
            properties[name] = order[name].clone();
        }
    }
    let Some(end) = end else { return properties };
    properties["JobStatus"] = end.status().into();
    properties["EndTime"] = seconds(end.ended);
    properties["JobProgressReport"] = report(&end.loaded);
    if let Some(message) = &end.message {
        properties["Message"] = message.as_str().into();
    }
    properties
}

/// Of the output only the folder of the job is known, which the real server adds.
fn report(loaded: &Loaded) -> Value {
    let files = loaded.files.len() as u64;
    let unread = loaded.files.iter().filter(|file| file.unread.is_some()).count() as u64;
    let bytes: u64 = loaded.files.iter().map(|file| file.bytes).sum();
    let scanned: u64 = loaded.files.iter().map(|file| file.rows).sum();
    json!({
        "TotalNumberOfScannedFiles": files,
        "TotalSizeOfScannedFilesInMB": megabytes(bytes),
        "TotalNumberOfImportedFiles": files - unread,
        "TotalNumberOfResourcesScanned": scanned,
        "TotalNumberOfResourcesImported": loaded.stored(),
        "TotalNumberOfResourcesWithCustomerError": loaded.refused(),
        "TotalNumberOfFilesReadWithCustomerError": unread,
        "Throughput": 0.0,
    })
}

fn megabytes(bytes: u64) -> f64 {
    let bytes = u32::try_from(bytes).map_or(f64::MAX, f64::from);
    bytes / 1_048_576.0
}

fn seconds(at: SystemTime) -> Value {
    let millis = unix_millis(at);
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    serde_json::from_str(&text).expect("digits with a point are a number")
}
