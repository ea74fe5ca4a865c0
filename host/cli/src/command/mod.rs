//! One file a command.

mod cancel;
mod check;
mod detect;
mod dialects;
mod errors;
mod jobs;
mod report;
mod resolve;
mod run;
mod sandbox;
mod status;
mod verify;
mod wait;

use fhir_import::run::Outcome;

use crate::args::Command;
use crate::context::Context;
use crate::exit::Failure;

/// Does what was typed, and answers how it ended.
pub async fn run(cx: &Context, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Detect(args) => detect::detect(cx, args).await,
        Command::Check(args) => check::check(cx, args).await,
        Command::Run(args) => run::run(cx, *args).await,
        Command::Wait(args) => wait::wait(cx, args).await,
        Command::Status(args) => status::status(cx, args).await,
        Command::Jobs => jobs::jobs(cx),
        Command::Cancel(args) => cancel::cancel(cx, args).await,
        Command::Resolve(args) => resolve::resolve(cx, args).await,
        Command::Errors(args) => errors::errors(cx, &args),
        Command::Verify(args) => verify::verify(cx, args).await,
        Command::Report(args) => report::report(cx, args).await,
        Command::Dialects(args) => dialects::dialects(cx, args).await,
        Command::Sandbox(args) => sandbox::sandbox(cx, args).await,
    }
}
