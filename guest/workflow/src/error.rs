//! A bug or a wrong call. What networks and servers do is a transition, never one of these.

use std::fmt;

/// A bug or a wrong call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The request cannot be used; the text names the field.
    InvalidRequest(String),
    /// The plan was not made by this component, or by a newer one.
    InvalidPlan(String),
    /// The checkpoint was not made by this component, does not belong to the plan, or comes from a newer one.
    InvalidCheckpoint(String),
    /// The call makes no sense in this state.
    InvalidCall(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidRequest(text) => write!(f, "invalid request: {text}"),
            Self::InvalidPlan(text) => write!(f, "invalid plan: {text}"),
            Self::InvalidCheckpoint(text) => write!(f, "invalid checkpoint: {text}"),
            Self::InvalidCall(text) => write!(f, "invalid call: {text}"),
        }
    }
}

impl std::error::Error for Error {}
