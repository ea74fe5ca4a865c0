//! The Python package as people get it: a wheel, installed with what is used beside it, and tried on the real engines.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::run;
use crate::venv::{self, pip, program};
use crate::workspace::Workspace;

/// The tests, each with the environment that it needs. Prefect and Airflow do not agree on what both need.
const TESTS: [(&str, &str); 3] =
    [("prefect", "test_package"), ("prefect", "test_prefect"), ("airflow", "test_airflow")];

/// Builds the wheel, installs it into environments of its own, and runs the tests of the package and its examples.
pub fn python(workspace: &Workspace) -> Result<()> {
    let wheel = wheel(workspace)?;
    for name in ["prefect", "airflow"] {
        let environment = environment(workspace, name)?;
        let install = ["install", "--quiet", "--no-deps", "--no-index", "--force-reinstall"];
        run(pip(&environment).args(install).arg(&wheel))?;
    }
    for (environment, test) in TESTS {
        let mut tests = program(&folder(workspace, environment), "python");
        tests.args(["-m", "unittest", "--verbose", test]).current_dir(sources(workspace));
        tests.env("FHIR_IMPORT_COMMAND", workspace.released("fhir-import"));
        run(&mut tests)?;
    }
    Ok(())
}

fn wheel(workspace: &Workspace) -> Result<PathBuf> {
    let mut maturin = program(&environment(workspace, "build")?, "maturin");
    maturin.current_dir(&workspace.root).args(["build", "--release", "--locked", "--quiet", "--manifest-path"]);
    maturin.arg("orchestrators/python/Cargo.toml").arg("--out").arg(folder(workspace, "wheels"));
    run(&mut maturin)?;
    let built = std::fs::read_dir(folder(workspace, "wheels"))?.filter_map(Result::ok).map(|entry| entry.path());
    let newest = built.max_by_key(|path| path.metadata().and_then(|seen| seen.modified()).ok());
    newest.context("maturin built no wheel")
}

/// An environment of the packages that a test, or the build, needs.
fn environment(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let environment = folder(workspace, name);
    venv::environment(&environment, &sources(workspace).join(format!("requirements/{name}.txt")))?;
    Ok(environment)
}

fn folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target.join("engines/python").join(name)
}

fn sources(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/engines/python")
}
