//! `wait`: goes on where an import stopped.

use std::time::Duration;

use fhir_import::contract::{Decision, Next, Pause, PauseReason};
use fhir_import::run::{self, InputSecrets, Outcome, Run, Setup};

use super::report::stored_next;
use crate::access::access;
use crate::args::Wait;
use crate::context::Context;
use crate::drive::{drive, paused};
use crate::exit::Failure;
use crate::render::{self, Screen};

pub async fn wait(cx: &Context, args: Wait) -> Result<Outcome, Failure> {
    let setup = cx.setup()?;
    let journal = setup.journal.as_ref();
    let id = cx.find(journal, &args.job)?;
    match stored_next(journal, id)? {
        Next::Done(report) => return Ok(render::report::View::load(cx, journal, id, report)?.show(cx.json)),
        Next::Paused(pause) if on_waiting(&pause, args.extend).is_none() => return Ok(paused(cx, id, &pause)),
        _ => {}
    }
    let run = run::resume(&setup, id, &access(cx, args.access)?, InputSecrets::default()).await?;
    if let Some(server) = run.file_server() {
        cx.talk.line(&format!("Serving the files again at {}", server.local_addr()));
    }
    for file in run.left_out() {
        cx.talk.line(&format!("Not served any more: {} {} since it was checked", file.path, file.change));
    }
    go_on(cx, &setup, &run, args.extend).await
}

/// Drives on; a pause that waiting answers is resolved first.
pub async fn go_on(cx: &Context, setup: &Setup, run: &Run, longer: Option<Duration>) -> Result<Outcome, Failure> {
    if let Next::Paused(pause) = stored_next(setup.journal.as_ref(), run.id())?
        && let Some(decision) = on_waiting(&pause, longer)
    {
        run.resolve(&decision, &mut Screen::new(&cx.talk, setup, run.id())).await?;
    }
    drive(cx, setup, run).await
}

/// What typing `wait` once more decides; none when a person must say more.
fn on_waiting(pause: &Pause, longer: Option<Duration>) -> Option<Decision> {
    match pause.reason {
        PauseReason::NotOurJob | PauseReason::SubmitUnknown => None,
        PauseReason::Deadline => longer.map(|longer| Decision::Extend(super::run::milliseconds(longer))),
        PauseReason::AnswerNotUnderstood
        | PauseReason::Credentials
        | PauseReason::JobLost
        | PauseReason::UntrustedStatusUrl => Some(Decision::Continue),
    }
}
