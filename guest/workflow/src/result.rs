//! What the last answer of a job holds, by shape.

mod manifest;
mod members;
mod outcome_files;
mod report_text;

use std::collections::BTreeMap;

use fhir_import_records::{ErrorClass, classify};
use serde::Serialize;
use serde_json::Value;

use crate::dialect::{ErrorFiles, ResultSection, ResultShape};
use crate::exchange::Answer;
use crate::json::read::{read_object, read_word};
use crate::plan::Plan;
use crate::progress::{CLASSES, Tally};

/// What a result offers beside its counts.
#[derive(Debug, Default, PartialEq)]
pub struct Offered {
    /// NDJSON files of OperationOutcomes.
    pub files: Vec<ErrorFile>,
    /// Where the result goes on.
    pub next: Option<String>,
}

/// An NDJSON file of OperationOutcomes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ErrorFile {
    /// Where it is.
    pub url: String,
    /// Whether its errors are counted.
    pub rows: Rows,
}

/// Whether the errors of a file are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// The result counts them.
    #[default]
    Counted,
    /// Only the file tells.
    Uncounted,
}

/// Reads the result of a job that ended into the tally.
///
/// `None` when the answer does not have the shape, which makes it no result.
#[must_use]
pub fn read(section: &ResultSection, answer: &Answer, plan: &Plan, tally: &mut Tally) -> Option<Offered> {
    let mut offered = match section.shape {
        ResultShape::Manifest => manifest::read(&answer.json()?, plan, tally)?,
        ResultShape::OutcomeFiles => outcome_files::read(&answer.json()?, tally)?,
        ResultShape::ReportText => report_text::read(&answer.resource("OperationOutcome")?, plan, tally),
        ResultShape::Members => members::read(section.members.as_ref()?, &answer.json()?, plan, tally)?,
        ResultShape::Nothing => {
            tally.add_silence();
            let before = tally.rejected.unwrap_or(0);
            add_failures(&answer.json()?, tally, before);
            Offered::default()
        }
    };
    if section.error_files == ErrorFiles::Named {
        offered.files.clear();
    }
    Some(offered)
}

/// Reads the answer of a job that failed: its OperationOutcomes, and whatever report they carry.
pub fn read_failure(answer: &Answer, plan: &Plan, tally: &mut Tally) {
    let Some(body) = answer.json() else { return };
    tally.add_errors(failures(&body));
    if body["resourceType"] == "OperationOutcome" {
        report_text::counts(&body, plan, tally);
    }
}

/// The errors in an answer, with those that its report lists.
fn failures(body: &Value) -> Vec<ErrorClass> {
    classify(body, CLASSES).into_iter().filter(|class| class.severity.is_failure()).collect()
}

/// Adds the errors in an answer. Errors that no count speaks of, and a count of none does not, are errors all the same.
fn add_failures(body: &Value, tally: &mut Tally, before: u64) {
    let failures = failures(body);
    if tally.rejected.unwrap_or(0) == before {
        failures.iter().for_each(|class| tally.add_rejected(None, class.count));
    }
    tally.add_errors(failures);
}

/// The type of each input, by its URL: a server speaks of ten thousand of them.
fn types(plan: &Plan) -> BTreeMap<&str, &str> {
    let mut types = BTreeMap::new();
    types.extend(plan.inputs.iter().map(|input| (input.url.as_str(), input.resource_type.as_str())));
    types
}

/// The input that a row speaks of. The SMART draft names the field `input` in its table and `inputUrl` in its example.
fn source(row: &Value) -> &str {
    ["inputUrl", "input", "url"].into_iter().find_map(|name| row[name].as_str()).unwrap_or_default()
}

read_object!(ErrorFile { url, rows = Rows::Counted });
read_word!(Rows { Counted = "counted", Uncounted = "uncounted" });
