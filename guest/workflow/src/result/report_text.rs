//! An OperationOutcome whose text is a report.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Offered, add_failures, types};
use crate::json;
use crate::plan::Plan;
use crate::progress::Tally;

pub(super) fn read(outcome: &Value, plan: &Plan, tally: &mut Tally) -> Offered {
    let before = tally.rejected.unwrap_or(0);
    counts(outcome, plan, tally);
    add_failures(outcome, tally, before);
    Offered::default()
}

/// The report of a text, which may be JSON text inside of `diagnostics` (HAPI FHIR 8.2 and later).
pub(super) fn counts(outcome: &Value, plan: &Plan, tally: &mut Tally) {
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
    let wrapped = json::parse(diagnostics.as_bytes()).ok();
    let inside = wrapped.as_ref().and_then(|value| value["reportMsg"].as_str());
    let text = inside.unwrap_or(diagnostics).to_owned();
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
