//! Reads every dialect file against the schema and writes them as one JSON list: a spelling mistake in a built-in
//! file is a failed build, and the component needs no TOML parser.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script speaks to cargo; the crate is pure"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use fhir_import_workflow::Dialect;
use fhir_import_workflow::dialect::extend;
use serde_json::Value;

/// A dialect file.
type Table = serde_json::Map<String, Value>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("dialects");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut tables = BTreeMap::new();
    for path in files(folder)? {
        tables.insert(stem(&path), read(&path)?);
    }
    let mut lines: Vec<String> = Vec::new();
    for (name, table) in &tables {
        lines.push(serde_json::to_string(&whole(name, table, &tables)?)?);
    }
    let target = PathBuf::from(std::env::var("OUT_DIR")?).join("dialects.ndjson.lz4");
    fs::write(target, lz4_flex::compress_prepend_size(lines.join("\n").as_bytes()))?;
    Ok(())
}

/// A dialect with all that it takes over from another one.
fn whole(name: &str, own: &Table, all: &BTreeMap<String, Table>) -> Result<Dialect, Box<dyn Error>> {
    let mut own = own.clone();
    let mut table = Table::new();
    if let Some(Value::String(base)) = own.remove("extends") {
        let base = all.get(&base).ok_or_else(|| format!("{name}: extends {base}, which is not there"))?;
        if base.contains_key("extends") {
            return Err(format!("{name}: extends a dialect that extends another one").into());
        }
        table = base.clone();
    }
    extend(&mut table, own);
    let dialect: Dialect = serde_json::from_value(Value::Object(table)).map_err(|e| format!("{name}: {e}"))?;
    match dialect.contradictions().first() {
        Some(why) => Err(format!("{name}: {why}").into()),
        None if dialect.name != name => Err(format!("{name}: the file is not named after {}", dialect.name).into()),
        None => Ok(dialect),
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Table, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", path.display());
    Ok(toml::from_str(&fs::read_to_string(path)?).map_err(|e| format!("{}: {e}", path.display()))?)
}
