//! What a program does with imports in Temporal: hand them over, ask about them, decide, and take work.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use fhir_import::contract::{Decision, Next, Pause, Report, Request};
use serde::Serialize;
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::errors::{WorkflowGetResultError, WorkflowQueryError, WorkflowStartError, WorkflowUpdateError};
use temporalio_client::{
    Client, ClientOptions, Connection, Url, WorkflowExecuteUpdateOptions, WorkflowGetResultOptions, WorkflowHandle,
    WorkflowIdReusePolicy, WorkflowQueryOptions, WorkflowStartOptions,
};
use temporalio_common::error::IncomingError;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};

use crate::calls::{BEAT, Calls};
use crate::standing::{Given, Progress};
use crate::workflow::Import;

/// Where workers look for imports.
pub const TASK_QUEUE: &str = "fhir-import";

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a pause is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How long work waits for a worker that had it before, and may be dead.
const STICKY: Duration = Duration::from_secs(5);

/// An import that does not go on by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standstill {
    /// It is over.
    Done(Box<Report>),
    /// A person, or a credential, is needed.
    Paused(Pause),
}

/// A connection to Temporal.
pub struct Temporal {
    client: Client,
    address: Url,
    runtime: Runtime,
}

impl Temporal {
    /// Connects as the `TEMPORAL_*` variables say, or to this address.
    ///
    /// # Errors
    /// When nothing answers there.
    pub async fn connect(address: Option<&str>) -> Result<Self> {
        let runtime = Runtime::from_current_tokio(Default::default())?;
        let (mut connection, client) = ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            .map_err(|error| anyhow!("the TEMPORAL_* variables, or temporal.toml, cannot be used: {error}"))?;
        if let Some(address) = address {
            connection.target = url(address)?;
        }
        connection.connect_timeout = Some(CONNECT);
        let address = connection.target.clone();
        let connection = Connection::connect(connection).await.map_err(|error| {
            let error = anyhow::Error::from(error);
            let cause = error.root_cause();
            anyhow!("Temporal cannot be reached at {address} ({cause}): start it, or mend FHIR_IMPORT_ENGINE")
        })?;
        Ok(Self { client: Client::new(connection, client)?, address, runtime })
    }

    /// Hands over an import. The same id again starts nothing.
    ///
    /// # Errors
    /// When Temporal does not take it.
    pub async fn start(&self, request: Request) -> Result<()> {
        let options = WorkflowStartOptions::new(TASK_QUEUE, workflow_id(&request.id))
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .build();
        match self.client.start_workflow(Import::run, Given::Request(Box::new(request)), options).await {
            Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("Temporal at {} did not take the import", self.address)),
        }
    }

    /// Waits until an import is over, or waits for a decision.
    ///
    /// # Errors
    /// When it is not known, failed, or is stuck: the words of the worker.
    pub async fn result(&self, id: &str) -> Result<Standstill> {
        let handle = self.handle(id);
        tokio::select! {
            over = handle.get_result(WorkflowGetResultOptions::default()) => match over {
                Ok(report) => Ok(Standstill::Done(Box::new(report))),
                Err(WorkflowGetResultError::Failed(error)) => Err(anyhow!("{}", words(&error))),
                Err(WorkflowGetResultError::NotFound(_)) => Err(self.unknown(id)),
                Err(error) => Err(error).with_context(|| format!("asking Temporal at {}", self.address)),
            },
            paused = paused(&handle) => paused.map(Standstill::Paused),
        }
    }

    /// Takes a decision, and waits until it was taken.
    ///
    /// # Errors
    /// When it is refused: the words of the component.
    pub async fn resolve(&self, id: &str, decision: Decision) -> Result<()> {
        let options = WorkflowExecuteUpdateOptions::default();
        match self.handle(id).execute_update(Import::decide, decision, options).await {
            Ok(()) => Ok(()),
            Err(WorkflowUpdateError::Failed(failure)) => bail!("{}", failure.message),
            Err(WorkflowUpdateError::NotFound(_)) => Err(self.unknown(id).context("nothing can be decided")),
            Err(error) => Err(error).with_context(|| format!("asking Temporal at {}", self.address)),
        }
    }

    /// Where an import stands. A worker must run to answer.
    ///
    /// # Errors
    /// When it is not known, or nobody answers.
    pub async fn progress(&self, id: &str) -> Result<Progress> {
        match look(&self.handle(id)).await {
            Ok(progress) => Ok(progress),
            Err(WorkflowQueryError::NotFound(_)) => Err(self.unknown(id)),
            Err(error) => Err(error).context("no worker answers: start one"),
        }
    }

    /// Takes work until the process is asked to terminate; calls under way are ended first.
    ///
    /// # Errors
    /// When Temporal refuses this worker.
    pub async fn work(self, calls: Calls) -> Result<()> {
        let options = WorkerOptions::new(TASK_QUEUE)
            .register_workflow::<Import>()?
            .register_activities(calls)
            .max_heartbeat_throttle_interval(BEAT)
            .sticky_queue_schedule_to_start_timeout(STICKY)
            .build();
        let mut worker = Worker::new(&self.runtime, self.client, options)?;
        let stop = worker.shutdown_handle();
        tokio::spawn(async move {
            terminated().await;
            stop();
        });
        eprintln!("ready: takes imports from {} (task queue {TASK_QUEUE})", self.address);
        Ok(worker.run().await?)
    }

    fn handle(&self, id: &str) -> WorkflowHandle<Client, Import> {
        self.client.get_workflow_handle::<Import>(workflow_id(id))
    }

    fn unknown(&self, id: &str) -> anyhow::Error {
        anyhow!("Temporal at {} knows no unfinished import {id}: start it, or look at its id", self.address)
    }
}

fn workflow_id(id: &str) -> String {
    format!("fhir-import-{id}")
}

/// `host:port`, or a URL.
fn url(address: &str) -> Result<Url> {
    let text = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    Url::parse(&text).with_context(|| format!("{address} is no address of Temporal: host:port is expected"))
}

async fn look(handle: &WorkflowHandle<Client, Import>) -> Result<Progress, WorkflowQueryError> {
    handle.query(Import::progress, (), WorkflowQueryOptions::default()).await
}

/// Ends when the import waits for a decision, or is stuck. While no worker answers, it goes on looking.
async fn paused(handle: &WorkflowHandle<Client, Import>) -> Result<Pause> {
    loop {
        match look(handle).await {
            Ok(Progress::Paused(at)) => {
                if let Next::Paused(pause) = at.next {
                    return Ok(pause);
                }
            }
            Ok(Progress::Stuck { why, .. }) => bail!("{why}"),
            Ok(Progress::Starting | Progress::Driven(_)) | Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the worker said, without what Temporal says around it.
fn words(error: &IncomingError) -> &str {
    error.cause().map_or(error.failure().message.as_str(), words)
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut asked = signal(SignalKind::terminate()).expect("signals can be listened to");
    tokio::select! {
        _ = asked.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn terminated() {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_host_and_a_port() {
        assert_eq!(url("127.0.0.1:7233").unwrap().as_str(), "http://127.0.0.1:7233/");
        assert_eq!(url("https://temporal.example.org:7233").unwrap().scheme(), "https");
        assert!(url("no address").unwrap_err().to_string().contains("no address"));
    }
}
