//! Environments of Python: each with what a file of requirements lists, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::run;

/// An environment with what a file lists, each package by its hash; nothing is compiled. It is kept until that file changes.
pub fn environment(folder: &Path, requirements: &Path) -> Result<()> {
    let wanted = fs::read(requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let installed = folder.join("installed.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
        .context("python3 (3.11 to 3.13) with its venv module is needed")?;
    let install = ["install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--requirement"];
    run(pip(folder).args(install).arg(requirements))
        .with_context(|| format!("{} cannot be installed: is the package index reached?", requirements.display()))?;
    // Last, so that what is half installed is installed again.
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))
}

/// The environment's installer.
pub fn pip(folder: &Path) -> Command {
    let mut pip = program(folder, "python");
    pip.args(["-m", "pip", "--disable-pip-version-check"]);
    pip
}

/// A program of the environment.
pub fn program(folder: &Path, name: &str) -> Command {
    Command::new(folder.join("bin").join(name))
}
