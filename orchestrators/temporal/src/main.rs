//! `fhir-import-temporal`: imports in Temporal, from a shell.

use std::env;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fhir_import::contract::Status;
use fhir_import::embed::{Plans, Rights};
use fhir_import::net::redact_url;
use fhir_import::{Engine, SharedClock, SystemClock, inspect};
use fhir_import_temporal::{Calls, Progress, Temporal};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

const USAGE: &str = "\
Usage: fhir-import-temporal <COMMAND>

Commands:
  worker                 takes imports until it is terminated
  start   < request      hands an import over; the same id again starts nothing
  result  ID             waits until an import is over, or waits for a decision
  resolve ID < decision  decides, for example \"Continue\" or {\"Adopt\": \"https://…\"}
  status  ID             where an import stands

Environment:
  FHIR_IMPORT_ENGINE     Temporal's host:port; else the TEMPORAL_* variables of every SDK
  FHIR_IMPORT_RIGHTS     file of what a worker may reach
  FHIR_IMPORT_PLANS      folder of plans that all workers see";

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &[&str]) -> Result<ExitCode> {
    match args {
        ["worker"] => {
            let calls = Calls::new(Engine::new()?, rights()?, plans()?);
            connect().await?.work(calls).await?;
        }
        ["start"] => connect().await?.start(read("a request")?).await?,
        ["result", id] => print(&connect().await?.result(id).await?)?,
        ["resolve", id] => connect().await?.resolve(id, read("a decision")?).await?,
        ["status", id] => print(&status(connect().await?.progress(id).await?).await?)?,
        ["help" | "--help" | "-h"] => println!("{USAGE}"),
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect() -> Result<Temporal> {
    Temporal::connect(env::var("FHIR_IMPORT_ENGINE").ok().as_deref()).await
}

fn rights() -> Result<Rights> {
    let file = variable("FHIR_IMPORT_RIGHTS", "the file of what this worker may reach")?;
    let text = std::fs::read_to_string(&file).with_context(|| format!("{file} cannot be read"))?;
    Rights::from_json(&text).with_context(|| file)
}

fn plans() -> Result<Plans> {
    let folder = variable("FHIR_IMPORT_PLANS", "the folder of plans that all workers see")?;
    Ok(Plans::in_folder(Path::new(&folder))?)
}

fn variable(name: &str, what: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: it names {what}"))
}

fn read<T: DeserializeOwned>(what: &str) -> Result<T> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("stdin cannot be read")?;
    serde_json::from_str(&text).with_context(|| format!("stdin is not {what} of the contract as JSON"))
}

fn print(value: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// The component's own words, from what Temporal stored and the plan.
async fn status(progress: Progress) -> Result<Value> {
    let at = match progress {
        Progress::Starting => return Ok(json!({ "sentence": "Its plan is being made." })),
        Progress::Stuck { why, .. } => bail!("{why}"),
        Progress::Driven(at) | Progress::Paused(at) => at,
    };
    let clock: SharedClock = Arc::new(SystemClock::new());
    let status = inspect(&Engine::new()?, &clock, &plans()?.get(&at.plan)?, &at.checkpoint).await?;
    // It may hold a secret query.
    let job_url = status.job_url.map(|url| Url::parse(&url).map_or_else(|_| "…".to_owned(), |url| redact_url(&url)));
    Ok(serde_json::to_value(Status { job_url, ..status })?)
}
