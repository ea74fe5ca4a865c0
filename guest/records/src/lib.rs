//! Reading bulk data: NDJSON that is about to be sent, and what a server says about it.
//!
//! Everything here is pure and streams: bytes go in, in chunks of any size, and results come out; memory stays
//! constant in the size of the files. How the bytes are cut into chunks never changes a result.
//!
//! - [`Checker`] judges every line before anything is sent, and chooses [`Sample`]s to read back.
//! - [`fingerprint()`] tells whether what was read back is what was sent.
//! - [`Triage`] sorts a server's error files into [`ErrorClass`]es, and [`classify`] a single answer.
//! - [`Joiner`] finds the input lines that error rows speak of.
//!
//! No result holds content of a resource, except where it is asked for by name: a [`Sample`] holds type and id. What a
//! server wrote passes [`normalise()`] first.

mod check;
mod classes;
mod finding;
mod fingerprint;
mod hash;
mod ids;
mod join;
mod lines;
mod normalise;
mod outcome;
mod probe;
mod sample;
mod triage;

pub use check::{CheckOptions, Checker, FileSummary, Summary, TypeSummary};
pub use classes::{ErrorClass, ErrorClasses, IssueSeverity};
pub use finding::{Finding, FindingKind, Severity};
pub use fingerprint::fingerprint;
pub use join::{Joined, Joiner, Locator};
pub use normalise::normalise;
pub use outcome::Place;
pub use sample::Sample;
pub use triage::{Triage, TriageSummary, classify};
