//! The text HAPI calls "Bulk Import Report".

use crate::moment;
use crate::store::Change;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

const RULE: &str = "------------------------------------------";

/// What a storage action came to, in the order HAPI lists them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Action {
    Create,
    Update,
    UpdateAsCreate,
    UpdateNoChange,
    Failure,
}

impl Action {
    /// A resource with an id is always an update to HAPI, even the first of its id.
    pub(super) fn of(change: Change, has_id: bool) -> Self {
        match change {
            Change::Created if has_id => Self::UpdateAsCreate,
            Change::Created => Self::Create,
            Change::Updated => Self::Update,
            Change::Unchanged => Self::UpdateNoChange,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Create => "SUCCESSFUL_CREATE",
            Self::Update => "SUCCESSFUL_UPDATE",
            Self::UpdateAsCreate => "SUCCESSFUL_UPDATE_AS_CREATE",
            Self::UpdateNoChange => "SUCCESSFUL_UPDATE_NO_CHANGE",
            Self::Failure => "FAILURE",
        }
    }
}

/// Storage actions of one file, and why some failed.
#[derive(Default)]
struct Tally {
    actions: BTreeMap<Action, u64>,
    errors: Vec<String>,
}

/// Storage actions of a job, by the URL of the file.
pub(super) struct Report {
    started: SystemTime,
    duration: Duration,
    sources: BTreeMap<String, Tally>,
}

impl Report {
    pub(super) fn new(started: SystemTime) -> Self {
        Self { started, duration: Duration::ZERO, sources: BTreeMap::new() }
    }

    pub(super) fn stored(&mut self, url: &str, action: Action) {
        *self.tally(url).actions.entry(action).or_default() += 1;
    }

    pub(super) fn failed(&mut self, url: &str, error: String) {
        self.stored(url, Action::Failure);
        self.tally(url).errors.push(error);
    }

    /// Adds storage actions that never happened, or takes away some that did.
    pub(super) fn lie(&mut self, url: &str, by: i64) {
        if by != 0 {
            let claimed = self.tally(url).actions.entry(Action::UpdateAsCreate).or_default();
            *claimed = claimed.saturating_add_signed(by);
        }
    }

    pub(super) fn end(&mut self, now: SystemTime) {
        self.duration = now.duration_since(self.started).unwrap_or_default();
    }

    pub(super) fn has_failures(&self) -> bool {
        self.sources.values().any(|tally| tally.actions.contains_key(&Action::Failure))
    }

    /// The report of a completed job, inside a JSON text.
    pub(super) fn to_json_text(&self) -> String {
        json!({"reportMsg": self.to_string()}).to_string()
    }

    /// The report of a failed job, inside a JSON text that HAPI writes with another writer.
    pub(super) fn to_indented_json_text(&self) -> String {
        format!("{{\n  \"reportMsg\" : {}\n}}", json!(self.to_string()))
    }

    fn tally(&mut self, url: &str) -> &mut Tally {
        self.sources.entry(url.to_owned()).or_default()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let actions: u64 = self.sources.values().flat_map(|tally| tally.actions.values()).sum();
        let rate = u128::from(actions) * 1000 / self.duration.as_millis().max(1);
        writeln!(f, "Bulk Import Report\n{RULE}")?;
        writeln!(f, "Start Time      : {}", moment::timestamp(self.started))?;
        writeln!(f, "Duration        : {}", moment::span(self.duration))?;
        writeln!(f, "Storage Actions : {actions} ({rate}/sec)\n{RULE}")?;
        for (url, tally) in &self.sources {
            writeln!(f, "Source: {url}\n  Outcomes:")?;
            for (action, count) in &tally.actions {
                writeln!(f, "    * {}: {count}", action.name())?;
            }
            if !tally.errors.is_empty() {
                writeln!(f, "  Errors:")?;
            }
            for error in &tally.errors {
                writeln!(f, "    * {error}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_recorded_report_is_written_to_the_letter() {
        let url = "http://127.0.0.1:18090/missingref.ndjson";
        let started = UNIX_EPOCH + Duration::from_millis(1_795_407_874_847);
        let mut report = Report::new(started);
        report.failed(url, "HAPI-1094: Resource Patient/does-not-exist not found".to_owned());
        report.stored(url, Action::UpdateAsCreate);
        report.duration = Duration::from_millis(3_215);
        assert_eq!(
            report.to_string(),
            "Bulk Import Report\n------------------------------------------\n\
             Start Time      : 2026-11-23 04:24:34.847\nDuration        : 3215ms\nStorage Actions : 2 (0/sec)\n\
             ------------------------------------------\nSource: http://127.0.0.1:18090/missingref.ndjson\n  \
             Outcomes:\n    * SUCCESSFUL_UPDATE_AS_CREATE: 1\n    * FAILURE: 1\n  Errors:\n    \
             * HAPI-1094: Resource Patient/does-not-exist not found\n"
        );
        assert!(report.has_failures());
        assert!(report.to_indented_json_text().starts_with("{\n  \"reportMsg\" : \"Bulk Import Report\\n---"));
    }
}
