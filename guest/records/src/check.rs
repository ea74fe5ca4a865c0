//! The check of every line before anything is sent.

use crate::finding::{Finding, FindingKind, Severity};
use crate::ids::{Ids, Sighting};
use crate::lines::{Line, Lines};
use crate::probe::{Field, Probe, has_conditional_reference, id_fault, is_id, is_type_name, probe};
use crate::sample::{Candidate, Sample, Sampler};
use std::collections::BTreeMap;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// FHIR R5 knows 157 types. Whoever sends more than this does not send FHIR, and counting must stay bounded.
const MAX_TYPES: usize = 1024;

/// What a [`Checker`] needs to know.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// How many resources to choose for reading back.
    pub sample_size: u32,
    /// Decides which ones: same seed and same resources, same choice.
    pub sample_seed: u64,
    /// A longer line is one finding, and is skipped.
    pub max_line_bytes: u32,
    /// How many findings to hand out in all; further ones are only counted.
    pub max_findings: u32,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { sample_size: 20, sample_seed: 0, max_line_bytes: 16 << 20, max_findings: 1000 }
    }
}

/// What was found in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSummary {
    /// Lines that are not blank.
    pub lines: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Lines without a finding of severity error.
    pub resources: u64,
    /// The type of the resources, when they all have the same.
    pub resource_type: Option<String>,
    /// Resources by type.
    pub by_type: BTreeMap<String, u64>,
    /// Findings of severity error, including those that were not handed out.
    pub errors: u64,
    /// Findings of severity warning, including those that were not handed out.
    pub warnings: u64,
}

/// What was found in all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many files.
    pub files: u32,
    /// Lines that are not blank.
    pub lines: u64,
    /// Size of all files.
    pub bytes: u64,
    /// Lines without a finding of severity error.
    pub resources: u64,
    /// What is known by type.
    pub by_type: BTreeMap<String, TypeSummary>,
    /// The resources chosen for reading back, by reference.
    pub samples: Vec<Sample>,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warning.
    pub warnings: u64,
}

/// What was found of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeSummary {
    /// How many resources.
    pub resources: u64,
    /// How many different ids they have; `None` when there were too many to tell.
    pub distinct_ids: Option<u64>,
}

/// Checks files of NDJSON, one after the other, in any chunks.
///
/// Call [`next_file`](Self::next_file), [`feed`](Self::feed) as often as needed and [`end_file`](Self::end_file) for
/// each file, then [`finish`](Self::finish). How the bytes are cut into chunks changes no result.
pub struct Checker {
    lines: Lines,
    inspector: Inspector,
}

impl Checker {
    /// A checker that has seen nothing.
    #[must_use]
    pub fn new(options: &CheckOptions) -> Self {
        Self { lines: Lines::new(options.max_line_bytes as usize), inspector: Inspector::new(options) }
    }

    /// Starts a file, with the type it is announced with, if any. A file still open is ended, and the findings of its
    /// last line are counted but not handed out.
    pub fn next_file(&mut self, expected_type: Option<&str>) {
        if self.lines.position() > 0 {
            self.end_file();
        }
        self.inspector.file.expected = expected_type.map(str::to_owned);
    }

    /// Checks the lines that end in this chunk.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Finding> {
        let Self { lines, inspector } = self;
        lines.feed(chunk, |line| inspector.line(line));
        inspector.take_findings()
    }

    /// Ends the file, whose last line may lack its line end.
    pub fn end_file(&mut self) -> (Vec<Finding>, FileSummary) {
        let Self { lines, inspector } = self;
        let bytes = lines.position();
        lines.end(|line| inspector.line(line));
        let summary = inspector.end_file(bytes);
        (inspector.take_findings(), summary)
    }

    /// Ends the check, and a file that is still open.
    #[must_use]
    pub fn finish(mut self) -> Summary {
        if self.lines.position() > 0 {
            self.end_file();
        }
        self.inspector.finish()
    }
}

/// Everything but the cutting into lines.
struct Inspector {
    findings: Vec<Finding>,
    findings_left: u32,
    file: OpenFile,
    ids: Ids,
    sampler: Sampler,
    total: Summary,
}

/// The file being read.
#[derive(Default)]
struct OpenFile {
    expected: Option<String>,
    types: TypesSeen,
    references: ReferencesSeen,
    summary: FileSummary,
}

/// The references in a file.
#[derive(Clone, Copy, Default, PartialEq)]
enum ReferencesSeen {
    #[default]
    Literal,
    /// One is a search.
    Conditional,
}

/// The types in a file that was announced without one.
#[derive(Default)]
enum TypesSeen {
    #[default]
    Nothing,
    One(String),
    Mixed,
}

impl Inspector {
    fn new(options: &CheckOptions) -> Self {
        Self {
            findings: Vec::new(),
            findings_left: options.max_findings,
            file: OpenFile::default(),
            ids: Ids::new(),
            sampler: Sampler::new(options.sample_size, options.sample_seed),
            total: Summary::default(),
        }
    }

    fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    fn line(&mut self, line: &Line<'_>) {
        let (line, marked) = without_mark(line);
        if marked {
            self.report(&line, FindingKind::ByteOrderMark, String::new());
        }
        if line.is_blank() {
            return self.report(&line, FindingKind::BlankLine, String::new());
        }
        self.file.summary.lines += 1;
        let Some(text) = line.text else {
            return self.report(&line, FindingKind::LineTooLong, format!("{} bytes", line.length));
        };
        match probe(text) {
            Ok(probe) => self.resource(&line, text, &probe),
            Err(fault) => self.report(&line, fault.kind, fault.detail),
        }
    }

