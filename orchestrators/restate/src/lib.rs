//! Room 8: imports as virtual objects of [Restate](https://restate.dev), one for each request id.
//!
//! Restate keeps a checkpoint and the timers; the decisions and everything that is sent come from `fhir_import`. A
//! worker [`serve`]s the objects, and [`Restate`] begins imports and asks about them.

mod imports;
mod restate;
mod serve;

pub use imports::{Imports, Stored};
pub use restate::{Place, Restate};
pub use serve::serve;
