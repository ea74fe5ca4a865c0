//! Reading the error files of a server.

use crate::classes::{ErrorClass, ErrorClasses, IssueSeverity};
use crate::lines::{Line, Lines};
use crate::outcome::{Issue, Place, issues};
use memchr::memmem;
use serde_json::{Deserializer, Value};

/// A longer row is counted as unreadable: rows are parsed whole, and a parsed row can take sixteen times its length.
const MAX_ROW_BYTES: usize = 4 << 20;

/// The text of the class of rows that could not be read; nothing of their content is kept.
const UNREADABLE: &str = "unreadable";

/// What an error file says, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriageSummary {
    /// Every issue of every row, by class; the worst first.
    pub classes: Vec<ErrorClass>,
    /// Rows that are not blank.
    pub rows: u64,
    /// Rows whose worst issue says that something was not stored, unreadable ones included.
    pub failures: u64,
    /// Rows that are no JSON, or in which nothing like an issue was found.
    pub unreadable: u64,
}

/// Sorts an error file, NDJSON of OperationOutcomes read leniently, into classes, in bounded memory.
pub struct Triage {
    lines: Lines,
    table: Table,
}

impl Triage {
    /// A triage that keeps at most `max_classes` and one for the others.
    #[must_use]
    pub fn new(max_classes: u32) -> Self {
        Self { lines: Lines::new(MAX_ROW_BYTES), table: Table::new(max_classes) }
    }

    /// Reads the rows that end in this chunk. Returns the places in the input that they name, at most one a row, for a
    /// [`Joiner`](crate::Joiner); nothing of them is kept.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Place> {
        let Self { lines, table } = self;
        let mut places = Vec::new();
        lines.feed(chunk, |row| table.row(row, &mut places));
        places
    }

    /// Ends the file, whose last row may lack its line end; more files may follow.
    pub fn end_file(&mut self) -> Vec<Place> {
        let Self { lines, table } = self;
        let mut places = Vec::new();
        lines.end(|row| table.row(row, &mut places));
        places
    }

    /// Ends the triage, and a file that is still open.
    #[must_use]
    pub fn finish(mut self) -> TriageSummary {
        self.end_file();
        TriageSummary { classes: self.table.classes.into_classes(), ..self.table.summary }
    }
}

/// The classes in one answer that is, or wraps, an OperationOutcome: every issue, the worst first.
#[must_use]
pub fn classify(outcome: &Value, max_classes: u32) -> Vec<ErrorClass> {
    let mut classes = ErrorClasses::new(max_classes);
    classes.merge(issues(outcome).iter().map(Issue::to_class));
    classes.into_classes()
}

struct Table {
    classes: ErrorClasses,
    summary: TriageSummary,
}

impl Table {
    fn new(max_classes: u32) -> Self {
        Self { classes: ErrorClasses::new(max_classes), summary: TriageSummary::default() }
    }

    fn row(&mut self, row: &Line<'_>, places: &mut Vec<Place>) {
        if row.is_blank() {
            return;
        }
        self.summary.rows += 1;
        let issues = row.text.map(read_row).unwrap_or_default();
        if issues.is_empty() {
            return self.unreadable();
        }
        self.summary.failures += u64::from(issues.iter().any(|issue| issue.severity.is_failure()));
        places.extend(issues.iter().filter(|issue| issue.severity.is_failure()).find_map(|issue| issue.place.clone()));
        self.classes.merge(issues.iter().map(Issue::to_class));
    }

    fn unreadable(&mut self) {
        self.summary.unreadable += 1;
        self.summary.failures += 1;
        let (severity, text) = (IssueSeverity::Error, UNREADABLE.to_owned());
        self.classes.add(ErrorClass { severity, code: String::new(), text, count: 1, lines: Vec::new() });
    }
}

/// The issues of a row. From a row that is no JSON as a whole, an OperationOutcome inside is saved if there is one.
fn read_row(row: &[u8]) -> Vec<Issue> {
    let row = row.strip_prefix(b"\xef\xbb\xbf").unwrap_or(row);
    serde_json::from_slice(row).ok().or_else(|| outcome_inside(row)).as_ref().map(issues).unwrap_or_default()
}

