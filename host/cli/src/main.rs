//! `fhir-import`: parse, resolve, drive, render, exit. What it means to import is not decided here.

mod access;
mod args;
mod command;
mod config;
mod context;
mod drive;
mod exit;
mod render;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::Cli;
use config::Config;
use context::Context;
use exit::Failure;
use fhir_import::run::Outcome;

fn main() -> ExitCode {
    let command = Cli::command();
    let config = match Config::read(&command) {
        Ok(config) => config,
        Err(failure) => return failed(&failure, wants_json()),
    };
    let matches = config.apply(command).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let json = cli.json;
    match run(cli, config) {
        Ok(outcome) => exit::code(outcome),
        Err(failure) => failed(&failure, json),
    }
}

fn run(cli: Cli, config: Config) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Outcome::InternalError, format!("cannot start: {error}")))?;
    let context = Context::new(cli.state, cli.json, config)?;
    let outcome = runtime.block_on(command::run(&context, cli.command));
    // A connection that is being served must not keep a finished command from ending.
    runtime.shutdown_background();
    outcome
}

/// A wrong command line, or a question for help.
fn refused(error: &clap::Error) -> ExitCode {
    // Without a stderr there is nobody to tell.
    let _ = error.print();
    if error.exit_code() == 0 {
        return exit::code(Outcome::Succeeded);
    }
    if wants_json() {
        render::json::print(Outcome::Usage, None, serde_json::json!({ "message": error.to_string() }));
    }
    exit::code(Outcome::Usage)
}

fn failed(failure: &Failure, json: bool) -> ExitCode {
    render::failure(failure, json);
    exit::code(failure.outcome)
}

/// Whether JSON is wanted, before the command line could be read.
fn wants_json() -> bool {
    std::env::args().any(|arg| arg == "--json")
}
