//! The part of a checkpoint that all states share: what is known so far.

use fhir_import_records::{ErrorClass, ErrorClasses, IssueSeverity};
use serde::Serialize;

use crate::dialect::Dialect;
use crate::json::is_default;
use crate::json::read::{read_object, read_word};
use crate::plan::{MAX_TYPES, Plan};
use crate::read_back::ReadBack;
use crate::report::Detection;
use crate::table::{Table, as_object};

/// What is known so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Progress {
    /// The chosen one of the plan's dialects.
    pub chosen: Option<u32>,
    /// What was found out about the server.
    pub detection: Detection,
    /// Jobs that ended.
    pub jobs_done: u32,
    /// The server's own time before the first kick-off of the job in flight, in Unix milliseconds, where jobs are told
    /// by their age: no older one is ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_ms: Option<u64>,
    /// How often a person had the job in flight started anew, knowing that there was one.
    pub anew: u32,
    /// How much of the file in flight was uploaded, in bytes, where files are.
    #[serde(skip_serializing_if = "is_default")]
    pub uploaded: u64,
    /// When the kick-off of the job in flight was accepted, in Unix milliseconds.
    pub accepted_ms: Option<u64>,
    /// When the import is given up on, in Unix milliseconds.
    pub deadline_at_ms: u64,
    /// Status polls so far.
    pub polls: u32,
    /// The server's own words about progress.
    pub words: Option<String>,
    /// Percent, when the server gives a number.
    pub percent: Option<f32>,
    /// What the jobs that ended did.
    pub tally: Tally,
    /// What reading back showed.
    pub read_back: ReadBack,
}

impl Progress {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            chosen: None,
            detection: Detection::default(),
            jobs_done: 0,
            server_ms: None,
            anew: 0,
            uploaded: 0,
            accepted_ms: None,
            deadline_at_ms: plan.deadline_at_ms(),
            polls: 0,
            words: None,
            percent: None,
            tally: Tally::default(),
            read_back: ReadBack::default(),
        }
    }

    /// No job ended, and no part of a file was uploaded.
    #[must_use]
    pub fn nothing_stored(&self) -> bool {
        self.jobs_done == 0 && self.uploaded == 0
    }

    /// The dialect, when it is known.
    #[must_use]
    pub fn dialect<'a>(&self, plan: &'a Plan) -> Option<&'a Dialect> {
        plan.dialect(self.chosen?)
    }
}

/// What jobs did, as the server says.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tally {
    /// Resources imported, where the server says how many.
    imported: Option<u64>,
    /// How often the server did not say how many it imported.
    silent: u32,
    /// Resources rejected.
    pub rejected: Option<u64>,
    /// Files that alone say what was rejected, and could not be read to their end.
    #[serde(skip_serializing_if = "is_default")]
    pub unread: u32,
    /// The same by type.
    #[serde(with = "as_object")]
    pub by_type: Table<Counts>,
    /// Why resources were rejected.
    pub errors: Vec<ErrorClass>,
}

/// What became of the resources of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Imported.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<u64>,
    /// Rejected.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
}

/// Kinds of errors that are kept apart.
pub const CLASSES: u32 = 20;

impl Tally {
    /// Adds resources that the server says it imported.
    pub fn add_imported(&mut self, resource_type: Option<&str>, count: u64) {
        add(&mut self.imported, count);
        if let Some(counts) = self.counts(resource_type) {
            add(&mut counts.imported, count);
        }
    }

    /// Something was imported, and the server does not say how much.
    pub fn add_silence(&mut self) {
        self.silent = self.silent.saturating_add(1);
    }

    /// Resources imported, when the server says it of all of them.
    #[must_use]
    pub fn imported(&self) -> Option<u64> {
        self.imported.filter(|_| self.silent == 0)
    }

    /// Adds resources that the server says it rejected.
    pub fn add_rejected(&mut self, resource_type: Option<&str>, count: u64) {
        add(&mut self.rejected, count);
        if let Some(counts) = self.counts(resource_type) {
            add(&mut counts.rejected, count);
        }
    }

    /// A file that alone says what was rejected could not be read, or not to its end.
    pub fn add_unread(&mut self) {
        self.unread = self.unread.saturating_add(1);
    }

    /// Adds why resources were rejected.
    pub fn add_errors(&mut self, classes: Vec<ErrorClass>) {
        let mut all = ErrorClasses::new(CLASSES);
        all.merge(std::mem::take(&mut self.errors));
        all.merge(classes);
        self.errors = all.into_classes();
    }

    /// Keeps the first classes apart and counts the others in one.
    pub fn fold_errors(&mut self, classes: u32) {
        let mut all = ErrorClasses::new(classes);
        all.merge(std::mem::take(&mut self.errors));
        self.errors = all.into_classes();
    }

    fn counts(&mut self, resource_type: Option<&str>) -> Option<&mut Counts> {
        let kind = resource_type?;
        if self.by_type.len() >= MAX_TYPES && self.by_type.get(kind).is_none() {
            return None;
        }
        Some(self.by_type.entry(kind))
    }
}

fn add(total: &mut Option<u64>, count: u64) {
    *total = Some(total.unwrap_or(0).saturating_add(count));
}

read_object!(Progress {
    chosen,
    detection,
    jobs_done,
    server_ms,
    anew = 0,
    uploaded = 0,
    accepted_ms,
    deadline_at_ms,
    polls,
    words,
    percent,
    tally,
    read_back,
});
read_object!(Tally { imported, silent = 0, rejected, unread = 0, by_type, errors });
read_object!(Counts { imported: "i", rejected: "r" });
read_object!(ErrorClass { severity, code, text, count, lines });
read_word!(IssueSeverity { Information = "information", Warning = "warning", Error = "error", Fatal = "fatal" });
