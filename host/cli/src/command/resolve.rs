//! `resolve`: what a person decided.

use fhir_import::contract::{Decision, Next};
use fhir_import::net::Origin;
use fhir_import::run::{Access, Files, InputSecrets, Outcome, resume_with};
use serde_json::json;

use crate::access::access;
use crate::args::{Decide, Resolve};
use crate::context::Context;
use crate::drive::paused;
use crate::exit::Failure;
use crate::render::{self, Screen};

pub async fn resolve(cx: &Context, args: Resolve) -> Result<Outcome, Failure> {
    let mut access = access(cx, args.access)?;
    let decision = decision(&args.decision, &mut access)?;
    if matches!(decision, Decision::Cancel | Decision::ForceCancel) {
        return super::cancel::ask(cx, &args.job, &decision, &access).await;
    }
    let setup = cx.setup()?;
    let id = cx.find(setup.journal.as_ref(), &args.job)?;
    let run = resume_with(&setup, id, &access, InputSecrets::default(), Files::Leave).await?;
    let next = run.resolve(&decision, &mut Screen::new(&cx.talk, &setup, id)).await?;
    match next {
        Next::Done(report) => Ok(render::report::View::load(cx, setup.journal.as_ref(), id, report)?.show(cx.json)),
        Next::Paused(pause) => Ok(paused(cx, id, &pause)),
        _ => {
            let next = cx.command("wait", id);
            if cx.json {
                render::json::print(Outcome::StillRunning, Some(next), json!({ "job": id.to_string() }));
            } else {
                render::out(&format!("Decided; nothing is sent yet.\n\nNext: {next}\n"));
            }
            Ok(Outcome::StillRunning)
        }
    }
}

/// What a person types is allowed, so the origin of an adopted URL is.
fn decision(decide: &Decide, access: &mut Access) -> Result<Decision, Failure> {
    if let Some(url) = &decide.adopt {
        let origin = Origin::of(url).map_err(|error| Failure::usage(format!("--adopt: {error}")))?;
        access.allow.push(origin.to_string());
        return Ok(Decision::Adopt(url.to_string()));
    }
    if let Some(longer) = decide.extend {
        return Ok(Decision::Extend(super::run::milliseconds(longer)));
    }
    Ok(match decide {
        Decide { resubmit: true, .. } => Decision::Resubmit,
        Decide { cancel: true, .. } => Decision::Cancel,
        Decide { force_cancel: true, .. } => Decision::ForceCancel,
        Decide { give_up: true, .. } => Decision::GiveUp,
        _ => Decision::Continue,
    })
}
