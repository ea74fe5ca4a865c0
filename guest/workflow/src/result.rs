//! What the last answer of a job holds, by shape.

use std::collections::{BTreeMap, BTreeSet};

use fhir_import_records::{ErrorClass, classify};
use serde::Deserialize;
use serde_json::Value;

use crate::dialect::ResultShape;
use crate::exchange::Answer;
use crate::json;
use crate::plan::Plan;
use crate::progress::{CLASSES, Tally};

/// Reads the answer of a job that ended into the tally.
///
/// Returns where the error files are that it offers (NDJSON of OperationOutcomes); `None` when the answer does not have the shape, which makes it no result.
#[must_use]
pub fn read(shape: ResultShape, answer: &Answer, plan: &Plan, tally: &mut Tally) -> Option<Vec<String>> {
    match shape {
        ResultShape::Manifest => manifest(answer, plan, tally),
        ResultShape::ReportText => {
            let outcome = answer.resource("OperationOutcome")?;
            let (failures, before) = (failures(&outcome), tally.rejected);
            report_text(&outcome, plan, tally);
            if tally.rejected == before {
                // Errors that no count speaks of are errors all the same.
                failures.iter().for_each(|class| tally.add_rejected(None, class.count));
            }
            tally.add_errors(failures);
            Some(Vec::new())
        }
    }
}

/// Reads the answer of a job that failed: its OperationOutcome, and whatever report it carries.
pub fn read_failure(answer: &Answer, plan: &Plan, tally: &mut Tally) {
    let Some(outcome) = answer.resource("OperationOutcome") else { return };
    tally.add_errors(failures(&outcome));
    report_text(&outcome, plan, tally);
}

/// The errors of an OperationOutcome; those that its report lists are among them.
fn failures(outcome: &Value) -> Vec<ErrorClass> {
    classify(outcome, CLASSES).into_iter().filter(|class| class.severity.is_failure()).collect()
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "transactionTime")]
    _transaction_time: Option<Value>,
    output: Vec<Row>,
    error: Option<Vec<Row>>,
}

/// The SMART draft names the field `input` in its table and `inputUrl` in its example: both are read.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "inputUrl")]
    input_url: Option<String>,
    input: Option<String>,
    url: Option<String>,
    count: Option<u64>,
}

impl Row {
    /// The input that the row speaks of.
    fn source(&self) -> &str {
        self.input_url.as_deref().or(self.input.as_deref()).unwrap_or_default()
    }
}

fn manifest(answer: &Answer, plan: &Plan, tally: &mut Tally) -> Option<Vec<String>> {
    let manifest: Manifest = json::from_value(&answer.json()?).ok()?;
    let types = types(plan);
    for row in &manifest.output {
        match row.count {
            Some(count) => tally.add_imported(types.get(row.source()).copied(), count),
            None => tally.add_silence(),
        }
    }
    let (mut offered, mut seen) = (Vec::new(), BTreeSet::new());
    for row in manifest.error.iter().flatten() {
        // Without a count it is at least one.
        let count = row.count.unwrap_or(1);
        tally.add_rejected(types.get(row.source()).copied(), count);
        if let Some(url) = row.url.as_ref().filter(|url| count > 0 && seen.insert(url.as_str())) {
            offered.push(url.clone());
        }
    }
    Some(offered)
}

/// The type of each input, by its URL: a server speaks of ten thousand of them.
fn types(plan: &Plan) -> BTreeMap<&str, &str> {
    let mut types = BTreeMap::new();
    types.extend(plan.inputs.iter().map(|input| (input.url.as_str(), input.resource_type.as_str())));
    types
}

/// The report of a text, which may be JSON text inside of `diagnostics` (HAPI FHIR 8.2 and later).
fn report_text(outcome: &Value, plan: &Plan, tally: &mut Tally) {
    let mut report = Report { types: types(plan), tally, counts: 0 };
    for text in diagnostics(outcome).filter_map(report_of) {
        report.read(&text);
    }
    if report.counts == 0 {
        report.tally.add_silence();
    }
}

fn diagnostics(outcome: &Value) -> impl Iterator<Item = &str> {
    outcome["issue"].as_array().into_iter().flatten().filter_map(|issue| issue["diagnostics"].as_str())
}

fn report_of(diagnostics: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Wrapped {
        #[serde(rename = "reportMsg")]
        report_msg: String,
    }
    let text = match json::read::<Wrapped>(diagnostics) {
        Ok(wrapped) => wrapped.report_msg,
        Err(_) => diagnostics.to_owned(),
    };
    text.contains("Outcomes:").then_some(text)
}

struct Report<'a> {
    types: BTreeMap<&'a str, &'a str>,
    tally: &'a mut Tally,
    /// Counts that were found.
    counts: u32,
}

impl Report<'_> {
    /// `Source: URL`, then `Outcomes:` with `* CODE: n`, then other sections.
    fn read(&mut self, text: &str) {
        let mut counting = false;
        let mut kind: Option<&str> = None;
        for line in text.lines().map(str::trim) {
            if let Some(url) = line.strip_prefix("Source:") {
                kind = self.types.get(url.trim()).copied();
            } else if let Some(item) = line.strip_prefix('*').filter(|_| counting) {
                self.count(kind, item.trim());
            } else {
                counting = line == "Outcomes:";
            }
        }
    }

    fn count(&mut self, kind: Option<&str>, item: &str) {
        let Some((code, count)) = item.rsplit_once(':') else { return };
        let Ok(count) = count.trim().parse() else { return };
        match code {
            "FAILURE" => self.tally.add_rejected(kind, count),
            _ if code.starts_with("SUCCESSFUL") => self.tally.add_imported(kind, count),
            // Placeholders that the server made itself, for example, were not sent.
            _ => return,
        }
        self.counts = self.counts.saturating_add(1);
    }
}
