//! What people and programs see: data on stdout, talk on stderr.

pub mod findings;
pub mod jobs;
pub mod json;
pub mod report;
mod screen;
mod talk;

use std::io::{self, Write};
use std::path::Path;

use fhir_import::serve::{Delivery, Served};
use indicatif::HumanBytes;

use crate::exit::Failure;

/// Columns where nobody says how many there are, as in a pipe.
const USUAL_WIDTH: usize = 100;
/// Fewer columns cannot hold a table.
const NARROWEST: usize = 40;

pub use screen::Screen;
pub use talk::Talk;

/// Writes data. Whoever closed the pipe has read enough.
pub fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Says why there is no result.
pub fn failure(failure: &Failure, as_json: bool) {
    let mut stderr = io::stderr().lock();
    // Without a stderr there is nobody to tell.
    let _ = writeln!(stderr, "error: {}", failure.message);
    if let Some(command) = &failure.next_command {
        let _ = writeln!(stderr, "next: {command}");
    }
    if as_json {
        let mut data = failure.data.clone();
        if data.is_null() {
            data = serde_json::json!({});
        }
        data["message"] = failure.message.clone().into();
        json::print(failure.outcome, failure.next_command.clone(), data);
    }
}

/// How many columns there are: as `COLUMNS` says, else as wide as the terminal.
pub fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    said.or_else(seen).unwrap_or(USUAL_WIDTH).max(NARROWEST)
}

/// A number of things.
pub fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What became of one fetch.
pub fn fetched(name: &str, served: &Served) -> String {
    let bytes = HumanBytes(served.bytes);
    match served.delivery {
        Delivery::Complete => format!("{} fetched {name} ({bytes})", served.peer.ip()),
        Delivery::Cut => format!("{} began to fetch {name} and broke off after {bytes}", served.peer.ip()),
        Delivery::Changed(change) => format!("{name} {change}: it is not served any more"),
    }
}

/// Rows in columns as wide as their widest cell; the first is aligned left, the others right when they are numbers.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "-.,".contains(c));
    let numeric: Vec<bool> = (0..head.len()).map(|column| rows.iter().all(|row| is_number(&row[column]))).collect();
    let line = |row: &[&str]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if numeric[column] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let rows = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    [line(head)].into_iter().chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_their_widest_cell() {
        let rows = vec![vec!["Patient".to_owned(), "12".to_owned()], vec!["Observation".to_owned(), "-".to_owned()]];
        assert_eq!(table(&["type", "sent"], &rows), "  type         sent\n  Patient        12\n  Observation     -\n");
    }
}
