//! Words that are in no committed file: open ends, misspelt words of the trade, things of one machine.

use anyhow::Result;

use super::{House, Verdict};
use crate::workspace::TextFile;

/// A text that may not be there.
struct Banned {
    text: &'static str,
    whole_word: bool,
    why: &'static str,
}

const fn word(text: &'static str, why: &'static str) -> Banned {
    Banned { text, whole_word: true, why }
}

const fn anywhere(text: &'static str, why: &'static str) -> Banned {
    Banned { text, whole_word: false, why }
}

const OPEN: &str = "an open end: do it, or write it down in docs/decisions";
const SPELLING: &str = "misspelt: a wrong word of the trade becomes an API";
const MACHINE: &str = "a path of one machine";

const BANNED: &[Banned] = &[
    word("TODO", OPEN),
    word("FIXME", OPEN),
    word("XXX", OPEN),
    anywhere("#[ignore", "a test that no run has: name the task that runs it"),
    word("pooling", SPELLING),
    word("asyn", SPELLING),
    word("manifesto", SPELLING),
    word("ressource", SPELLING),
    word("recieve", SPELLING),
    word("seperate", SPELLING),
    word("occured", SPELLING),
    word("sucess", SPELLING),
    word("checkpont", SPELLING),
    word("idempotant", SPELLING),
    anywhere("/work/", MACHINE),
    anywhere("/root/", MACHINE),
    anywhere("/tmp/", MACHINE),
];

/// This file spells them all; data was made by others, and foreign files are theirs.
const EXEMPT: [&str; 3] = ["xtask/src/check/words.rs", "examples/data/", "wit/deps/"];

/// The one registry that the lock may name.
const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// No banned word, and no registry but the public one.
pub fn words(house: &House<'_>) -> Result<Verdict> {
    let mut faults = Vec::new();
    let files = house.files.iter().filter(|file| !EXEMPT.iter().any(|exempt| file.path.starts_with(exempt)));
    let mut seen = 0;
    for file in files {
        seen += 1;
        for (number, line) in file.text.lines().enumerate() {
            let banned = BANNED.iter().filter(|banned| banned.is_in(line) && !runs_elsewhere(line));
            let why = banned.map(|banned| format!("{:?} is {}", banned.text, banned.why));
            let why = why.chain(foreign_registry(file, line));
            faults.extend(why.map(|why| format!("{}:{}: {why}", file.path, number + 1)));
        }
    }
    Ok(Verdict { seen: format!("{seen} files, {} words", BANNED.len()), faults })
}

impl Banned {
    fn is_in(&self, line: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        line.match_indices(self.text).any(|(at, text)| {
            let (before, after) = (&line[..at], &line[at + text.len()..]);
            !self.whole_word || !(before.ends_with(is_part) || after.starts_with(is_part))
        })
    }
}

/// A test that is too long for every run, and says which task runs it.
fn runs_elsewhere(line: &str) -> bool {
    line.contains("#[ignore = ") && line.contains("cargo xtask ")
}

/// A mirror of one machine must not become everybody's: not in a lock, not in a build file.
fn foreign_registry(file: &TextFile, line: &str) -> Option<String> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let line = line.trim();
    let foreign = match name {
        "Cargo.lock" => line.starts_with("source = ") && line != REGISTRY,
        "package-lock.json" => line.starts_with("\"resolved\": \"http"),
        "config.toml" | "Cargo.toml" => line.starts_with("[source") || line.starts_with("[registries"),
        "pom.xml" => line.contains("<repository>") || line.contains("<pluginRepository>"),
        _ => false,
    };
    foreign.then(|| "names a registry: only the public one that everybody has by default is used".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_not_a_part_of_one() {
        assert!(word("asyn", "").is_in("an asyn answer"));
        assert!(!word("asyn", "").is_in("an async answer"));
        assert!(anywhere("/tmp/", "").is_in("see \"/tmp/x\""));
    }

    #[test]
    fn a_test_that_is_left_out_names_the_task_that_runs_it() {
        assert!(runs_elsewhere(r#"#[ignore = "half an hour: cargo xtask obelisk"]"#));
        assert!(!runs_elsewhere(r#"#[ignore = "it fails"]"#));
    }
}
