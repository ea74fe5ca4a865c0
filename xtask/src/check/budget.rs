//! How long a file may be. Functions are clippy's (`too_many_lines`, clippy.toml).

use anyhow::Result;

use super::{House, Verdict};

/// Most lines of a file; half of it is the aim.
const LINES: usize = 600;

/// What nobody reads from top to bottom: locks, data, foreign files, generated pages.
const EXEMPT: [&str; 6] = [
    "Cargo.lock",
    "orchestrators/node/package-lock.json",
    "examples/data/",
    "wit/deps/",
    "docs/reference/",
    "tests/engines/python/requirements/",
];

/// No file is longer than can be held in mind.
pub fn budget(house: &House<'_>) -> Result<Verdict> {
    let files = house.files.iter().filter(|file| !EXEMPT.iter().any(|exempt| file.path.starts_with(exempt)));
    let mut lengths: Vec<(usize, &str)> = files.map(|file| (file.text.lines().count(), file.path.as_str())).collect();
    lengths.sort_unstable();
    let too_long = lengths.iter().filter(|(lines, _)| *lines > LINES);
    let faults = too_long.map(|(lines, path)| format!("{path}: {lines} lines, at most {LINES}")).collect();
    let median = lengths.get(lengths.len() / 2).map_or(0, |(lines, _)| *lines);
    let longest = lengths.last().map(|(lines, path)| format!("{lines} lines ({path})")).unwrap_or_default();
    Ok(Verdict { seen: format!("{} files, median {median} lines, longest {longest}", lengths.len()), faults })
}
