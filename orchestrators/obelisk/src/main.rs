//! Writes a deployment for Obelisk into a folder.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use fhir_import_obelisk::DEPLOYMENT;

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from).context("Usage: fhir-import-obelisk FOLDER")?;
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (name, bytes) in DEPLOYMENT {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
