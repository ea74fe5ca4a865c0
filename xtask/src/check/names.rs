//! No server's name in the code that decides, talks or drives: what differs between servers is data (room 4).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{House, Verdict};
use crate::rust_code::RustCode;
use crate::workspace::TextFile;

/// Rooms 3, 5 and 6. The records (room 2) are outside: what hides patient data must know how servers spell errors.
const ROOMS: [&str; 3] = ["guest/workflow/", "guest/components/", "host/runtime/"];

/// Servers, their vendors and their hosts, in lower case.
const SERVERS: [&str; 17] = [
    "hapi",
    "smile",
    "pathling",
    "aidbox",
    "octofhir",
    "healthlake",
    "microsoft",
    "azure",
    "google",
    "ibm",
    "linuxforhealth",
    "sazare",
    "onfhir",
    "helios",
    "firely",
    "medplum",
    "blaze",
];

/// Comments and tests may name servers, code may not.
pub fn names(house: &House<'_>) -> Result<Verdict> {
    let files: Vec<&TextFile> = house.files.iter().filter(|file| is_code(&file.path)).collect();
    let tests = test_files(&files);
    let code = files.into_iter().filter(|file| !tests.iter().any(|test| belongs(Path::new(&file.path), test)));
    let mut faults = Vec::new();
    let mut seen = 0;
    for file in code {
        seen += 1;
        let code = RustCode::read(&file.text).without_tests().with_text.to_lowercase();
        for (number, line) in code.lines().enumerate() {
            let named = SERVERS.into_iter().filter(|server| line.contains(server));
            faults.extend(named.map(|server| fault(file, number, server)));
        }
    }
    Ok(Verdict { seen: format!("{seen} files, {} names", SERVERS.len()), faults })
}

fn is_code(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "rs") && ROOMS.iter().any(|room| path.starts_with(room))
}

fn fault(file: &TextFile, number: usize, server: &str) -> String {
    format!("{}:{}: names {server:?}; what one server does belongs into guest/dialects", file.path, number + 1)
}

/// The modules, without `.rs`, that their parents declare under `#[cfg(test)]`.
fn test_files(files: &[&TextFile]) -> BTreeSet<PathBuf> {
    let mut tests = BTreeSet::new();
    for file in files {
        let path = Path::new(&file.path);
        let stem = path.file_stem().unwrap_or_default();
        let is_root = stem == "lib" || stem == "main" || stem == "mod";
        let folder = if is_root { path.with_file_name("") } else { path.with_extension("") };
        tests.extend(RustCode::read(&file.text).test_modules().map(|module| folder.join(module)));
    }
    tests
}

fn belongs(path: &Path, module: &Path) -> bool {
    path.with_extension("") == module || path.starts_with(module)
}
