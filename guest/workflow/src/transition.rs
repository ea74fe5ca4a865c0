//! What a call answers: what is now so, and what the owner of the loop does next.

use serde::Serialize;

use crate::json::read::{read_object, read_word};
use crate::outcome::Outcome;
use crate::report::Report;

/// A decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The encoded checkpoint.
    pub checkpoint: String,
    /// What to do next.
    pub next: Next,
    /// What happened.
    pub events: Vec<Event>,
}

/// What the owner of the loop does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Call `step`.
    Step,
    /// Make the intent durable, then call `submit`, once.
    Submit,
    /// Call `recover`.
    Recover,
    /// Call `step` at a later time.
    Wait(Wake),
    /// A person, or a credential, is needed.
    Paused(Pause),
    /// It is over.
    Done(Box<Report>),
}

/// When to go on, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wake {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Why there is a wait.
    pub reason: WakeReason,
    /// What the server asked for, before limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_asked_ms: Option<u64>,
}

/// Why there is a wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WakeReason {
    /// The job runs.
    #[default]
    Poll,
    /// The server is busy or could not be reached.
    BackOff,
    /// What was imported may not be readable yet.
    Settle,
}

/// Why the import stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The kind.
    pub reason: PauseReason,
    /// One sentence.
    pub message: String,
    /// What `resolve` would take now.
    pub decisions: Vec<DecisionKind>,
    /// The outcome to report if nobody resolves it.
    pub outcome: Outcome,
}

/// Why the import stands still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    /// The kick-off may or may not have been accepted.
    #[default]
    SubmitUnknown,
    /// The server wants other credentials.
    Credentials,
    /// The deadline has passed.
    Deadline,
    /// The status URL is outside of what the operator allowed.
    UntrustedStatusUrl,
    /// The server does not know the job any more.
    JobLost,
    /// The server keeps answering something that makes no sense.
    AnswerNotUnderstood,
    /// The server handed out a job that is older than this import.
    NotOurJob,
}

impl PauseReason {
    /// The outcome to report if nobody resolves it.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::SubmitUnknown => Outcome::SubmitUnknown,
            Self::Credentials => Outcome::PausedForCredentials,
            Self::Deadline => Outcome::StillRunning,
            Self::UntrustedStatusUrl | Self::AnswerNotUnderstood => Outcome::AnswerNotUnderstood,
            Self::JobLost => Outcome::JobLost,
            Self::NotOurJob => Outcome::Refused,
        }
    }
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This is the job's status URL.
    Adopt(String),
    /// Send the kick-off again.
    Resubmit,
    /// Wait for so many more milliseconds.
    Extend(u64),
    /// Ask the server to cancel the job.
    Cancel,
    /// The same, although this import may not have started it.
    ForceCancel,
    /// End the import as it is.
    GiveUp,
    /// Go on as before.
    Continue,
}

/// The kinds of [`Decision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionKind {
    /// [`Decision::Adopt`].
    Adopt,
    /// [`Decision::Resubmit`].
    Resubmit,
    /// [`Decision::Extend`].
    Extend,
    /// [`Decision::Cancel`].
    Cancel,
    /// [`Decision::ForceCancel`].
    ForceCancel,
    /// [`Decision::GiveUp`].
    GiveUp,
    /// [`Decision::Continue`].
    Continue,
}

impl std::fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Adopt => "adopt",
            Self::Resubmit => "resubmit",
            Self::Extend => "extend",
            Self::Cancel => "cancel",
            Self::ForceCancel => "force-cancel",
            Self::GiveUp => "give-up",
            Self::Continue => "continue",
        })
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unix milliseconds; 0 when nothing was sent.
    pub at_ms: u64,
    /// A fixed word.
    pub kind: EventKind,
    /// One line for people.
    pub text: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The plan was made.
    Started,
    /// Something was found out about the server.
    Detected,
    /// Something that the operator should know of these inputs on this server.
    InputsTold,
    /// A kick-off was accepted.
    Accepted,
    /// A kick-off was not accepted.
    NotAccepted,
    /// The answer to a kick-off was lost.
    SubmitLost,
    /// The server spoke of progress.
    StatusProgress,
    /// A request failed and is made again.
    RequestFailed,
    /// The wait that the server asked for was shortened or lengthened.
    WaitLimited,
    /// The status URL was moved onto the operator's origin.
    Rebased,
    /// The job ended.
    StatusComplete,
    /// The job failed.
    StatusFailed,
    /// An error file was read.
    ErrorFile,
    /// Samples or counts were read back.
    Verified,
    /// A person decided.
    Resolved,
    /// A cancel was asked for.
    Cancel,
    /// A cancel was asked for of a job that somebody else may have started.
    CancelNeedsForce,
    /// The import stands still.
    Paused,
    /// It is over.
    Done,
}

impl EventKind {
    /// The word in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Detected => "detected",
            Self::InputsTold => "inputs",
            Self::Accepted => "kick-off-accepted",
            Self::NotAccepted => "kick-off-not-accepted",
            Self::SubmitLost => "kick-off-answer-lost",
            Self::StatusProgress => "status-progress",
            Self::RequestFailed => "request-failed",
            Self::WaitLimited => "wait-limited",
            Self::Rebased => "status-url-rebased",
            Self::StatusComplete => "status-complete",
            Self::StatusFailed => "status-failed",
            Self::ErrorFile => "error-file",
            Self::Verified => "read-back",
            Self::Resolved => "resolved",
            Self::Cancel => "cancel",
            Self::CancelNeedsForce => "cancel-needs-force",
            Self::Paused => "paused",
            Self::Done => "done",
        }
    }
}

read_object!(Wake { at_ms, reason, server_asked_ms });
read_word!(WakeReason { Poll = "poll", BackOff = "back-off", Settle = "settle" });
read_word!(PauseReason {
    SubmitUnknown = "submit-unknown",
    Credentials = "credentials",
    Deadline = "deadline",
    UntrustedStatusUrl = "untrusted-status-url",
    JobLost = "job-lost",
    AnswerNotUnderstood = "answer-not-understood",
    NotOurJob = "not-our-job",
});
