//! Room 6: run FHIR bulk imports. The decisions are a sandboxed component; this crate gives it HTTP, a clock, secrets,
//! files and a journal, and nothing else.
//!
//! An import is [`begin`]-ed once, which stores a plan, and [`drive`]-n until it is over, paused, or asked to [`Stop`].
//! It can be driven again from where its [`journal`] says it is, by any process that gets the lease.
//!
//! `examples/embed.rs` is the shortest complete program.

mod budget;
mod check;
mod clock;
pub mod contract;
mod decisions;
mod dialect_file;
mod drive;
pub mod embed;
mod engine;
pub mod files;
mod importer;
pub mod journal;
pub mod net;
mod outgoing;
pub mod record;
pub mod run;
pub mod secrets;
pub mod serve;
mod stop;
mod store;
mod uploads;

pub use budget::{Budget, Budgets};
pub use check::{CheckError, Checked, ToCheck, check};
pub use clock::{Clock, SharedClock, Sleep, SystemClock, VirtualClock, not_before};
pub use decisions::Decisions;
pub use dialect_file::{DialectFile, DialectFileError, did_you_mean, read_dialect};
pub use drive::{
    Begin, ChangedInput, DriveError, End, LAST_WORDS, Watch, begin, begin_started, drive, resolve, stored_next,
};
pub use engine::{Engine, EngineError, IMPORTER_WASM, RECORDS_WASM};
pub use importer::{Call, CallError, Importer, Moved, dialects, inspect};
pub use outgoing::Network;
pub use stop::Stop;
pub use uploads::Uploads;
