//! `report`: the final word again.

use fhir_import::contract::Next;
use fhir_import::journal::{ImportId, Journal};
use fhir_import::run::{Outcome, RunError};

use crate::args::Job;
use crate::context::Context;
use crate::exit::Failure;
use crate::render::report::View;

pub async fn report(cx: &Context, args: Job) -> Result<Outcome, Failure> {
    let journal = cx.journal()?;
    let id = cx.find(&journal, &args.job)?;
    match stored_next(&journal, id)? {
        Next::Done(report) => Ok(View::load(cx, &journal, id, report)?.show(cx.json)),
        _ => super::status::status(cx, args).await,
    }
}

/// What an import's latest transition says comes next.
pub fn stored_next(journal: &dyn Journal, id: ImportId) -> Result<Next, Failure> {
    let import = journal.load(&id).map_err(RunError::Journal)?;
    Ok(fhir_import::stored_next(&import.latest).map_err(RunError::Drive)?)
}
