//! The engines' own servers, for the tests of their adapters: in `target/engines/`, each pinned by the hash of its package.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{run, works};
use crate::workspace::Workspace;

/// Installs what is not there.
pub fn engines(workspace: &Workspace) -> Result<()> {
    from_pip(workspace, "temporal", "temporal")
}

/// A program from the packages that the adapter's `requirements.txt` lists: `target/engines/ENGINE/bin/PROGRAM`.
fn from_pip(workspace: &Workspace, engine: &str, program: &str) -> Result<()> {
    let wanted = workspace.root.join("orchestrators").join(engine).join("requirements.txt");
    let folder = workspace.target.join("engines").join(engine);
    let (installed, program) = (folder.join("requirements.txt"), folder.join("bin").join(program));
    let program_works = || works(&program.to_string_lossy(), &["--version"]);
    if same(&wanted, &installed) && program_works() {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .with_context(|| format!("Python 3.9 or newer, with venv, installs the server of {engine}"))?;
    // What is not listed with its hash is not installed, and nothing is compiled.
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    run(pip.args(["--only-binary", ":all:", "--requirement"]).arg(&wanted))
        .with_context(|| format!("the server of {engine} cannot be installed, and its adapter not be tested"))?;
    ensure!(program_works(), "{} does not run on this machine", program.display());
    // Last, so that what is half installed is installed again.
    fs::copy(&wanted, &installed).with_context(|| format!("writing {}", installed.display()))?;
    Ok(())
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}
