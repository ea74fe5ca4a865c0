//! Reading what servers send as an OperationOutcome, however they wrap it.
//!
//! Seen so far: the resource itself, without `issue.code`; an array of them on one line; `diagnostics` that is JSON
//! text; a row with the outcome deep inside and `lineId` outside; an issue without its outcome; rows of `line` and
//! `error`.

use crate::classes::{ErrorClass, IssueSeverity};
use crate::join::Locator;
use crate::normalise::normalise;
use serde_json::{Map, Value};

/// How deep inside a row an outcome is looked for.
const MAX_DEPTH: u32 = 8;

const LINE_FIELDS: [&str; 3] = ["line", "lineId", "lineNumber"];
const MESSAGE_FIELDS: [&str; 5] = ["error", "message", "Message", "errorMessage", "reportMsg"];
const SOURCE_FIELDS: [&str; 2] = ["source", "inputUrl"];

/// The heading of the list of errors in a report that is a text.
const REPORT_ERRORS: &str = "Errors:";

/// The bullet of such a list.
const REPORT_BULLET: &str = "* ";

/// One issue; the text is the server's own and may hold patient data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) severity: IssueSeverity,
    code: String,
    text: String,
    pub(crate) place: Option<Place>,
}

/// Where in the input an issue says that it happened.
///
/// A plain line number is read as [`Locator::Line`]; whoever knows that the server skips blank lines when it counts
/// makes it a [`Locator::Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which line.
    pub locator: Locator,
    /// Which file, when the row names one.
    pub source: Option<String>,
}

impl Issue {
    /// The issue as a class of its own, with its text normalised.
    pub(crate) fn to_class(&self) -> ErrorClass {
        let lines = self.place.iter().filter_map(|place| place.locator.line()).collect();
        let (severity, code) = (self.severity, self.code.clone());
        ErrorClass { severity, code, text: normalise(&self.text), count: 1, lines }
    }

    fn is_blank(&self) -> bool {
        self.code.is_empty() && self.text.is_empty()
    }
}

/// All issues in a row. One that says nothing is dropped when another, as bad or worse, says something.
pub(crate) fn issues(row: &Value) -> Vec<Issue> {
    let mut found = Vec::new();
    collect(row, &Around::default(), &mut found);
    let worst = found.iter().filter(|issue| !issue.is_blank()).map(|issue| issue.severity).max();
    found.retain(|issue| !issue.is_blank() || Some(issue.severity) > worst);
    found
}

/// What the objects around an issue say about its place.
#[derive(Clone, Default)]
struct Around<'a> {
    depth: u32,
    line: Option<u64>,
    source: Option<&'a str>,
}

impl<'a> Around<'a> {
    fn entering(&self, object: &'a Map<String, Value>) -> Self {
        Self {
            depth: self.depth + 1,
            line: LINE_FIELDS.iter().find_map(|field| integer(object.get(*field)?)).or(self.line),
            source: first_text(object, &SOURCE_FIELDS).or(self.source),
        }
    }

    /// A field is surer than a text; a text may also count from the start of a unit of the file.
    fn place(&self, texts: &[&str]) -> Option<Place> {
        let told =
            || texts.iter().find_map(|text| unit_line(text)).or_else(|| texts.iter().find_map(|text| line(text)));
        let locator = self.line.map(Locator::Line).or_else(told)?;
        Some(Place { locator, source: self.source.map(str::to_owned) })
    }
}

fn collect(value: &Value, around: &Around<'_>, found: &mut Vec<Issue>) {
    if around.depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Array(items) => {
            let inside = Around { depth: around.depth + 1, ..around.clone() };
            items.iter().for_each(|item| collect(item, &inside, found));
        }
        Value::Object(object) => collect_object(object, &around.entering(object), found),
        _ => {}
    }
}

fn collect_object(object: &Map<String, Value>, around: &Around<'_>, found: &mut Vec<Issue>) {
    if let Some(Value::Array(issues)) = object.get("issue") {
        issues.iter().filter_map(Value::as_object).for_each(|issue| read_issue(issue, around, found));
    } else if object.contains_key("severity") {
        read_issue(object, around, found);
    } else if let Some(text) = first_text(object, &MESSAGE_FIELDS) {
        let (severity, place) = (IssueSeverity::Error, around.place(&[text]));
        found.push(Issue { severity, code: String::new(), text: text.to_owned(), place });
    } else {
        object.values().for_each(|inner| collect(inner, around, found));
    }
}

