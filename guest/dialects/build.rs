//! Reads every dialect file against the schema and writes them as one JSON list: a spelling mistake in a built-in
//! file is a failed build, and the component needs no TOML parser.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script speaks to cargo; the crate is pure"
)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use fhir_import_workflow::Dialect;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("dialects");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut dialects: Vec<Dialect> = Vec::new();
    for path in files(folder)? {
        dialects.push(read(&path)?);
    }
    let target = PathBuf::from(std::env::var("OUT_DIR")?).join("dialects.json");
    fs::write(target, serde_json::to_string(&dialects)?)?;
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Dialect, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", path.display());
    let dialect: Dialect =
        toml::from_str(&fs::read_to_string(path)?).map_err(|e| format!("{}: {e}", path.display()))?;
    if path.file_stem().is_none_or(|stem| stem != dialect.name.as_str()) {
        return Err(format!("{}: the file is not named after the dialect {}", path.display(), dialect.name).into());
    }
    Ok(dialect)
}
