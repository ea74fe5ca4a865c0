//! What a workflow engine's worker needs: importers with the rights of that worker, and plans kept beside the engine.
//!
//! The engine owns loop, timers and the durable state of an import; [`crate::drive`] and the [`crate::journal`] are not
//! used. The rules for whoever owns the loop stand in `wit/importer.wit`.

mod plans;
mod rights;

pub use plans::{PlanError, Plans};
pub use rights::{CredentialFrom, Right, Rights, RightsError};
