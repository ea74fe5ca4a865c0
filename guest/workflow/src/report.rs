//! The final word, as data.

use fhir_import_records::ErrorClass;
use serde::Serialize;

use crate::dialect::Confidence;
use crate::json::read::read_object;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::text::clip;

/// What was found out about the server.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Detection {
    /// The dialect, when a known one fits.
    pub dialect: Option<String>,
    /// How sure.
    pub confidence: Confidence,
    /// What it is based on.
    pub evidence: Vec<String>,
    /// The server's own name and version.
    pub software: Option<String>,
    /// Others that could be meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

/// What reading back showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing was read back, or not all that was to be.
    #[default]
    NotVerified,
    /// Everything asked for was there.
    Verified,
    /// Everything asked for was there, but some of it differs.
    Differs,
    /// Something is missing.
    Missing,
}

/// What became of the resources of a type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TypeCount {
    /// The resource type.
    pub resource_type: String,
    /// Sent.
    pub sent: Option<u64>,
    /// Imported, as the server says.
    pub imported: Option<u64>,
    /// Rejected, as the server says.
    pub rejected: Option<u64>,
    /// On the server now.
    pub on_server: Option<u64>,
    /// Samples asked for.
    pub sampled: u32,
    /// Samples that are there.
    pub found: u32,
    /// Samples that are there and equal.
    pub equal: u32,
}

/// The final word. The fields mean what `wit/types.wit` says of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// One sentence.
    pub sentence: String,
    /// Whose move it is and what to try.
    pub advice: String,
    /// The server.
    pub detection: Detection,
    /// How well the dialect is proven.
    pub proven: String,
    /// By type.
    pub types: Vec<TypeCount>,
    /// Imported, as the server says.
    pub imported: Option<u64>,
    /// Rejected, as the server says.
    pub rejected: Option<u64>,
    /// Why.
    pub errors: Vec<ErrorClass>,
    /// What reading back showed.
    pub verdict: Verdict,
    /// What reading back proves, and what not.
    pub limits: Vec<String>,
    /// Samples that are not on the server.
    pub missing: Vec<String>,
    /// Polls made.
    pub polls: u32,
}

/// Missing samples that are named.
const NAMED_MISSING: usize = 20;

/// Bytes of a sentence or an advice that are kept.
const WORDS: usize = 1200;

/// Bytes of a piece of evidence, or of the server's name, that are kept.
const EVIDENCE: usize = 300;

/// Pieces of evidence, and of candidates, that are kept.
const PIECES: usize = 6;

impl Detection {
    /// The same, cut to what a checkpoint can hold: most of it are the server's own words.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.evidence.truncate(PIECES);
        self.candidates.truncate(PIECES);
        self.evidence.iter_mut().for_each(|line| *line = clip(line, EVIDENCE));
        self.software = self.software.map(|name| clip(&name, EVIDENCE));
        self
    }
}

impl Report {
    /// The report of where an import stands.
    #[must_use]
    pub fn new(plan: &Plan, progress: &Progress, ending: &Ending) -> Self {
        let proven = progress.dialect(plan).map_or_else(String::new, |d| d.proven.clone());
        Self {
            outcome: ending.outcome,
            sentence: ending.sentence.clone(),
            advice: ending.advice.clone(),
            detection: progress.detection.clone(),
            proven,
            types: types(plan, progress),
            imported: progress.tally.imported(),
            rejected: progress.tally.rejected,
            errors: progress.tally.errors.clone(),
            verdict: progress.read_back.verdict(),
            limits: progress.read_back.limits(plan),
            missing: progress.read_back.missing_references(plan).take(NAMED_MISSING).collect(),
            polls: progress.polls,
        }
    }
}

/// How an import ended, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ending {
    /// The outcome.
    pub outcome: Outcome,
    /// One sentence.
    pub sentence: String,
    /// Whose move it is and what to try.
    pub advice: String,
}

impl Ending {
    /// An ending; what servers added to its words is cut to a length that a checkpoint can hold.
    #[must_use]
    pub fn new(outcome: Outcome, sentence: impl AsRef<str>, advice: impl AsRef<str>) -> Self {
        Self { outcome, sentence: clip(sentence.as_ref(), WORDS), advice: clip(advice.as_ref(), WORDS) }
    }
}

fn types(plan: &Plan, progress: &Progress) -> Vec<TypeCount> {
    let mut rows = Vec::new();
    for expected in &plan.expected {
        row(&mut rows, &expected.resource_type).sent = Some(expected.resources);
    }
    for (kind, counts) in progress.tally.by_type.rows() {
        let row = row(&mut rows, kind);
        row.imported = counts.imported;
        row.rejected = counts.rejected;
    }
    for (kind, total) in progress.read_back.totals.rows() {
        row(&mut rows, kind).on_server = Some(*total);
    }
    for sample in progress.read_back.samples(plan) {
        let row = row(&mut rows, sample.resource_type);
        row.sampled += 1;
        row.found += u32::from(sample.found);
        row.equal += u32::from(sample.equal);
    }
    rows
}

/// The row of a type; rows are in alphabetical order.
fn row<'a>(rows: &'a mut Vec<TypeCount>, kind: &str) -> &'a mut TypeCount {
    let at = rows.binary_search_by(|row| row.resource_type.as_str().cmp(kind)).unwrap_or_else(|at| {
        rows.insert(at, TypeCount { resource_type: kind.to_owned(), ..TypeCount::default() });
        at
    });
    &mut rows[at]
}

read_object!(Detection { dialect, confidence, evidence, software, candidates });
read_object!(Ending { outcome, sentence, advice });
