//! The Python package as people get it: a wheel, installed with what is used beside it, and tried on the real engines.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{output, run};
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

/// An environment with what a file of requirements lists, each by its hash. It is kept until that file changes.
fn environment(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let environment = folder(workspace, name);
    let requirements = sources(workspace).join("requirements").join(format!("{name}.txt"));
    let (wanted, installed) = (std::fs::read_to_string(&requirements)?, environment.join("installed.txt"));
    if std::fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(environment);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("python3 (3.11) with its venv module is needed")?;
    run(pip(&environment)
        .args(["install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r"])
        .arg(&requirements))
    .with_context(|| format!("{name} cannot be installed: is the package index reached?"))?;
    println!("{name}: {} packages", output(pip(&environment).args(["list", "--format=freeze"]))?.lines().count());
    std::fs::write(installed, wanted)?;
    Ok(environment)
}

fn folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target.join("engines/python").join(name)
}

fn sources(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/engines/python")
}

fn pip(environment: &Path) -> Command {
    let mut pip = program(environment, "python");
    pip.args(["-m", "pip", "--disable-pip-version-check"]);
    pip
}

fn program(environment: &Path, name: &str) -> Command {
    Command::new(environment.join("bin").join(name))
}
