//! Numbers about the program, for reports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::run::output;
use crate::rust_code::RustCode;
use crate::set_up::WASM;
use crate::workspace::Workspace;

/// Prints them.
pub fn counts(workspace: &Workspace) -> Result<()> {
    for component in ["importer.wasm", "records.wasm"] {
        let size = fs::metadata(newest(workspace, component)?)?.len();
        println!("{component:<32}{} kB", size.div_ceil(1000));
    }
    let trees: [(&str, &str, &[&str]); 3] = [
        ("crates of importer.wasm", "fhir-import-importer-component", &["--target", WASM]),
        ("crates of records.wasm", "fhir-import-records-component", &["--target", WASM]),
        ("crates of the host", "fhir-import-cli", &[]),
    ];
    for (what, package, target) in trees {
        println!("{what:<32}{}", crates(workspace, package, target)?);
    }
    let mut lengths = function_lengths(workspace)?;
    lengths.sort_unstable();
    let at = |share: usize| lengths.get(lengths.len() * share / 100).or(lengths.last()).copied().unwrap_or(0);
    let (all, most) = (lengths.len(), lengths.last().copied().unwrap_or(0));
    println!(
        "{:<32}{all} functions, median {}, 90 % at most {}, longest {most}",
        "lines of a function",
        at(50),
        at(90)
    );
    Ok(())
}

/// The component that the last build made.
fn newest(workspace: &Workspace, component: &str) -> Result<PathBuf> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(workspace.released("build"))? {
        let path = entry?.path().join("out").join(component);
        if let Ok(made) = fs::metadata(&path).and_then(|file| file.modified()) {
            found.push((made, path));
        }
    }
    let newest =
        found.into_iter().max().with_context(|| format!("no {component}: build first, cargo build --release"))?;
    Ok(newest.1)
}

/// Packages that are compiled into a package, itself included, macros and build scripts not.
fn crates(workspace: &Workspace, package: &str, target: &[&str]) -> Result<usize> {
    let mut tree = workspace.cargo();
    tree.args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--package", package]);
    let text = output(tree.args(target))?;
    let packages: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(packages.len())
}

fn function_lengths(workspace: &Workspace) -> Result<Vec<usize>> {
    let files = workspace.text_files()?;
    let rust = files.iter().filter(|file| Path::new(&file.path).extension().is_some_and(|end| end == "rs"));
    let of_file = |text: &str| -> Vec<usize> {
        let code = RustCode::read(text).without_tests();
        code.functions().into_iter().map(|range| code.bare[range].lines().count()).collect()
    };
    Ok(rust.flat_map(|file| of_file(&file.text)).collect())
}
