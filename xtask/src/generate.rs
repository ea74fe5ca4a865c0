//! `docs/reference/`, written from the program: one source for each fact, and a test that the pages are true.

mod commands;
mod dialects;
mod findings;
mod outcomes;
mod politeness;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

const FOLDER: &str = "docs/reference";

/// How the pages are made anew.
const COMMAND: &str = "cargo build --release --bin fhir-import && cargo xtask gen";

/// A generated page.
struct Page {
    /// Its path below the folder, with `/`.
    name: String,
    /// From where, for its first line.
    source: String,
    body: String,
}

impl Page {
    fn new(name: &str, source: &str, body: String) -> Self {
        Self { name: name.to_owned(), source: source.to_owned(), body }
    }

    fn text(&self) -> String {
        format!("<!-- Generated from {} by `cargo xtask gen`; changes here are lost. -->\n\n{}", self.source, self.body)
    }
}

fn pages(workspace: &Workspace) -> Result<Vec<Page>> {
    let outcomes = "guest/workflow/src/outcome.rs";
    let pace = "guest/workflow/src/pace.rs";
    let mut pages = vec![
        Page::new("commands.md", "`fhir-import --help`", commands::page(workspace)?),
        Page::new("dialects.md", "guest/dialects/dialects/", dialects::all()),
        Page::new("findings.md", "guest/records/src/finding.rs", findings::page()),
        Page::new("outcomes.md", outcomes, outcomes::page()),
        Page::new("politeness.md", pace, politeness::page()),
        Page::new("politeness.svg", pace, politeness::figure()),
    ];
    pages.extend(dialects::each().into_iter().map(|(name, source, body)| Page { name, source, body }));
    Ok(pages)
}

/// Writes the pages.
pub fn write(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join(FOLDER);
    for page in pages(workspace)? {
        let path = folder.join(&page.name);
        fs::create_dir_all(path.parent().context("a page is in a folder")?)?;
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
        let committed = fs::read_to_string(folder.join(&page.name)).unwrap_or_default();
        if committed != page.text() {
            wrong.push(format!("{FOLDER}/{}: {}", page.name, difference(&committed, &page.text())));
        }
    }
    for name in names(&folder, "")? {
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

/// The files of a folder, with those of the folders in it.
fn names(folder: &Path, above: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => found.extend(names(&entry.path(), &format!("{name}/"))?),
            false => found.push(name),
        }
    }
    Ok(found)
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
