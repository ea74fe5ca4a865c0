//! The house tasks: `cargo xtask demo | test | check | engines | python | obelisk | gen [--check] | counts | simulate`.

mod check;
mod counts;
mod demo;
mod engines;
mod generate;
mod node;
mod obelisk;
mod python;
mod run;
mod rust_code;
mod set_up;
mod test;
mod venv;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use workspace::Workspace;

const USAGE: &str = "\
Usage: cargo xtask <TASK>

Tasks:
  demo           builds the command and imports the sample data into the practice server
  test           everything that must hold: format, house checks, lints, generated pages, all tests
  check          the house checks alone: layers, names, budget, words
  engines        installs the servers that the adapters of engines are tested on
  gen [--check]  writes docs/reference/ from the program; with --check only compares
  simulate [--jobs N] [--seed S] | --replay SEED | --corpus FOLDER
                 whole imports in one process with faults from a seed, judged by what the server saw
  python         the Python package and its examples, built, installed and tried on the real engines
  obelisk        builds Obelisk (half an hour, once) and tries its adapter on it; not part of `test`
  counts         sizes of the components, crates, lengths of functions";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match task(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn task(args: &[&str]) -> Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match args {
        ["demo"] => demo::demo(&Workspace::find()?),
        ["test"] => test::test(&Workspace::find()?),
        ["check"] => check::check(&Workspace::find()?).map(done),
        ["engines"] => engines::engines(&Workspace::find()?).map(done),
        ["gen"] => generate::write(&Workspace::find()?).map(done),
        ["gen", "--check"] => generate::compare(&Workspace::find()?).map(done),
        ["python"] => python::python(&Workspace::find()?).map(done),
        ["obelisk"] => obelisk::obelisk(&Workspace::find()?).map(done),
        ["counts"] => counts::counts(&Workspace::find()?).map(done),
        ["simulate", rest @ ..] => simulate(&Workspace::find()?, rest),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// The program says itself how it went.
fn simulate(workspace: &Workspace, args: &[&str]) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--release", "--locked", "--package", "fhir-import-simulation", "--"]).args(args);
    let status = cargo.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
