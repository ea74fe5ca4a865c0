//! The command of the adapter: see README.md beside it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, io};

use anyhow::{Context, Result, bail};
use fhir_import::Engine;
use fhir_import::contract::Next;
use fhir_import::embed::{Plans, Rights};
use fhir_import_restate::{Place, Restate, Worker, serve};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str =
    "Usage: fhir-import-restate worker | start < request | result ID | resolve ID < decision | status ID";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await {
        Ok(answer) => {
            answer.iter().for_each(|answer| println!("{answer}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be printed, if anything.
async fn run(words: &[&str]) -> Result<Option<Value>> {
    let restate = || Restate::new(place()?);
    match words {
        ["worker"] => {
            let mut end = signal(SignalKind::terminate())?;
            serve(worker()?, place()?, async move { end.recv().await }).await?;
        }
        ["start"] => restate()?.begin(&input()?).await?,
        ["resolve", id] => restate()?.decide(id, &input()?).await?,
        ["status", id] => return Ok(Some(serde_json::to_value(restate()?.status(id).await?)?)),
        ["result", id] => {
            return Ok(Some(match restate()?.result(id).await? {
                Next::Paused(pause) => json!({ "paused": pause }),
                Next::Done(report) => json!({ "done": report }),
                _ => bail!("{id} still runs"),
            }));
        }
        _ => bail!("{USAGE}"),
    }
    Ok(None)
}

fn place() -> Result<Place> {
    serde_json::from_str(&variable("FHIR_IMPORT_ENGINE")?).context("FHIR_IMPORT_ENGINE")
}

fn worker() -> Result<Worker> {
    let file = variable("FHIR_IMPORT_RIGHTS")?;
    let rights = fs::read_to_string(&file).with_context(|| format!("FHIR_IMPORT_RIGHTS: {file}"))?;
    let plans = PathBuf::from(variable("FHIR_IMPORT_PLANS")?);
    Ok(Worker { engine: Engine::new()?, rights: Rights::from_json(&rights)?, plans: Plans::in_folder(&plans)? })
}

fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: see the README of this adapter"))
}

fn input<T: DeserializeOwned>() -> Result<T> {
    serde_json::from_reader(io::stdin()).context("what was handed in cannot be read")
}
