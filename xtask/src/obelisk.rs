//! The real Obelisk, and the suite of the adapters on it. It is no part of `test`: there is no package of the server, and
//! to compile it takes half an hour of two cores.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{output, run};
use crate::workspace::Workspace;
use crate::{set_up, venv};

/// The server that the adapter is tried on.
const VERSION: &str = "0.41.5";
/// What it is compiled with; it wants a newer Rust than we do.
const RUST: &str = "1.97.1";

/// Builds what is not there, and tries the adapter on it: workers are killed while imports wait, in a step and in
/// mid-submit.
pub fn obelisk(workspace: &Workspace) -> Result<()> {
    set_up::wasm_target()?;
    server(&workspace.target.join("engines/obelisk"), workspace)?;
    run(workspace.cargo().args(["build", "--release", "--locked", "--package", "fhir-import-obelisk"]))?;
    let mut tests = workspace.cargo();
    tests.args(["test", "--release", "--locked", "--package", "fhir-import-tests", "--test", "all", "--"]);
    run(tests.args(["--ignored", "engines::obelisk", "--test-threads", "2"]))
}

fn server(folder: &Path, workspace: &Workspace) -> Result<()> {
    let program = folder.join("bin/obelisk");
    let is_there =
        output(Command::new(&program).arg("--version")).is_ok_and(|said| said.trim().ends_with(&format!(" {VERSION}")));
    if is_there {
        return Ok(());
    }
    let protoc = folder.join("protoc");
    venv::environment(&protoc, &workspace.root.join("orchestrators/obelisk/requirements.txt"))?;
    run(Command::new("rustup").args(["toolchain", "install", RUST, "--profile", "minimal"]))
        .with_context(|| format!("Obelisk {VERSION} is compiled with Rust {RUST}, which rustup installs"))?;
    let build = folder.join("build");
    let mut cargo = Command::new("rustup");
    cargo.args(["run", RUST, "cargo", "install", "--locked", "obelisk", "--version", VERSION, "--root"]).arg(folder);
    cargo.env("CARGO_TARGET_DIR", &build).env("PROTOC", venv::program(&protoc, "protoc").get_program());
    // As its makers release it, it is optimised as a whole, which takes an hour more and changes nothing here.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    run(&mut cargo)?;
    fs::remove_dir_all(&build).context("what Obelisk was built from")
}
