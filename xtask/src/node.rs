//! The Node package: its dependencies, the transpiled component, its own tests.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{output, run, works};
use crate::workspace::Workspace;

/// The oldest Node that the package runs on.
const NODE: u32 = 20;

/// Builds the package and runs its own tests. The suite that all adapters share comes with the other tests.
pub fn package(workspace: &Workspace) -> Result<()> {
    is_new_enough()?;
    let folder = workspace.root.join("orchestrators/node");
    run(Command::new(workspace.released("components")).arg(workspace.target.join("components")))?;
    install(&folder)?;
    run(npm(&folder).args(["run", "--silent", "build"]))?;
    run(Command::new("node").current_dir(&folder).args(["--test", "--test-reporter=spec", "test/"]))
}

/// Makes sure that Node and npm are there.
pub fn is_new_enough() -> Result<()> {
    let said =
        output(Command::new("node").arg("--version")).with_context(|| format!("no node: install Node {NODE}"))?;
    let major: Option<u32> = said.trim().trim_start_matches('v').split('.').next().and_then(|text| text.parse().ok());
    ensure!(major.is_some_and(|major| major >= NODE), "node is {}: install Node {NODE} or newer", said.trim());
    ensure!(works("npm", &["--version"]), "no npm: install it with Node {NODE} or newer");
    Ok(())
}

/// What the lock file names, each package with its hash; not again when that was done.
pub fn install(folder: &Path) -> Result<()> {
    let lock = std::fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("{}/package-lock.json", folder.display()))?;
    let done = folder.join("node_modules/.installed-by-xtask");
    if std::fs::read(&done).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    // `npm ci` refuses a lock that lacks what no registry has: builds for other systems that were never published.
    run(npm(folder).args(["install", "--no-save", "--no-audit", "--no-fund", "--silent"]))?;
    std::fs::write(done, lock).context("node_modules")
}

fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder);
    npm
}
