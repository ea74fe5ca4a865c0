//! The command of an adapter, which has the same words for every engine (docs/guide/embedding.md).

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Plans, Rights, Standing, Worker, words};
use crate::contract::{Decision, Next, Pause, Report, Request, Status};
use crate::engine::Engine;

/// What went wrong, in words for the person at the command.
pub type Failure = Box<dyn Error + Send + Sync>;

/// An engine, as its command uses it.
pub trait Adapter: Sized {
    /// Reaches the engine that `FHIR_IMPORT_ENGINE` names, in the adapter's own form.
    ///
    /// # Errors
    /// When it cannot be reached; the address is named.
    fn connect(engine: Option<&str>) -> impl Future<Output = Result<Self, Failure>>;

    /// Takes work until `end`; calls under way are ended first. Says `ready` on stderr once it takes it.
    ///
    /// # Errors
    /// When the engine refuses this worker.
    fn work(
        self,
        worker: Worker,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Hands over an import. The same id again begins no second one.
    ///
    /// # Errors
    /// When the engine does not take it.
    fn start(&self, request: Request) -> impl Future<Output = Result<(), Failure>>;

    /// Waits until an import is over, or paused.
    ///
    /// # Errors
    /// When it is not known, or cannot go on; the sentence says why.
    fn result(&self, id: &str) -> impl Future<Output = Result<Standstill, Failure>>;

    /// Hands in a decision, and waits until it was taken.
    ///
    /// # Errors
    /// When it is refused, in the words of the component.
    fn resolve(&self, id: &str, decision: Decision) -> impl Future<Output = Result<(), Failure>>;

    /// Where an import stands; `None` while its plan is being made.
    ///
    /// # Errors
    /// When it is not known, or cannot go on.
    fn status(&self, id: &str) -> impl Future<Output = Result<Option<Status>, Failure>>;
}

/// An import that does not go on by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standstill {
    /// It is over.
    Done(Box<Report>),
    /// A person, or a credential, is needed.
    Paused(Pause),
}

impl Standing {
    /// Whether it goes on by itself: `None`.
    #[must_use]
    pub fn standstill(&self) -> Option<Standstill> {
        match &self.next {
            Next::Done(report) => Some(Standstill::Done(Box::new(report.clone()))),
            Next::Paused(pause) => Some(Standstill::Paused(pause.clone())),
            Next::Step | Next::Submit | Next::Recover | Next::Wait(_) => None,
        }
    }
}

const USAGE: &str = "\
Commands:
  worker                 takes imports until it is terminated
  start   < request      hands an import over; the same id again begins no second one
  result  ID             waits until an import is over, or waits for a decision
  resolve ID < decision  decides, for example \"Continue\" or {\"Adopt\": \"https://…\"}
  status  ID             where an import stands

Environment:
  FHIR_IMPORT_ENGINE     where the engine is, in the form of this adapter's README
  FHIR_IMPORT_RIGHTS     file of what a worker may reach
  FHIR_IMPORT_PLANS      folder of plans that all workers see";

/// The whole of an adapter's `main`.
pub async fn command<A: Adapter>() -> ExitCode {
    let typed: Vec<String> = env::args().skip(1).collect();
    match run::<A>(&typed.iter().map(String::as_str).collect::<Vec<_>>()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", words(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run<A: Adapter>(typed: &[&str]) -> Result<ExitCode, Failure> {
    match typed {
        ["worker"] => {
            let (worker, end) = (worker()?, terminated()?);
            connect::<A>().await?.work(worker, end).await?;
        }
        ["start"] => connect::<A>().await?.start(read("a request")?).await?,
        ["result", id] => print(&connect::<A>().await?.result(id).await?)?,
        ["resolve", id] => connect::<A>().await?.resolve(id, read("a decision")?).await?,
        ["status", id] => match connect::<A>().await?.status(id).await? {
            Some(status) => print(&status)?,
            None => print(&json!({ "sentence": "Its plan is being made." }))?,
        },
        ["help" | "--help" | "-h"] => println!("{USAGE}"),
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect<A: Adapter>() -> Result<A, Failure> {
    A::connect(env::var("FHIR_IMPORT_ENGINE").ok().as_deref()).await
}

fn worker() -> Result<Worker, Failure> {
    let file = variable("FHIR_IMPORT_RIGHTS", "the file of what this worker may reach")?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{file} cannot be read: {error}"))?;
    let rights = Rights::from_json(&text).map_err(|error| format!("{file}: {}", words(&error)))?;
    Ok(Worker::new(Engine::new()?, rights, Plans::from_env()?))
}

impl Plans {
    /// The folder that `FHIR_IMPORT_PLANS` names.
    ///
    /// # Errors
    /// When it is not set, or the folder cannot be used.
    pub fn from_env() -> Result<Self, Failure> {
        let folder = variable("FHIR_IMPORT_PLANS", "the folder of plans that all workers see")?;
        Ok(Self::in_folder(Path::new(&folder))?)
    }
}

fn variable(name: &str, what: &str) -> Result<String, Failure> {
    env::var(name).map_err(|_| format!("{name} is not set: it names {what}").into())
}

fn read<T: DeserializeOwned>(what: &str) -> Result<T, Failure> {
    serde_json::from_reader(io::stdin())
        .map_err(|error| format!("stdin is not {what} of the contract as JSON: {error}").into())
}

fn print(answer: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(answer)?);
    Ok(())
}

/// Ends when the process is asked to end.
fn terminated() -> io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
