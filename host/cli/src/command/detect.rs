//! `detect`: what a server is, how sure that is, and why.

use fhir_import::contract::Report;
use fhir_import::run::{self, Outcome, Setup};
use fhir_import::{End, Stop};
use serde_json::json;

use crate::access::access;
use crate::args::Detect;
use crate::context::{Context, engine};
use crate::drive::tell_transcript;
use crate::exit::{Failure, outcome};
use crate::render::{self, Screen};

pub async fn detect(cx: &Context, args: Detect) -> Result<Outcome, Failure> {
    let server = cx.server(&args.server)?;
    let setup = Setup::in_memory(engine()?);
    let run = run::detect(&setup, &server, &access(cx, args.access)?).await?;
    let end = run.drive(&Stop::default(), &mut Screen::new(&cx.talk, &setup, run.id())).await?;
    cx.talk.finish();
    tell_transcript(&cx.talk, &run);
    match end {
        End::Done(report) => Ok(show(cx, &server.shown(), &report)),
        End::Paused(pause) => Err(Failure::new(outcome(pause.outcome), cx.pause_text(&pause))),
        End::Detached | End::InputChanged(_) => Err(Failure::new(Outcome::InternalError, "detection did not end")),
    }
}

fn show(cx: &Context, server: &str, report: &Report) -> Outcome {
    let outcome = outcome(report.outcome);
    let next = (outcome == Outcome::Succeeded).then(|| cx.named_run(server, &report.detection));
    if cx.json {
        let data = json!({
            "server": server, "sentence": report.sentence, "advice": report.advice, "detection": report.detection,
            "proven": report.proven
        });
        render::json::print(outcome, next, data);
    } else {
        render::out(&text(report, next.as_deref()));
    }
    outcome
}

fn text(report: &Report, next: Option<&str>) -> String {
    let detection = &report.detection;
    let mut text = format!("{}\n", report.sentence);
    if !report.advice.is_empty() {
        text += &format!("{}\n", report.advice);
    }
    text.push('\n');
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("  {name:<10} {value}\n");
        }
    };
    fact("software", detection.software.as_deref().unwrap_or_default());
    fact("dialect", detection.dialect.as_deref().unwrap_or_default());
    fact("proven", &report.proven);
    fact("or", &detection.candidates.join(", "));
    detection.evidence.iter().for_each(|evidence| fact("because", evidence));
    next.map_or(text.clone(), |command| format!("{text}\nNext: {command}\n"))
}
