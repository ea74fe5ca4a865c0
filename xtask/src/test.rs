//! The README's second command: everything that must hold, in the order in which it is cheapest to fail.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::run::run;
use crate::set_up::{self, WASM};
use crate::workspace::Workspace;
use crate::{check, engines, generate, node, python};

/// The crates that only exist as WebAssembly. Built for the host they would pull in crates, and features of crates,
/// that nothing else needs.
const GUESTS: [&str; 3] =
    ["fhir-import-importer-component", "fhir-import-records-component", "fhir-import-obelisk-workflow"];

struct Step {
    name: &'static str,
    run: fn(&Workspace) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "set-up", run: set_up },
    Step { name: "format", run: format },
    Step { name: "house checks", run: check::check },
    Step { name: "build", run: build },
    Step { name: "generated pages", run: generate::compare },
    Step { name: "lints of the host", run: lints },
    Step { name: "lints of the components", run: guest_lints },
    Step { name: "documentation", run: documentation },
    Step { name: "engines", run: engines::engines },
    Step { name: "Node package", run: node::package },
    Step { name: "Python package", run: python::python },
    Step { name: "tests", run: tests },
];

/// Runs all steps up to the first failure.
pub fn test(workspace: &Workspace) -> Result<ExitCode> {
    let started = Instant::now();
    for (done, step) in STEPS.iter().enumerate() {
        println!("\n=== {} of {}: {}", done + 1, STEPS.len(), step.name);
        let begun = Instant::now();
        let result = (step.run)(workspace);
        println!("=== {}: {}", step.name, spoken(begun.elapsed()));
        if let Err(error) = result {
            eprintln!("error: {error:#}");
            println!("\n{done} passed, 1 failed: {} (after {})", step.name, spoken(started.elapsed()));
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("\n{} passed, 0 failed (steps, in {})", STEPS.len(), spoken(started.elapsed()));
    Ok(ExitCode::SUCCESS)
}

fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

fn set_up(_: &Workspace) -> Result<()> {
    set_up::wasm_target()?;
    set_up::rust_tools()?;
    set_up::java()
}

fn format(workspace: &Workspace) -> Result<()> {
    run(workspace.cargo().args(["fmt", "--all", "--check"]))
}

/// What the tests start, as a person builds it.
const STARTED: [&str; 4] = ["fhir-import-cli", "fhir-import-examples", "fhir-import-restate", "fhir-import-temporal"];

fn build(workspace: &Workspace) -> Result<()> {
    let packages = STARTED.iter().flat_map(|name| ["--package", name]);
    run(workspace.cargo().args(["build", "--release", "--locked"]).args(packages))
}

fn lints(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["clippy", "--release", "--locked", "--all-targets", "--workspace"]).args(without_guests());
    run(cargo.args(["--", "-D", "warnings"]))
}

/// In the folder and with the profile of the real build, so that its macros and build scripts are there already.
fn guest_lints(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["clippy", "--locked", "--profile", "guest", "--target", WASM, "--target-dir"]);
    cargo.arg(workspace.target.join("guest"));
    cargo.args(GUESTS.iter().flat_map(|guest| ["--package", guest]));
    run(cargo.args(["--", "-D", "warnings"]))
}

fn documentation(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["doc", "--release", "--locked", "--no-deps", "--workspace"]).args(without_guests());
    run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

fn tests(workspace: &Workspace) -> Result<()> {
    run(workspace.cargo().args(["test", "--release", "--locked", "--workspace"]).args(without_guests()))
}

fn without_guests() -> impl Iterator<Item = &'static str> {
    GUESTS.iter().flat_map(|guest| ["--exclude", guest])
}
