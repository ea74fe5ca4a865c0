//! What the end of a job tells, how it is cancelled before, and how what it stored is read back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Path;
use crate::json::read::{read_object, read_word};

/// What the last answer holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResultSection {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Where it is asked for when the status says that the job ended; without one, that answer is the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How to read it.
    pub shape: ResultShape,
    /// Of `members`: where the counts are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
    /// Of `manifest` and `outcome-files`: whether the files that it names can be read.
    #[serde(default)]
    pub error_files: ErrorFiles,
    /// The member of the result that says when the job was created, an instant. A server that hands out the same job
    /// for the same bytes hands out old ones, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Path>,
}

/// The shapes of a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultShape {
    /// JSON with `output[]` and `error[]`, each with `inputUrl` (or `input`), `count` and, for errors, the `url` of
    /// an NDJSON file of OperationOutcomes.
    Manifest,
    /// JSON with `outcome[]` or `error[]` of NDJSON files of OperationOutcomes of every severity, with `countSeverity`
    /// or without, and perhaps more pages (`link[next]`). What was imported is not counted.
    OutcomeFiles,
    /// An OperationOutcome whose text lists, for each `Source:`, `Outcomes:` and `Errors:`.
    ReportText,
    /// JSON with counts at places of its own, [`Members`]; errors are whatever in it reads like one.
    Members,
    /// Nothing that is counted: that the job ended is all it says.
    #[default]
    Nothing,
}

/// Where counts are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Members {
    /// Resources imported; several add up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<Path>,
    /// Resources rejected; several add up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Path>,
    /// A text here says that something failed, also where nothing is counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<super::Where>,
    /// Where a row an input is; the paths of this table are then those of each row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Path>,
}

/// Whether files of errors can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorFiles {
    /// At the URLs that the result gives.
    #[default]
    Fetched,
    /// Not from here: they are names in a store of the server's.
    Named,
}

/// How a job is cancelled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cancel {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// How.
    pub shape: CancelShape,
    /// Of `post`: the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of `post`: the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What to tell the operator of a server that cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The ways to cancel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelShape {
    /// `DELETE` of the status URL.
    Delete,
    /// `DELETE` of the status URL, again until it is answered with 200 or 404: asking for the status of a job that was
    /// stopped starts it again.
    DeleteUntilGone,
    /// A POST.
    Post,
    /// There is none.
    #[default]
    None,
}

/// How what was imported is read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verify {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// How often missing samples, and counts that are short, are asked for again.
    pub attempts: u32,
    /// How long to wait before the first time, in milliseconds, a second at least; doubles each time.
    pub settle_ms: u64,
    /// How a resource is read.
    #[serde(default)]
    pub reads: Reads,
    /// The query that counts a type.
    #[serde(default = "summary")]
    pub count: String,
}

fn summary() -> String {
    "_summary=count".to_owned()
}

/// How a resource is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reads {
    /// `GET Type/id`.
    #[default]
    ById,
    /// `GET Type?_id=id`.
    BySearch,
}

read_object!(ResultSection { source, url, shape, members, error_files = ErrorFiles::Fetched, created });
read_word!(ResultShape {
    Manifest = "manifest",
    OutcomeFiles = "outcome-files",
    ReportText = "report-text",
    Members = "members",
    Nothing = "nothing",
});
read_object!(Members { imported, rejected, failed, rows });
read_word!(ErrorFiles { Fetched = "fetched", Named = "named" });
read_object!(Cancel { source, shape, url, body, advice });
read_word!(CancelShape { Delete = "delete", DeleteUntilGone = "delete-until-gone", Post = "post", None = "none" });
read_object!(Verify { source, attempts, settle_ms, reads = Reads::ById, count = summary() });
read_word!(Reads { ById = "by-id", BySearch = "by-search" });
