//! The schema of a dialect: what one kind of server really does, as data.
//!
//! Every dial that broke a client is a field here; its values are closed lists of shapes, each implemented once in this
//! crate. A built-in file and an operator's own have the same schema. Each table names where its values come from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One kind of server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dialect {
    /// The name on the command line.
    pub name: String,
    /// The servers it stands for.
    pub title: String,
    /// How well it is proven, for example `run against HAPI FHIR 8.8.0`.
    pub proven: String,
    /// How it is recognised.
    pub detect: Detect,
    /// What inputs it takes.
    pub inputs: Inputs,
    /// How an import is started.
    pub kick_off: KickOff,
    /// How its status is asked for and read.
    pub poll: Poll,
    /// What its last answer holds.
    pub result: ResultSection,
    /// How it is cancelled.
    pub cancel: Cancel,
    /// What to do when nobody knows whether a kick-off was accepted.
    pub recovery: Recovery,
    /// How what was imported is read back.
    pub verify: Verify,
}

impl Dialect {
    /// Whether a job that the server names can be one of before, which only its age tells.
    #[must_use]
    pub fn tells_jobs_by_age(&self) -> bool {
        self.recovery.class == RecoveryClass::List || self.result.created.is_some()
    }
}

/// How a dialect is recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Detect {
    /// Where the values come from.
    pub source: String,
    /// Any of these is enough; the best counts.
    pub signatures: Vec<Signature>,
    /// What the server's own OperationDefinition says.
    #[serde(default)]
    pub definition: DefinitionRule,
    /// How to tell that import is switched off rather than missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<SwitchedOff>,
}

/// One way to recognise a dialect in a CapabilityStatement. Every given condition must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Signature {
    /// `rest.operation.name`, without a leading `$`.
    pub operation: String,
    /// The end of `rest.operation.definition`, without version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_ends: Option<String>,
    /// Another system operation that must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sibling: Option<String>,
    /// How sure this makes.
    pub confidence: Confidence,
}

/// How sure a detection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Nothing fits.
    #[default]
    None,
    /// It could be.
    Low,
    /// It is likely.
    Medium,
    /// Nothing else answers like this.
    High,
    /// The operator said so.
    Configured,
}

impl Confidence {
    /// The word shown to people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Configured => "configured",
        }
    }
}

/// What the server's own OperationDefinition of the operation must and must not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DefinitionRule {
    /// Parameters whose presence is further evidence.
    #[serde(default)]
    pub expects: Vec<String>,
    /// Parameters that prove that this is another operation of the same name.
    #[serde(default)]
    pub refuses: Vec<String>,
}

/// How to tell that import is switched off rather than missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SwitchedOff {
    /// Part of `software.name` of servers that have the operation when it is switched on.
    pub software: String,
    /// Part of the refusal of a kick-off.
    pub refusal: String,
    /// What to tell the operator.
    pub advice: String,
}

/// What inputs a server takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Inputs {
    /// Where the values come from.
    pub source: String,
    /// URL schemes that the server fetches.
    pub schemes: Vec<String>,
    /// Most inputs in one job; more are split into several jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_job: Option<u32>,
}

/// How an import is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KickOff {
    /// Where the values come from.
    pub source: String,
    /// The path below the base URL, for example `$import`.
    pub path: String,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// `Accept`.
    pub accept: String,
    /// `Prefer`, exactly; absent when the server wants none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<String>,
    /// The body; see [`crate::body`] for `${…}` and `$each`.
    pub body: Value,
    /// Statuses that mean accepted.
    pub accepted: Vec<u16>,
    /// Where the job is.
    pub handle: Handle,
}

/// Where the answer to a kick-off says how to find the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handle {
    /// The `Content-Location` header is the status URL, taken verbatim, relative ones resolved against the base URL.
    ContentLocation,
}

/// How the status is asked for and read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Poll {
    /// Where the values come from.
    pub source: String,
    /// `Accept`.
    pub accept: String,
    /// What answers mean; the first rule that fits counts. An answer that fits none is a failed poll, not a failed job.
    pub rules: Vec<PollRule>,
}

/// What an answer to a status request means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PollRule {
    /// The HTTP status.
    pub status: u16,
    /// What the body is.
    #[serde(default)]
    pub body: BodyKind,
    /// A text that the body contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it means.
    pub means: JobState,
    /// How many more polls must say the same before it is believed.
    #[serde(default)]
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
    /// An OperationOutcome.
    OperationOutcome,
}

/// What an answer says about the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    Unknown,
}

/// What the last answer holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResultSection {
    /// Where the values come from.
    pub source: String,
    /// How to read it.
    pub shape: ResultShape,
    /// Whether a failed job may have stored a part.
    pub failure: FailureMeans,
    /// The member of the result that says when the job was created, an instant. A server that hands out the same job
    /// for the same bytes hands out old ones, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// The shapes of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultShape {
    /// JSON with `output[]` and `error[]`, each with `inputUrl` (or `input`), `count` and, for errors, the `url` of
    /// an NDJSON file of OperationOutcomes.
    Manifest,
    /// An OperationOutcome whose text lists, for each `Source:`, `Outcomes:` and `Errors:`.
    ReportText,
}

/// What a failed job leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureMeans {
    /// Some resources may be stored.
    MaybePartlyStored,
}

/// How a job is cancelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cancel {
    /// Where the values come from.
    pub source: String,
    /// How.
    pub shape: CancelShape,
    /// What to tell the operator of a server that cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The ways to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelShape {
    /// `DELETE` of the status URL.
    Delete,
    /// There is none.
    None,
}

/// What to do when nobody knows whether a kick-off was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recovery {
    /// Where the values come from.
    pub source: String,
    /// The class.
    pub class: RecoveryClass,
    /// Of `caller-key`: how a kick-off whose key is known already is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Duplicate>,
    /// Of `list`: where the jobs are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<JobList>,
}

/// How a server says that it has a job with this key already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Duplicate {
    /// The HTTP status.
    pub status: u16,
    /// A text that the body contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The status URL of that job, below the base URL; `${job.id}` and the other variables of [`crate::body`] stand
    /// for values.
    pub status_url: String,
}

/// Where a server lists its jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct JobList {
    /// The path below the base URL.
    pub path: String,
    /// `Accept`.
    pub accept: String,
    /// The member that holds the array of jobs.
    pub jobs: String,
    /// The member of a job that is its status URL.
    pub status_url: String,
    /// The member of a job that says when it was created, an instant.
    pub created: String,
    /// The member of a job that repeats `${import.source}`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_member: Option<String>,
    /// How long a new job may be missing from the list, in milliseconds.
    pub settle_ms: u64,
}

/// The classes of recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryClass {
    /// The same bytes give the same job: send them again.
    SameBytes,
    /// The body carries a key of ours: send it again.
    CallerKey,
    /// The server lists its jobs: look there first.
    List,
    /// A second kick-off is a second job: a person decides.
    Unknowable,
}

/// How what was imported is read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verify {
    /// Where the values come from.
    pub source: String,
    /// How often missing samples, and counts that are short, are asked for again.
    pub attempts: u32,
    /// How long to wait before the first time, in milliseconds, a second at least; doubles each time.
    pub settle_ms: u64,
}