fn read_issue(issue: &Map<String, Value>, around: &Around<'_>, found: &mut Vec<Issue>) {
    let severity = IssueSeverity::read(issue.get("severity").and_then(Value::as_str));
    let code = issue.get("code").and_then(Value::as_str).filter(|code| is_code(code)).unwrap_or_default();
    let diagnostics = issue.get("diagnostics").and_then(Value::as_str).unwrap_or_default();
    let embedded: Option<Value> = serde_json::from_slice(diagnostics.as_bytes()).ok();
    let (around, diagnostics) = match embedded.as_ref().and_then(Value::as_object) {
        Some(object) => (around.entering(object), first_text(object, &MESSAGE_FIELDS).unwrap_or_default()),
        None => (around.clone(), diagnostics),
    };
    let details = issue.get("details").map_or("", details_text);
    let text = if details.is_empty() { diagnostics } else { details };
    // Diagnostics are asked first: they may say where the unit starts.
    let place = around.place(&[diagnostics, details]);
    found.push(Issue { severity, code: code.to_owned(), text: summary(text).to_owned(), place });
    found.extend(reported_errors(text));
}

/// `details.text`, or what its first coding says.
fn details_text(details: &Value) -> &str {
    let coding = |field: &str| details.pointer(&format!("/coding/0/{field}")).and_then(Value::as_str);
    let text = details.get("text").and_then(Value::as_str);
    text.or_else(|| coding("display")).or_else(|| coding("code")).unwrap_or_default()
}

/// The title of a report that is a text; any other text as a whole.
fn summary(text: &str) -> &str {
    match text.split_once('\n') {
        Some((title, rest)) if rest.starts_with("---") => title,
        _ => text,
    }
}

/// The errors listed in a report that is a text: a job may have finished and still say so only here.
fn reported_errors(text: &str) -> impl Iterator<Item = Issue> + '_ {
    let is_heading = |line: &str| line.trim_end().ends_with(':');
    let mut in_list = false;
    let listed = text.lines().map(str::trim).filter_map(move |line| {
        in_list = line == REPORT_ERRORS || (in_list && !is_heading(line));
        line.strip_prefix(REPORT_BULLET).filter(|_| in_list)
    });
    listed.map(|text| {
        let (severity, place) = (IssueSeverity::Error, None);
        Issue { severity, code: String::new(), text: text.to_owned(), place }
    })
}

/// An issue type of FHIR or a server's own word, and nothing longer.
fn is_code(code: &str) -> bool {
    (1..=32).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
}

fn first_text<'a>(object: &'a Map<String, Value>, fields: &[&str]) -> Option<&'a str> {
    fields.iter().find_map(|field| object.get(*field)?.as_str().filter(|text| !text.is_empty()))
}

fn integer(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// "at line: 12 with stream start offset: 4096": the line is counted from the unit that starts at the offset.
fn unit_line(text: &str) -> Option<Locator> {
    let (line_in_unit, rest) = number_after(text, "line")?;
    let (unit_start, _) = number_after(rest, "offset")?;
    Some(Locator::Unit { unit_start, line_in_unit })
}

/// "line: 12", unless a column follows: then a parser speaks of its own text, in which a record has one line.
fn line(text: &str) -> Option<Locator> {
    let (number, rest) = number_after(text, "line")?;
    let after = rest.trim_start_matches([' ', ',', ';', ':']);
    (!after.starts_with("col")).then_some(Locator::Line(number))
}

/// The first number that follows the word with nothing but `: #=` between.
fn number_after<'a>(text: &'a str, word: &str) -> Option<(u64, &'a str)> {
    text.match_indices(word).find_map(|(at, _)| {
        let rest = text.get(at + word.len()..)?.trim_start_matches([' ', ':', '#', '=']);
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        Some((rest.get(..digits)?.parse().ok()?, rest.get(digits..)?))
    })
}

#[cfg(test)]
mod tests;
