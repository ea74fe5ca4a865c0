//! The shortest complete program: import a folder of NDJSON files and go on where an earlier call stopped.
//!
//!     embed http://127.0.0.1:8080/fhir data/ state/

use std::process::ExitCode;

use anyhow::Context;
use fhir_import::contract::{Event, Outcome};
use fhir_import::run::{self, Prepared, RunOptions, Server, Setup};
use fhir_import::{End, Engine, Stop};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let (server, data, state) = args
        .next()
        .zip(args.next())
        .zip(args.next())
        .map(|((a, b), c)| (a, b, c))
        .context("usage: embed URL DATA STATE")?;

    let setup = Setup::in_folder(Engine::new()?, state.as_ref())?;
    let options = RunOptions::new(Server::parse(&server)?, [data]);
    let run = match run::prepare(&setup, &options, &mut |_| {}).await? {
        Prepared::New(run) => *run,
        Prepared::Known(known) | Prepared::Unfinished(known) => {
            run::resume(&setup, known.import.id, &options.access, known.secrets).await?
        }
    };
    let end = run.drive(&Stop::default(), &mut |event: &Event| println!("{}", event.text)).await?;
    Ok(match end {
        End::Done(report) => {
            println!("{}", report.sentence);
            ExitCode::from(report.outcome as u8)
        }
        End::Paused(pause) => {
            println!("{}", pause.message);
            ExitCode::from(pause.outcome as u8)
        }
        End::Detached => ExitCode::from(Outcome::StillRunning as u8),
        End::InputChanged(changed) => {
            println!("{} {}", changed.path, changed.change);
            ExitCode::from(Outcome::InputChanged as u8)
        }
    })
}
