//! `report`: the final word again.

use fhir_import::contract::Next;
use fhir_import::journal::ImportId;
use fhir_import::run::{Outcome, RunError, Setup};

use crate::args::Job;
use crate::context::Context;
use crate::exit::Failure;
use crate::render::report::View;

pub async fn report(cx: &Context, args: Job) -> Result<Outcome, Failure> {
    let setup = cx.setup()?;
    let id = cx.find(&setup, &args.job)?;
    match stored_next(&setup, id)? {
        Next::Done(report) => Ok(View::load(cx, &setup, id, report)?.show(cx.json)),
        _ => super::status::status(cx, args).await,
    }
}

/// What an import's latest transition says comes next.
pub fn stored_next(setup: &Setup, id: ImportId) -> Result<Next, Failure> {
    let import = setup.journal.load(&id).map_err(RunError::Journal)?;
    Ok(fhir_import::stored_next(&import.latest).map_err(RunError::Drive)?)
}
