//! How an import ends, each with its own exit code, never reused.

use serde::Serialize;
use serde_json::Value;

use crate::json::read::{Problem, Read};

/// What a caller that wants success does with an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Go on with the same import.
    Resume,
    /// Start another one, after mending what the report names.
    NewRun,
    /// Nothing to do.
    Never,
}

#[expect(clippy::derivable_impls, reason = "the variants are made by a macro that takes no attributes")]
impl Default for Outcome {
    fn default() -> Self {
        Self::InternalError
    }
}

impl Read for Outcome {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        let named = Self::ALL.iter().find(|outcome| Some(outcome.name()) == value.as_str());
        named.copied().unwrap_or_else(|| {
            problem.wants("an outcome");
            Self::default()
        })
    }
}

macro_rules! outcomes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $name:literal, $retry:ident;)+) => {
        /// How an import ended, or stands. The number is the exit code of the command line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum Outcome { $($(#[doc = $doc])+ $variant = $code,)+ }

        impl Outcome {
            /// All, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word used in JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// What a caller that wants success does.
            #[must_use]
            pub fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)+ }
            }
        }
    };
}

outcomes! {
    /// Imported, and nothing contradicts it.
    Succeeded = 0, "succeeded", Never;
    /// A bug on our side.
    InternalError = 1, "internal-error", Resume;
    /// The command line is wrong.
    Usage = 2, "usage", NewRun;
    /// The input files are not what they should be; nothing was sent.
    InputInvalid = 3, "input-invalid", NewRun;
    /// The server has no bulk import that is known here, or not the function asked for.
    Unsupported = 4, "unsupported", NewRun;
    /// The server refused the kick-off; nothing was imported.
    Refused = 5, "refused", NewRun;
    /// The server says that the job failed; parts may be stored.
    Failed = 6, "failed", NewRun;
    /// The job ended, and resources were rejected.
    FinishedWithErrors = 7, "finished-with-errors", NewRun;
    /// The server says success, and reading back says otherwise.
    VerificationFailed = 8, "verification-failed", NewRun;
    /// The job still runs.
    StillRunning = 9, "still-running", Resume;
    /// Cancelled.
    Cancelled = 10, "cancelled", NewRun;
    /// Nobody knows whether the kick-off was accepted.
    SubmitUnknown = 11, "submit-unknown", Resume;
    /// The state could not be stored or read.
    StateNotSaved = 12, "state-not-saved", Resume;
    /// The server could not be reached; nothing was sent.
    Unreachable = 13, "unreachable", NewRun;
    /// A file changed after it was checked.
    InputChanged = 14, "input-changed", NewRun;
    /// The server forgot the job, or its result.
    JobLost = 15, "job-lost", Resume;
    /// The server's answer makes no sense.
    AnswerNotUnderstood = 16, "answer-not-understood", Resume;
    /// Waiting for credentials.
    PausedForCredentials = 17, "paused-for-credentials", Resume;
}

impl Outcome {
    /// What a caller that wants success does when the import is over: what is over cannot be resumed.
    #[must_use]
    pub fn retry_when_over(self) -> Retry {
        match self.retry() {
            Retry::Resume | Retry::NewRun => Retry::NewRun,
            Retry::Never => Retry::Never,
        }
    }

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The outcome with an exit code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|o| o.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_and_names_are_unique() {
        for (i, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(usize::from(outcome.code()), i);
            assert_eq!(Outcome::ALL.iter().filter(|o| o.name() == outcome.name()).count(), 1);
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.name());
        }
    }
}
