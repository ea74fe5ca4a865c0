//! An import as a durable Temporal workflow: Temporal owns loop, timers and state, [`Calls`] makes the calls of the
//! contract with a worker's own rights, and what is imported how stays in the component.
//!
//! [`Temporal`] is all that a program needs; `main.rs` is one.

mod calls;
mod temporal;
mod workflow;

pub use calls::{Calls, Decided};
pub use temporal::{TASK_QUEUE, Temporal};
pub use workflow::{Given, Import, Progress};
