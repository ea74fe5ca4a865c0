//! `status`: where an import stands.

use fhir_import::contract::Next;
use fhir_import::run::Outcome;
use serde_json::json;

use crate::args::Job;
use crate::context::Context;
use crate::drive::next_after;
use crate::exit::{Failure, outcome};
use crate::render;

pub async fn status(cx: &Context, args: Job) -> Result<Outcome, Failure> {
    let setup = cx.setup()?;
    let (import, status) = setup.status(cx.find(setup.journal.as_ref(), &args.job)?).await?;
    let (outcome, next) = match &status.next {
        Next::Done(report) => (outcome(report.outcome), cx.command("report", import.id)),
        Next::Paused(pause) => (outcome(pause.outcome), next_after(cx, import.id, pause)),
        _ => (Outcome::StillRunning, cx.command("wait", import.id)),
    };
    if cx.json {
        let mut data = render::jobs::status_json(&import, &status);
        if matches!(status.next, Next::Done(_)) {
            data["retry"] = json!(outcome.retry_when_over());
        }
        render::json::print(outcome, Some(next), data);
    } else {
        render::out(&format!("{}\nNext: {next}\n", render::jobs::status_text(&import, &status)));
    }
    Ok(outcome)
}
