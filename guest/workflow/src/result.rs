//! What the last answer of a job holds, by shape.

use fhir_import_records::{ErrorClass, classify};
use serde::Deserialize;
use serde_json::Value;

use crate::dialect::ResultShape;
use crate::exchange::Answer;
use crate::plan::Plan;
use crate::progress::{CLASSES, Tally};

/// An NDJSON file of OperationOutcomes that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedErrors {
    /// Where.
    pub url: String,
    /// How many resources it speaks of, when the server says.
    pub count: Option<u64>,
}

/// Reads the answer of a job that ended into the tally.
///
/// Returns the error files it offers; `None` when the answer does not have the shape, which makes it no result.
#[must_use]
pub fn read(shape: ResultShape, answer: &Answer, plan: &Plan, tally: &mut Tally) -> Option<Vec<OfferedErrors>> {
    match shape {
        ResultShape::Manifest => manifest(answer, plan, tally),
        ResultShape::ReportText => {
            let outcome = answer.resource("OperationOutcome")?;
            tally.add_errors(failures(&outcome));
            report_text(&outcome, plan, tally);
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
    #[serde(default)]
    error: Vec<Row>,
}

/// The SMART draft names the field `input` in its table and `inputUrl` in its example: both are read.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "inputUrl", alias = "input")]
    input_url: Option<String>,
    url: Option<String>,
    count: Option<u64>,
}

fn manifest(answer: &Answer, plan: &Plan, tally: &mut Tally) -> Option<Vec<OfferedErrors>> {
    let manifest: Manifest = serde_json::from_value(answer.json()?).ok()?;
    for row in &manifest.output {
        if let Some(count) = row.count {
            tally.add_imported(type_of(plan, row.input_url.as_deref()), count);
        }
    }
    let mut offered: Vec<OfferedErrors> = Vec::new();
    for row in &manifest.error {
        let count = row.count.unwrap_or(1);
        tally.add_rejected(type_of(plan, row.input_url.as_deref()), count);
        if let Some(url) = row.url.as_ref().filter(|url| count > 0 && offered.iter().all(|o| o.url != **url)) {
            offered.push(OfferedErrors { url: url.clone(), count: row.count });
        }
    }
    Some(offered)
}

/// The type of the input that a server speaks of.
fn type_of<'a>(plan: &'a Plan, url: Option<&str>) -> Option<&'a str> {
    let url = url?;
    plan.inputs.iter().find(|input| input.url == url).map(|input| input.resource_type.as_str())
}

/// The report of a text, which may be JSON text inside of `diagnostics` (HAPI FHIR 8.2 and later).
fn report_text(outcome: &Value, plan: &Plan, tally: &mut Tally) {
    for text in diagnostics(outcome).filter_map(report_of) {
        Report { plan, tally }.read(&text);
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
    let text = match serde_json::from_str::<Wrapped>(diagnostics) {
        Ok(wrapped) => wrapped.report_msg,
        Err(_) => diagnostics.to_owned(),
    };
    text.contains("Outcomes:").then_some(text)
}

struct Report<'a> {
    plan: &'a Plan,
    tally: &'a mut Tally,
}

impl Report<'_> {
    /// `Source: URL`, then `Outcomes:` with `* CODE: n`, then other sections.
    fn read(&mut self, text: &str) {
        let mut counting = false;
        let mut kind: Option<&str> = None;
        for line in text.lines().map(str::trim) {
            if let Some(url) = line.strip_prefix("Source:") {
                kind = type_of(self.plan, Some(url.trim()));
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
        if code == "FAILURE" {
            self.tally.add_rejected(kind, count);
        } else {
            self.tally.add_imported(kind, count);
        }
    }
}