/// HealthLake's guide shows rows with a key that lacks its quotes around an outcome that is well formed.
fn outcome_inside(row: &[u8]) -> Option<Value> {
    let start = memmem::find(row, br#"{"resourceType":"OperationOutcome""#)?;
    let outcome: Value = Deserializer::from_slice(row.get(start..)?).into_iter().next()?.ok()?;
    Some(match line_id(row.get(..start)?) {
        Some(line) => serde_json::json!({ "lineId": line, "outcome": outcome }),
        None => outcome,
    })
}

fn line_id(row: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"lineId\":";
    let after = row.get(memmem::find(row, KEY)? + KEY.len()..)?.trim_ascii_start();
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(after.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locator;

    const ROWS: &str = concat!(
        r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","details":{"text":"Resource id: p1, line: 2"},"diagnostics":"Failed to process resource at line: 2 with stream start offset: 0"}]}"#,
        "\n\r\n",
        r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","details":{"text":"Resource id: p2, line: 5"},"diagnostics":"Failed to process resource at line: 5 with stream start offset: 0"}]}"#,
        "\n",
        r#"{"issue":[{"severity":"information","code":"informational","diagnostics":"fine"}]}"#,
        "\nSmith is not JSON 😀\n{\"resourceType\":\"Patient\"}\n",
        r#"{"lineId":3, UpdateResourceResponse:{"jsonBlob":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"required","diagnostics":"Missing id"}]}}, "statusCode":400}"#,
    );

    fn triage(chunks: &[&[u8]]) -> (Vec<Place>, TriageSummary) {
        let mut triage = Triage::new(10);
        let mut places: Vec<_> = chunks.iter().flat_map(|chunk| triage.feed(chunk)).collect();
        places.extend(triage.end_file());
        (places, triage.finish())
    }

    #[test]
    fn rows_become_classes() {
        let (places, summary) = triage(&[ROWS.as_bytes()]);
        let classes: Vec<_> =
            summary.classes.iter().map(|class| (class.text.as_str(), class.count, class.lines.as_slice())).collect();
        let expected: [(&str, u64, &[u64]); 4] =
            [("Resource id: #, line: #", 2, &[]), (UNREADABLE, 2, &[]), ("Missing id", 1, &[3]), ("fine", 1, &[])];
        assert_eq!(classes, expected);
        assert_eq!((summary.rows, summary.failures, summary.unreadable), (6, 5, 2));
        let locators: Vec<_> = places.into_iter().map(|place| place.locator).collect();
        let unit = |line_in_unit| Locator::Unit { unit_start: 0, line_in_unit };
        assert_eq!(locators, [unit(2), unit(5), Locator::Line(3)]);
        assert!(!format!("{:?}", summary.classes).contains("Smith"));
    }

    #[test]
    fn cutting_anywhere_changes_nothing() {
        let whole = triage(&[ROWS.as_bytes()]);
        for at in 0..=ROWS.len() {
            let (head, tail) = ROWS.as_bytes().split_at(at);
            assert_eq!(triage(&[head, tail]), whole, "cut at {at}");
        }
    }

    #[test]
    fn an_issue_after_the_first_decides() {
        let outcome =
            serde_json::json!({"issue": [{"severity": "information"}, {"severity": "fatal", "code": "exception"}]});
        let severities: Vec<_> = classify(&outcome, 5).into_iter().map(|class| class.severity).collect();
        assert_eq!(severities, [IssueSeverity::Fatal]);
        let (_, summary) = triage(&[outcome.to_string().as_bytes()]);
        assert_eq!((summary.rows, summary.failures), (1, 1));
    }

    #[test]
    fn a_million_brackets_are_unreadable() {
        let (_, summary) = triage(&["[".repeat(1_000_000).as_bytes(), b"\n", &br#"{"a":"#.repeat(1_000_000)]);
        assert_eq!((summary.rows, summary.unreadable), (2, 2));
    }
}
