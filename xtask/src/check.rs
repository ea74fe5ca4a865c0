//! The house checks: what a compiler cannot see. Each says what is wrong, where, and what would be right.

mod budget;
mod layers;
mod names;
mod words;

use anyhow::{Result, bail};

use crate::workspace::{TextFile, Workspace};

/// What a check looks at.
pub struct House<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// Its text files.
    pub files: Vec<TextFile>,
}

/// What a check says.
pub struct Verdict {
    /// What was looked at, in a few words, for the case that all is well.
    pub seen: String,
    /// What is wrong, one line a piece.
    pub faults: Vec<String>,
}

struct Check {
    name: &'static str,
    run: fn(&House<'_>) -> Result<Verdict>,
}

const CHECKS: &[Check] = &[
    Check { name: "layers", run: layers::layers },
    Check { name: "names", run: names::names },
    Check { name: "budget", run: budget::budget },
    Check { name: "words", run: words::words },
];

/// Runs all checks, and fails at the end if one found something.
pub fn check(workspace: &Workspace) -> Result<()> {
    let house = House { workspace, files: workspace.text_files()? };
    let mut faults = 0;
    for check in CHECKS {
        let verdict = (check.run)(&house)?;
        for fault in &verdict.faults {
            eprintln!("{}: {fault}", check.name);
        }
        let word = if verdict.faults.is_empty() { "holds" } else { "BROKEN" };
        println!("{:<8}{word}: {}", check.name, verdict.seen);
        faults += verdict.faults.len();
    }
    if faults > 0 {
        bail!("{faults} house rules are broken, see above");
    }
    Ok(())
}
