//! Writes the two components into a folder, for hosts that are not this library.
//!
//!     components target/components

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use fhir_import::{IMPORTER_WASM, RECORDS_WASM};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from).context("usage: components FOLDER")?;
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (name, bytes) in [("importer.wasm", IMPORTER_WASM), ("records.wasm", RECORDS_WASM)] {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
