//! `cancel`: asks the server, and believes it when its status says so.

use fhir_import::contract::{Decision, Event, Next, Phase};
use fhir_import::journal::{ImportId, JournalError};
use fhir_import::net::NetError;
use fhir_import::run::{Access, Files, InputSecrets, Outcome, RunError, Setup, resume_with};
use fhir_import::{End, Stop, Watch};

use super::report::stored_next;
use crate::access::access;
use crate::args::Cancel;
use crate::context::Context;
use crate::drive::{paused, tell_transcript};
use crate::exit::Failure;
use crate::render::{self, Screen};

pub async fn cancel(cx: &Context, args: Cancel) -> Result<Outcome, Failure> {
    let decision = if args.force { Decision::ForceCancel } else { Decision::Cancel };
    ask(cx, &args.reach.job, &decision, &access(cx, args.reach.access)?).await
}

/// Asks the server to cancel an import.
pub async fn ask(cx: &Context, job: &str, decision: &Decision, access: &Access) -> Result<Outcome, Failure> {
    let setup = cx.setup()?;
    let id = cx.find(setup.journal.as_ref(), job)?;
    if let Next::Done(_) = stored_next(setup.journal.as_ref(), id)? {
        let text = format!("import {} is over; there is nothing to cancel", id.short());
        return Err(Failure::usage(text).next(cx.command("report", id)));
    }
    let run = resume_with(&setup, id, access, InputSecrets::default(), Files::Leave).await;
    let run = run.map_err(|error| driven_elsewhere(cx, id, error))?;
    let stop = Stop::default();
    let screen = Screen::new(&cx.talk, &setup, id);
    let mut watch = WhileCancelling { screen, setup: setup.clone(), job: id, stop: stop.clone(), said: None };
    let next = run.resolve(decision, &mut watch).await?;
    let tried = matches!(next, Next::Done(_)) || is_cancelling(&setup, id).await;
    if !tried {
        cx.talk.finish();
        return Err(not_tried(cx, id, watch.said));
    }
    let end = run.drive(&stop, &mut watch).await?;
    cx.talk.finish();
    tell_transcript(&cx.talk, &run);
    match end {
        End::Done(report) => Ok(render::report::View::load(cx, setup.journal.as_ref(), id, *report)?.show(cx.json)),
        End::Paused(pause) => Ok(paused(cx, id, &pause)),
        End::Detached | End::InputChanged(_) => {
            let said = watch.said.map_or_else(|| "not cancelled".to_owned(), |said| said.text);
            Err(Failure::new(Outcome::StillRunning, said).next(cx.command("wait", id)))
        }
    }
}

/// While another process drives an import, only that one may speak for it.
fn driven_elsewhere(cx: &Context, id: ImportId, error: RunError) -> Failure {
    let locked = matches!(&error, RunError::Journal(JournalError::Locked { .. }));
    let failure = Failure::from(error);
    if !locked {
        return failure;
    }
    let next = cx.command("cancel", id);
    let text = format!("{}. Nothing was cancelled: end that process (Ctrl-C), then cancel", failure.message);
    Failure { message: text, ..failure }.next(next)
}

/// Nothing was sent: force is wanted, or the server offers no way.
fn not_tried(cx: &Context, id: ImportId, said: Option<Event>) -> Failure {
    let Some(said) = said else {
        return Failure::new(Outcome::Unsupported, "not cancelled").next(cx.command("wait", id));
    };
    if said.kind == "cancel-needs-force" {
        let next = cx.line(&format!("cancel {} --force", id.short()));
        return Failure::new(Outcome::StillRunning, said.text).next(next);
    }
    Failure::new(Outcome::Unsupported, said.text).next(cx.command("wait", id))
}

async fn is_cancelling(setup: &Setup, job: ImportId) -> bool {
    setup.status(job).await.is_ok_and(|(_, status)| status.phase == Phase::Cancelling)
}

/// Stops when the job is waited for as before: then it was not cancelled.
struct WhileCancelling {
    screen: Screen,
    setup: Setup,
    job: ImportId,
    stop: Stop,
    said: Option<Event>,
}

impl Watch for WhileCancelling {
    fn happened(&mut self, event: &Event) {
        if event.kind.starts_with("cancel") {
            self.said = Some(event.clone());
        }
        // What was not done is the result of the command, and said there.
        if !event.text.starts_with("not cancelled") {
            self.screen.happened(event);
        }
    }

    fn failed(&mut self, error: &NetError) {
        self.screen.failed(error);
    }

    fn next(&mut self, next: &Next) {
        if let Next::Wait(_) = next {
            let (setup, job, stop) = (self.setup.clone(), self.job, self.stop.clone());
            tokio::spawn(async move {
                if !is_cancelling(&setup, job).await {
                    stop.request();
                }
            });
        }
        self.screen.next(next);
    }
}
