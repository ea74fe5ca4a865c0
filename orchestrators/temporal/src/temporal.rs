//! What a program does with imports in Temporal: hand them over, ask about them, decide, and take work.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use fhir_import::Engine;
use fhir_import::contract::{Decision, Request, Status};
use fhir_import::embed::{Adapter, Failure, Plans, Standstill, Worker};
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::errors::{WorkflowGetResultError, WorkflowQueryError, WorkflowStartError, WorkflowUpdateError};
use temporalio_client::{
    Client, ClientOptions, Connection, Url, WorkflowExecuteUpdateOptions, WorkflowGetResultOptions, WorkflowHandle,
    WorkflowIdReusePolicy, WorkflowQueryOptions, WorkflowStartOptions,
};
use temporalio_common::error::IncomingError;
use temporalio_sdk::{Runtime, WorkerOptions};

use crate::calls::{BEAT, Calls};
use crate::workflow::{Given, Import, Progress};

/// Where workers look for imports.
pub const TASK_QUEUE: &str = "fhir-import";

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a pause is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How long work waits for a worker that had it before, and may be dead.
const STICKY: Duration = Duration::from_secs(5);

/// A connection to Temporal.
pub struct Temporal {
    client: Client,
    address: Url,
    runtime: Runtime,
}

impl Adapter for Temporal {
    /// Connects as the `TEMPORAL_*` variables say, or to this address.
    async fn connect(engine: Option<&str>) -> Result<Self, Failure> {
        let runtime = Runtime::from_current_tokio(Default::default())?;
        let (mut connection, client) = ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            .map_err(|error| anyhow!("the TEMPORAL_* variables, or temporal.toml, cannot be used: {error}"))?;
        if let Some(address) = engine {
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

    async fn work(self, worker: Worker, end: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        let options = WorkerOptions::new(TASK_QUEUE)
            .register_workflow::<Import>()?
            .register_activities(Calls::new(worker))
            .max_heartbeat_throttle_interval(BEAT)
            .sticky_queue_schedule_to_start_timeout(STICKY)
            .build();
        let mut worker = temporalio_sdk::Worker::new(&self.runtime, self.client, options)?;
        let stop = worker.shutdown_handle();
        tokio::spawn(async move {
            end.await;
            stop();
        });
        eprintln!("ready: takes imports from {} (task queue {TASK_QUEUE})", self.address);
        Ok(worker.run().await?)
    }

    async fn start(&self, request: Request) -> Result<(), Failure> {
        let options = WorkflowStartOptions::new(TASK_QUEUE, workflow_id(&request.id))
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .build();
        match self.client.start_workflow(Import::run, Given::Request(Box::new(request)), options).await {
            Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn result(&self, id: &str) -> Result<Standstill, Failure> {
        let handle = self.handle(id);
        tokio::select! {
            over = handle.get_result(WorkflowGetResultOptions::default()) => match over {
                Ok(report) => Ok(Standstill::Done(Box::new(report))),
                Err(WorkflowGetResultError::Failed(error)) => Err(words(&error).into()),
                Err(WorkflowGetResultError::NotFound(_)) => Err(self.unknown(id)),
                Err(error) => Err(self.failed(error)),
            },
            paused = paused(&handle) => paused,
        }
    }

    async fn resolve(&self, id: &str, decision: Decision) -> Result<(), Failure> {
        let options = WorkflowExecuteUpdateOptions::default();
        match self.handle(id).execute_update(Import::decide, decision, options).await {
            Ok(()) => Ok(()),
            Err(WorkflowUpdateError::Failed(failure)) => Err(failure.message.into()),
            Err(WorkflowUpdateError::NotFound(_)) => Err(self.unknown(id)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// By the component, from what Temporal stored and the plan. A worker must run to answer.
    async fn status(&self, id: &str) -> Result<Option<Status>, Failure> {
        match look(&self.handle(id)).await {
            Ok(Progress::Starting) => Ok(None),
            Ok(Progress::Stuck { why, .. }) => Err(why.into()),
            Ok(Progress::Driven(at) | Progress::Paused(at)) => {
                Ok(Some(Plans::from_env()?.inspect(&Engine::new()?, &at).await?))
            }
            Err(WorkflowQueryError::NotFound(_)) => Err(self.unknown(id)),
            Err(error) => Err(anyhow::Error::from(error).context("no worker answers: start one").into()),
        }
    }
}

impl Temporal {
    fn handle(&self, id: &str) -> WorkflowHandle<Client, Import> {
        self.client.get_workflow_handle::<Import>(workflow_id(id))
    }

    fn unknown(&self, id: &str) -> Failure {
        format!("Temporal at {} knows no unfinished import {id}: start it, or look at its id", self.address).into()
    }

    fn failed(&self, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
        anyhow::Error::from(error).context(format!("asking Temporal at {}", self.address)).into()
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
async fn paused(handle: &WorkflowHandle<Client, Import>) -> Result<Standstill, Failure> {
    loop {
        match look(handle).await {
            Ok(Progress::Paused(at)) => return Ok(at.standstill().expect("it is paused")),
            Ok(Progress::Stuck { why, .. }) => return Err(why.into()),
            Ok(Progress::Starting | Progress::Driven(_)) | Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// What the worker said, without what Temporal says around it.
fn words(error: &IncomingError) -> &str {
    error.cause().map_or(error.failure().message.as_str(), words)
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
