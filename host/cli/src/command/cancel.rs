//! `cancel`: asks the server, and believes it when its status says so.

use fhir_import::contract::{Decision, Event, Next, WakeReason};
use fhir_import::net::NetError;
use fhir_import::run::{Access, Files, InputSecrets, Outcome, resume_with};
use fhir_import::{End, Stop, Watch};

use super::report::stored_next;
use crate::access::access;
use crate::args::Reach;
use crate::context::Context;
use crate::drive::paused;
use crate::exit::Failure;
use crate::render::{self, Screen};

pub async fn cancel(cx: &Context, args: Reach) -> Result<Outcome, Failure> {
    ask(cx, &args.job, &access(args.access)?).await
}

/// Asks the server to cancel an import.
pub async fn ask(cx: &Context, job: &str, access: &Access) -> Result<Outcome, Failure> {
    let setup = cx.setup()?;
    let id = cx.find(&setup, job)?;
    if let Next::Done(_) = stored_next(&setup, id)? {
        let text = format!("import {} is over; there is nothing to cancel", id.short());
        return Err(Failure::usage(text).next(cx.command("report", id)));
    }
    let run = resume_with(&setup, id, access, InputSecrets::default(), Files::Leave).await?;
    let stop = Stop::default();
    let mut watch = UntilPolled { screen: Screen::new(&cx.talk, &setup, id), stop: stop.clone(), said: None };
    run.resolve(&Decision::Cancel, &mut watch).await?;
    let (_, status) = setup.status(id).await?;
    let end = match status.phase.as_str() {
        "cancelling" | "done" => run.drive(&stop, &mut watch).await?,
        _ => End::Detached,
    };
    cx.talk.finish();
    match end {
        End::Done(report) => Ok(render::report::View::load(cx, &setup, id, *report)?.show(cx.json)),
        End::Paused(pause) => Ok(paused(cx, id, &pause)),
        End::Detached | End::InputChanged(_) => {
            let said = watch.said.unwrap_or_else(|| "not cancelled".to_owned());
            Err(Failure::new(Outcome::Unsupported, said).next(cx.command("wait", id)))
        }
    }
}

/// Stops when the job is waited for as before: then it was not cancelled.
struct UntilPolled {
    screen: Screen,
    stop: Stop,
    said: Option<String>,
}

impl Watch for UntilPolled {
    fn happened(&mut self, event: &Event) {
        if event.kind == "cancel" {
            self.said = Some(event.text.clone());
        }
        self.screen.happened(event);
    }

    fn failed(&mut self, error: &NetError) {
        self.screen.failed(error);
    }

    fn next(&mut self, next: &Next) {
        if matches!(next, Next::Wait(wake) if wake.reason == WakeReason::Poll) {
            self.stop.request();
        }
        self.screen.next(next);
    }
}
