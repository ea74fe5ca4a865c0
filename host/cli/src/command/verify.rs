//! `verify`: the samples of an import, read back once more.

use fhir_import::run::{self, Outcome};

use crate::access::access;
use crate::args::Reach;
use crate::context::Context;
use crate::drive::drive;
use crate::exit::Failure;

pub async fn verify(cx: &Context, args: Reach) -> Result<Outcome, Failure> {
    let setup = cx.setup()?;
    let id = cx.find(setup.journal.as_ref(), &args.job)?;
    let run = run::verify(&setup, id, &access(cx, args.access)?).await?;
    drive(cx, &setup, &run).await
}
