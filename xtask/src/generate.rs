//! `docs/reference/`, written from the program: one source for each fact, and a test that the pages are true.

mod commands;
mod dialects;
mod findings;
mod outcomes;
mod politeness;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

const FOLDER: &str = "docs/reference";

/// How the pages are made anew.
const COMMAND: &str = "cargo build --release --bin fhir-import && cargo xtask gen";

/// A generated page.
struct Page {
    name: &'static str,
    /// From where, for its first line.
    source: &'static str,
    body: String,
}

impl Page {
    fn text(&self) -> String {
        format!("<!-- Generated from {} by `cargo xtask gen`; changes here are lost. -->\n\n{}", self.source, self.body)
    }
}

fn pages(workspace: &Workspace) -> Result<Vec<Page>> {
    Ok(vec![
        Page { name: "commands.md", source: "`fhir-import --help`", body: commands::page(workspace)? },
        Page { name: "dialects.md", source: "guest/dialects/dialects/", body: dialects::page()? },
        Page { name: "findings.md", source: "guest/records/src/finding.rs", body: findings::page() },
        Page { name: "outcomes.md", source: "guest/workflow/src/outcome.rs", body: outcomes::page() },
        Page { name: "politeness.md", source: "guest/workflow/src/pace.rs", body: politeness::page() },
        Page { name: "politeness.svg", source: "guest/workflow/src/pace.rs", body: politeness::figure() },
    ])
}

/// Writes the pages.
pub fn write(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join(FOLDER);
    fs::create_dir_all(&folder)?;
    for page in pages(workspace)? {
        let path = folder.join(page.name);
        fs::write(&path, page.text()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Fails when a page is not what would be written, or when the folder holds something else.
pub fn compare(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join(FOLDER);
    let pages = pages(workspace)?;
    let mut wrong = Vec::new();
    for page in &pages {
        let committed = fs::read_to_string(folder.join(page.name)).unwrap_or_default();
        if committed != page.text() {
            wrong.push(format!("{FOLDER}/{}: {}", page.name, difference(&committed, &page.text())));
        }
    }
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !pages.iter().any(|page| page.name == name) {
            wrong.push(format!("{FOLDER}/{name}: not a generated page"));
        }
    }
    if !wrong.is_empty() {
        bail!("the pages do not say what the program does:\n  {}\nMake them anew: {COMMAND}", wrong.join("\n  "));
    }
    println!("{} pages are true", pages.len());
    Ok(())
}

/// The first line that differs.
fn difference(committed: &str, wanted: &str) -> String {
    let mut pairs = wanted.lines().zip(committed.lines().chain(std::iter::repeat("")));
    let found = pairs.by_ref().enumerate().find(|(_, (wanted, committed))| wanted != committed);
    match found {
        Some((number, (wanted, committed))) => {
            format!("line {} should be\n      {wanted:?}\n    and is\n      {committed:?}", number + 1)
        }
        None => "it has lines too many".to_owned(),
    }
}

/// A row of a Markdown table.
fn row<const N: usize>(cells: [&str; N]) -> String {
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a Markdown table.
fn head<const N: usize>(cells: [&str; N]) -> String {
    row(cells) + &row([""; N].map(|_| "---"))
}
