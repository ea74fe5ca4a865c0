//! Room 3, the decisions: what is next in an import, given what has happened so far.
//!
//! Pure: no I/O, no clock, no memory. Time is a number passed in; an HTTP exchange is data handed out, its reply data
//! taken in. The calls are those of `wit/importer.wit`:
//!
//! 1. [`start`] makes a plan and the first checkpoint.
//! 2. [`Session::open`] reads both back; [`Session::call`] begins a call and either ends it or hands out the one
//!    [`exchange::Exchange`] it needs; [`Waiting::answered`] ends it with the reply.
//! 3. [`Session::resolve`] takes a person's decision; [`Status::of`] shows where it stands.
//!
//! A call that comes early, twice, or for a state that waits for a person is a no-op: it answers the same transition.
//! No server's name stands in this crate: what differs between servers is a [`dialect::Dialect`].

pub mod checkpoint;
pub mod detect;
pub mod dialect;
pub mod error;
pub mod excerpt;
pub mod exchange;
pub mod inputs;
pub mod instant;
pub mod json;
pub mod outcome;
pub mod pace;
pub mod plan;
pub mod poll;
pub mod progress;
pub mod read_back;
pub mod report;
pub mod request;
pub mod result;
pub mod retry_after;
pub mod session;
pub mod settings;
pub mod state;
pub mod status;
pub mod table;
pub mod template;
pub mod text;
pub mod transition;
pub mod url;

pub use dialect::Dialect;
pub use error::Error;
pub use outcome::{Outcome, Retry};
pub use session::{Call, Session, Started, Turn, Waiting, start};
pub use status::Status;

#[cfg(test)]
mod tests;
