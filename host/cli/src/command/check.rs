//! `check`: every line, before anything is sent.

use fhir_import::run::{Outcome, check_files};

use crate::args::Check;
use crate::context::{Context, engine};
use crate::exit::Failure;
use crate::render;

pub async fn check(cx: &Context, args: Check) -> Result<Outcome, Failure> {
    let talk = cx.talk.clone();
    let files = check_files(&engine()?, &args.paths, &mut |progress| super::run::say(&talk, progress)).await?;
    let outcome = if files.checked.summary.errors > 0 { Outcome::InputInvalid } else { Outcome::Succeeded };
    if cx.json {
        render::json::print(outcome, None, render::findings::json(&files));
    } else {
        render::out(&render::findings::text(&files));
    }
    Ok(outcome)
}
