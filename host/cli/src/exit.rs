//! Outcomes and exit codes: the one table is that of `Outcome`.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use fhir_import::contract;
use fhir_import::run::{Outcome, RunError};
use serde_json::Value;

/// Why a command has no result.
#[derive(Debug)]
pub struct Failure {
    /// How a caller sees it.
    pub outcome: Outcome,
    /// What happened, where, and what to try.
    pub message: String,
    /// What to type next.
    pub next_command: Option<String>,
    /// More, for `--json`.
    pub data: Value,
}

impl Failure {
    /// A failure that only has words.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome, message: message.into(), next_command: None, data: Value::Null }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Outcome::Usage, message)
    }

    /// The same with something to type next.
    pub fn next(self, command: String) -> Self {
        Self { next_command: Some(command), ..self }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::new(error.outcome(), with_causes(&error))
    }
}

/// An error with its causes, on one line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("a String takes all text");
        cause = error.source();
    }
    text
}

/// The outcome as the one table knows it.
pub fn outcome(outcome: contract::Outcome) -> Outcome {
    Outcome::from_code(outcome as u8).expect("the contract and the table have the same outcomes")
}

/// The exit code.
pub fn code(outcome: Outcome) -> ExitCode {
    ExitCode::from(outcome.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_and_the_table_agree() {
        assert_eq!(outcome(contract::Outcome::Succeeded), Outcome::Succeeded);
        assert_eq!(outcome(contract::Outcome::JobLost), Outcome::JobLost);
        assert_eq!(outcome(contract::Outcome::PausedForCredentials), Outcome::PausedForCredentials);
    }
}
