//! What to do when nobody knows whether a kick-off was accepted.

use serde::{Deserialize, Serialize};

use super::{Path, Where};
use crate::json::read::{read_object, read_word};

/// What to do when nobody knows whether a kick-off was accepted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recovery {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The class.
    pub class: RecoveryClass,
    /// Of `caller-key`: how a kick-off whose key is known already is answered, when not like the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Duplicate>,
    /// Of `list`: where the jobs are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<JobList>,
}

/// How a server says that it has a job with this key already.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Duplicate {
    /// The HTTP statuses.
    pub statuses: Vec<u16>,
    /// Texts of which the body contains one; none where the status is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// The handle of that job, a template; none where another request asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

/// Where a server lists its jobs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct JobList {
    /// The URL.
    pub url: String,
    /// `Accept`.
    pub accept: String,
    /// The array of jobs.
    pub jobs: Path,
    /// What it means when it is not there.
    #[serde(default)]
    pub without: WithoutJobs,
    /// The member that says that the list goes on elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Path>,
    /// The query parameter that takes what `more` says; a list that goes on without one is not searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Which of the listed are imports.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub holds: Option<Where>,
    /// Of a job: its handle.
    pub handle: Path,
    /// Of a job: when it was created, an instant.
    pub created: Path,
    /// Of a job: what repeats `${import.source}`, where there is such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_source: Option<Path>,
    /// How long a new job may be missing from the list, in milliseconds.
    pub settle_ms: u64,
}

/// What a list without its array of jobs means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutJobs {
    /// It is no list.
    #[default]
    NoList,
    /// There are no jobs.
    NoJobs,
}

/// The classes of recovery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryClass {
    /// The same bytes give the same job, or have no other effect: send them again.
    SameBytes,
    /// Resources with an id are replaced, others are stored once more: send the same bytes again where every resource has
    /// an id of its own; a person decides where that is not known.
    SameIds,
    /// The body carries a key of ours: send it again.
    CallerKey,
    /// The server lists its jobs: look there first.
    List,
    /// A second kick-off is a second job: a person decides.
    #[default]
    Unknowable,
}

read_object!(Recovery { source, class, duplicate, list });
read_object!(Duplicate { statuses, texts, handle });
read_object!(JobList {
    url, accept, jobs, without = WithoutJobs::NoList, more, page, holds: "where", handle, created, import_source, settle_ms
});
read_word!(WithoutJobs { NoList = "no-list", NoJobs = "no-jobs" });
read_word!(RecoveryClass {
    SameBytes = "same-bytes",
    SameIds = "same-ids",
    CallerKey = "caller-key",
    List = "list",
    Unknowable = "unknowable",
});