    fn resource(&mut self, line: &Line<'_>, text: &[u8], probe: &Probe<'_>) {
        let resource_type = self.check_type(line, &probe.resource_type);
        let id = self.check_id(line, &probe.id);
        let (Some(resource_type), Ok(id)) = (resource_type, id) else { return };
        self.count(resource_type);
        self.check_references(line, text);
        if let Some(id) = id {
            self.identified(line, text, resource_type, id);
        }
    }

    /// The type, unless something is wrong with it.
    fn check_type<'p>(&mut self, line: &Line<'_>, field: &'p Field<'_>) -> Option<&'p str> {
        let Some(found) = field.accepted(is_type_name).filter(|name| self.has_room_for(name)) else {
            let absent = *field == Field::Absent;
            let kind = if absent { FindingKind::NoResourceType } else { FindingKind::InvalidResourceType };
            self.report(line, kind, String::new());
            return None;
        };
        if let Some(expected) = self.file.expected.as_deref().filter(|expected| *expected != found) {
            let detail = format!("found {found}, expected {expected}");
            self.report(line, FindingKind::TypeMismatch, detail);
            return None;
        }
        if self.file.expected.is_none() {
            self.check_mixture(line, found);
        }
        Some(found)
    }

    /// Reports the first line of another type than the lines before; one finding a file.
    fn check_mixture(&mut self, line: &Line<'_>, found: &str) {
        match &self.file.types {
            TypesSeen::Nothing => self.file.types = TypesSeen::One(found.to_owned()),
            TypesSeen::One(first) if first != found => {
                let detail = format!("found {found} after {first}");
                self.file.types = TypesSeen::Mixed;
                self.report(line, FindingKind::MixedTypes, detail);
            }
            TypesSeen::One(_) | TypesSeen::Mixed => {}
        }
    }

    /// Reports the first line with a reference that is a search; one finding a file.
    fn check_references(&mut self, line: &Line<'_>, text: &[u8]) {
        if self.file.references == ReferencesSeen::Literal && has_conditional_reference(text) {
            self.file.references = ReferencesSeen::Conditional;
            self.report(line, FindingKind::ConditionalReference, "the first of this file".to_owned());
        }
    }

    /// The id or its absence, unless something is wrong with it.
    fn check_id<'p>(&mut self, line: &Line<'_>, field: &'p Field<'_>) -> Result<Option<&'p str>, ()> {
        if *field == Field::Absent {
            self.report(line, FindingKind::NoId, String::new());
            return Ok(None);
        }
        match field.accepted(is_id) {
            Some(id) => Ok(Some(id)),
            None => {
                self.report(line, FindingKind::InvalidId, id_fault(field));
                Err(())
            }
        }
    }

    fn identified(&mut self, line: &Line<'_>, text: &[u8], resource_type: &str, id: &str) {
        let reference = format!("{resource_type}/{id}");
        if self.ids.note(resource_type, &reference) == Sighting::Again {
            self.report(line, FindingKind::DuplicateId, String::new());
        }
        let (file, line) = (self.total.files, line.number);
        self.sampler.offer(&Candidate { resource_type, reference: &reference, file, line, text });
    }

    fn has_room_for(&self, resource_type: &str) -> bool {
        let (before, here) = (&self.total.by_type, &self.file.summary.by_type);
        before.len() + here.len() < MAX_TYPES || before.contains_key(resource_type) || here.contains_key(resource_type)
    }

    fn count(&mut self, resource_type: &str) {
        self.file.summary.resources += 1;
        let by_type = &mut self.file.summary.by_type;
        match by_type.get_mut(resource_type) {
            Some(count) => *count += 1,
            None => _ = by_type.insert(resource_type.to_owned(), 1),
        }
    }

    fn report(&mut self, line: &Line<'_>, kind: FindingKind, detail: String) {
        match kind.severity() {
            Severity::Error => self.file.summary.errors += 1,
            Severity::Warning => self.file.summary.warnings += 1,
            Severity::Information => {}
        }
        if let Some(left) = self.findings_left.checked_sub(1) {
            self.findings_left = left;
            let (file, line, offset) = (self.total.files, line.number, line.offset);
            self.findings.push(Finding { file, line, offset, kind, detail });
        }
    }

    fn end_file(&mut self, bytes: u64) -> FileSummary {
        if self.file.summary.lines == 0 {
            let start = Line { number: 1, offset: 0, length: 0, text: None };
            self.report(&start, FindingKind::EmptyFile, String::new());
        }
        let mut file = std::mem::take(&mut self.file).summary;
        file.bytes = bytes;
        if file.by_type.len() == 1 {
            file.resource_type = file.by_type.keys().next().cloned();
        }
        self.total.add(&file);
        file
    }

    fn finish(self) -> Summary {
        let mut total = self.total;
        for (name, summary) in &mut total.by_type {
            summary.distinct_ids = self.ids.distinct(name);
        }
        total.samples = self.sampler.finish();
        total
    }
}

impl Summary {
    fn add(&mut self, file: &FileSummary) {
        self.files += 1;
        self.lines += file.lines;
        self.bytes += file.bytes;
        self.resources += file.resources;
        self.errors += file.errors;
        self.warnings += file.warnings;
        for (name, count) in &file.by_type {
            self.by_type.entry(name.clone()).or_default().resources += count;
        }
    }
}

/// The line without the byte order mark that a file may start with.
fn without_mark<'a>(line: &Line<'a>) -> (Line<'a>, bool) {
    let rest = line.text.filter(|_| line.number == 1).and_then(|text| text.strip_prefix(BYTE_ORDER_MARK));
    (Line { text: rest.or(line.text), ..*line }, rest.is_some())
}

#[cfg(test)]
mod tests;
