//! `jobs`: all imports.

use fhir_import::journal::Journal;
use fhir_import::run::{Outcome, RunError};

use crate::context::Context;
use crate::exit::Failure;
use crate::render;

pub fn jobs(cx: &Context) -> Result<Outcome, Failure> {
    let imports = cx.journal()?.list().map_err(RunError::Journal)?;
    if cx.json {
        render::json::print(Outcome::Succeeded, None, render::jobs::json(&imports));
    } else {
        render::out(&render::jobs::text(&imports, render::width()));
    }
    Ok(Outcome::Succeeded)
}
