//! The repository as cargo and git see it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::output;

/// The repository.
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The members with their dependencies, as `cargo metadata` says them.
    pub packages: Vec<Value>,
}

/// A file of the repository that is text.
pub struct TextFile {
    /// Its path below the root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl Workspace {
    /// The workspace that this program was started from by `cargo xtask`.
    pub fn find() -> Result<Self> {
        let here = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask …`")?;
        let root = Path::new(&here).parent().context("xtask is a folder of the repository")?.to_owned();
        let mut metadata = cargo(&root);
        metadata.args(["metadata", "--format-version", "1", "--no-deps", "--locked"]);
        let metadata: Value = serde_json::from_str(&output(&mut metadata)?)?;
        let target = metadata["target_directory"].as_str().context("cargo metadata names the target folder")?.into();
        let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?.clone();
        Ok(Self { root, target, packages })
    }

    /// The cargo that started this program, in the root.
    pub fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    /// A path below the target folder's release profile.
    pub fn released(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// The built command.
    pub fn fhir_import(&self) -> Command {
        let mut command = Command::new(self.released(&format!("fhir-import{}", env::consts::EXE_SUFFIX)));
        command.current_dir(&self.root);
        // What the person has set is not what the pages and the demo are about.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FHIR_IMPORT_")) {
            command.env_remove(name);
        }
        command
    }

    /// The text files that are, or would be, committed, in the order of their paths.
    pub fn text_files(&self) -> Result<Vec<TextFile>> {
        let mut git = Command::new("git");
        git.current_dir(&self.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let mut paths: Vec<String> = output(&mut git)?.split_terminator('\0').map(str::to_owned).collect();
        paths.sort();
        paths.dedup();
        // A path that git knows and that is gone is about to be deleted; what is not UTF-8 is no text.
        let read = |path: String| {
            let text = std::fs::read_to_string(self.root.join(&path)).ok()?;
            Some(TextFile { path, text })
        };
        Ok(paths.into_iter().filter_map(read).collect())
    }
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}
