//! `errors`: why resources were rejected.

use fhir_import::contract::Next;
use fhir_import::run::Outcome;
use serde_json::json;

use super::report::stored_next;
use crate::args::Job;
use crate::context::Context;
use crate::exit::{Failure, outcome};
use crate::render;

pub fn errors(cx: &Context, args: &Job) -> Result<Outcome, Failure> {
    let journal = cx.journal()?;
    let id = cx.find(&journal, &args.job)?;
    let Next::Done(report) = stored_next(&journal, id)? else {
        let text = format!("import {} is not over, so its errors are not known yet", id.short());
        return Err(Failure::new(Outcome::StillRunning, text).next(cx.command("wait", id)));
    };
    let outcome = outcome(report.outcome);
    if cx.json {
        let data = json!({ "job": id.to_string(), "rejected": report.rejected, "errors": report.errors,
            "retry": outcome.retry_when_over() });
        render::json::print(outcome, None, data);
    } else if report.errors.is_empty() {
        render::out("no errors\n");
    } else {
        render::out(&render::report::classes(&report.errors, usize::MAX));
    }
    Ok(outcome)
}
