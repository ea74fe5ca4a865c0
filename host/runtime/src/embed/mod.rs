//! What a workflow engine's worker needs: importers with the rights of that worker, plans kept beside the engine, the
//! calls over both, and the command that all adapters have.
//!
//! The engine owns loop, timers and the durable state of an import; [`crate::drive`] and the [`crate::journal`] are not
//! used. The rules for whoever owns the loop stand in `wit/importer.wit`.

mod command;
mod plans;
mod rights;
mod worker;

use std::error::Error;

pub use command::{Adapter, Failure, Standstill, command};
pub use plans::{PlanError, Plans};
pub use rights::{CredentialFrom, Right, Rights, RightsError};
pub use worker::{Answer, Standing, WorkError, Worker};

/// An error with its causes, in one line.
fn words(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}
