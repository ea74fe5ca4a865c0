//! Restate's server, for the tests of its adapter: its own makers' package, whose hash stands in the lock file.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::node;
use crate::workspace::Workspace;

/// The package and its lock.
const PACKAGE: &str = "tests/engines/restate";

/// Puts the server into `target/engines/restate`. npm refuses what does not have the hash of the lock file.
pub fn server(workspace: &Workspace) -> Result<()> {
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
