//! How the status of a job is asked for and read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{StatusRequest, Where};
use crate::json::is_default;
use crate::json::read::{read_object, read_word};
use crate::table::{Table, as_object};

/// How the status is asked for and read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Poll {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// `Accept`.
    pub accept: String,
    /// The URL, with `${job.handle}`; without one, the handle is the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Further headers.
    #[serde(default, with = "as_object", skip_serializing_if = "Table::is_empty")]
    pub headers: Table<String>,
    /// The body of a POST; without one it is a GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// How a status URL is found that the kick-off does not give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_request: Option<StatusRequest>,
    /// The header that says the status of the job when it is there; else that is the status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_header: Option<String>,
    /// What answers mean; the first rule that fits counts. An answer that fits none is a failed poll, not a failed job.
    pub rules: Vec<PollRule>,
}

/// What an answer to a status request means. Every given condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PollRule {
    /// The status.
    pub status: u16,
    /// What the body is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub body: BodyKind,
    /// A text that the body contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A text that `X-Progress` contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// What the body holds, all of it.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Where>,
    /// What it means.
    pub means: JobState,
    /// How many more polls must say the same before it is believed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub confirm: u32,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// Anything, also nothing.
    #[default]
    Any,
    /// A JSON object that is not a FHIR resource.
    Json,
    /// An OperationOutcome, or an array of them.
    OperationOutcome,
    /// A Parameters resource.
    Parameters,
}

/// What an answer says about the job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It waits or runs.
    Running,
    /// It ended; the answer is the result.
    Ended,
    /// It failed; the answer says why.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// The server does not know it.
    #[default]
    Unknown,
    /// Nothing: the server is busy.
    Busy,
    /// Nothing: the server wants other credentials.
    Credentials,
}

read_object!(Poll { source, accept, url, headers, body, status_request, status_header, rules });
read_object!(PollRule { status, body = BodyKind::Any, text, progress, holds: "where", means, confirm = 0 });
read_word!(BodyKind {
    Any = "any",
    Json = "json",
    OperationOutcome = "operation-outcome",
    Parameters = "parameters",
});
read_word!(JobState {
    Running = "running",
    Ended = "ended",
    Failed = "failed",
    Cancelled = "cancelled",
    Unknown = "unknown",
    Busy = "busy",
    Credentials = "credentials",
});
