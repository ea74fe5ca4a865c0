//! Driving an import with a person, or a log, looking on.

use std::sync::Arc;
use std::time::Duration;

use fhir_import::contract::{DecisionKind, Pause, PauseReason, Phase, Status};
use fhir_import::journal::{ImportId, utc};
use fhir_import::net::redact_url;
use fhir_import::run::{Outcome, Run, Setup, needs_files};
use fhir_import::serve::{Delivery, FetchState, FileServer, Item, reachability_hint};
use fhir_import::{End, LAST_WORDS, Stop};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use url::Url;

use crate::context::Context;
use crate::exit::{Failure, outcome};
use crate::render::{self, Screen, Talk};

/// After this long without a fetch, people are told what may be the reason.
const NO_FETCH: Duration = Duration::from_secs(15);

/// Drives an import until it is over, paused or detached, and shows what came of it.
pub async fn drive(cx: &Context, setup: &Setup, run: &Run) -> Result<Outcome, Failure> {
    let stop = Stop::default();
    let mut screen = Screen::new(&cx.talk, setup, run.id());
    let helpers = Helpers::start(cx, setup, run, &stop)?;
    let end = run.drive(&stop, &mut screen).await;
    drop(helpers);
    cx.talk.finish();
    tell_transcript(&cx.talk, run);
    match end? {
        End::Done(report) => {
            let view = render::report::View::load(cx, setup.journal.as_ref(), run.id(), *report)?;
            Ok(view.show(cx.json))
        }
        End::Paused(pause) => Ok(paused(cx, run.id(), &pause)),
        End::Detached => detached(cx, setup, run.id()).await,
        End::InputChanged(changed) => {
            let what = format!("{} {} since it was checked", changed.path, changed.change);
            if is_in_doubt(setup, run.id()).await? {
                let text = format!(
                    "{what}, and a kick-off that was sent before may have been accepted. Put the file back and go on; or look \
                     at the server: adopt the job if it is there, else give up"
                );
                let next = cx.command_of(DecisionKind::Adopt, run.id());
                return Err(Failure::new(Outcome::SubmitUnknown, text).next(next));
            }
            let text = format!("{what}; nothing was sent. Put it back and go on, or start another import");
            Err(Failure::new(Outcome::InputChanged, text).next(cx.command("wait", run.id())))
        }
    }
}

/// Where the exchanges were written down.
pub fn tell_transcript(talk: &Talk, run: &Run) {
    let Some(transcript) = run.transcript() else { return };
    let path = transcript.path().display();
    match transcript.problem() {
        None => talk.line(&format!("Transcript: {path} (look at it before you give it away)")),
        Some(problem) => talk.line(&format!("The transcript {path} is not complete: {problem}")),
    }
}

/// Says why an import stands still, and what can be decided.
pub fn paused(cx: &Context, job: ImportId, pause: &Pause) -> Outcome {
    let outcome = outcome(pause.outcome);
    let choices: Vec<String> = pause.decisions.iter().map(|kind| cx.command_of(*kind, job)).collect();
    let next = next_after(cx, job, pause);
    if cx.json {
        let data = json!({
            "job": job.to_string(), "paused": word(pause.reason), "message": cx.pause_text(pause), "decisions": choices
        });
        render::json::print(outcome, Some(next), data);
    } else {
        let rest: Vec<&String> = choices.iter().filter(|choice| **choice != next).collect();
        render::out(&format!("Paused: {}\n\nNext: {next}\n", cx.pause_text(pause)));
        rest.into_iter().for_each(|choice| render::out(&format!("  or: {choice}\n")));
        if pause.reason == PauseReason::JobLost {
            render::out(&format!("  or: {} (what is there)\n", cx.command("verify", job)));
        }
    }
    outcome
}

fn word(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::AnswerNotUnderstood => "answer-not-understood",
        PauseReason::Credentials => "credentials",
        PauseReason::Deadline => "deadline",
        PauseReason::JobLost => "job-lost",
        PauseReason::NotOurJob => "not-our-job",
        PauseReason::SubmitUnknown => "submit-unknown",
        PauseReason::UntrustedStatusUrl => "untrusted-status-url",
    }
}

/// The command that most people want after a pause.
pub fn next_after(cx: &Context, job: ImportId, pause: &Pause) -> String {
    match pause.reason {
        PauseReason::SubmitUnknown => cx.command_of(DecisionKind::Adopt, job),
        PauseReason::NotOurJob => cx.command_of(DecisionKind::GiveUp, job),
        PauseReason::Deadline => cx.line(&format!("wait {} --extend 24h", job.short())),
        PauseReason::Credentials => cx.wait_with_credential(job),
        _ => cx.command("wait", job),
    }
}

impl Context {
    /// The command that takes a decision.
    fn command_of(&self, kind: DecisionKind, job: ImportId) -> String {
        let flag = match kind {
            DecisionKind::Adopt => "--adopt STATUS-URL",
            DecisionKind::Resubmit => "--resubmit",
            DecisionKind::Extend => "--extend 24h",
            DecisionKind::Cancel => "--cancel",
            DecisionKind::ForceCancel => "--force-cancel",
            DecisionKind::GiveUp => "--give-up",
            DecisionKind::Continue => "--continue",
        };
        self.line(&format!("resolve {} {flag}", job.short()))
    }
}

/// Left before the end. A kick-off whose answer was not awaited is told from a job that runs.
async fn detached(cx: &Context, setup: &Setup, job: ImportId) -> Result<Outcome, Failure> {
    let (outcome, text) = if is_in_doubt(setup, job).await? {
        let text = "left before the kick-off was answered: nobody knows whether the server accepted it";
        (Outcome::SubmitUnknown, text)
    } else {
        (Outcome::StillRunning, "is not over; nothing was cancelled")
    };
    let next = cx.command("wait", job);
    if cx.json {
        render::json::print(outcome, Some(next), json!({ "job": job.to_string() }));
    } else {
        render::out(&format!("Import {} {text}.\n\nNext: {next}\n", job.short()));
    }
    Ok(outcome)
}

/// Whether a kick-off may have been accepted, and nobody knows.
async fn is_in_doubt(setup: &Setup, job: ImportId) -> Result<bool, Failure> {
    Ok(setup.status(job).await?.1.phase == Phase::Submitting)
}

/// What runs beside the drive; ends when dropped.
struct Helpers(Vec<tokio::task::JoinHandle<()>>);

impl Helpers {
    fn start(cx: &Context, setup: &Setup, run: &Run, stop: &Stop) -> Result<Self, Failure> {
        let mut tasks = vec![tokio::spawn(on_signals(Signals::new(cx, setup, run, stop)?))];
        if let Some(server) = run.file_server() {
            let names = run.notes().files().map(|file| render::file_name(&file.path)).collect();
            tasks.push(tokio::spawn(tell_fetches(cx.talk.clone(), Arc::clone(server), names)));
            if let Ok(fhir) = Url::parse(&run.notes().server) {
                tasks.push(tokio::spawn(tell_no_fetch(
                    cx.talk.clone(),
                    setup.clone(),
                    run.id(),
                    Arc::clone(server),
                    fhir,
                )));
            }
        }
        Ok(Self(tasks))
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// What is needed to answer a signal.
struct Signals {
    talk: Talk,
    setup: Setup,
    job: ImportId,
    serves: bool,
    stop: Stop,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new(cx: &Context, setup: &Setup, run: &Run, stop: &Stop) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(Outcome::InternalError, format!("cannot catch signals: {error}")))
        };
        Ok(Self {
            talk: cx.talk.clone(),
            setup: setup.clone(),
            job: run.id(),
            serves: run.file_server().is_some(),
            stop: stop.clone(),
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::ByPerson,
            _ = self.terminate.recv() => Asked::BySystem,
        }
    }

    /// Nobody comes for files of which no server has been told.
    async fn files_are_needed(&self) -> bool {
        let wanted = |status: &Status| status.phase != Phase::Detecting && needs_files(status);
        self.serves && self.setup.status(self.job).await.is_ok_and(|(_, status)| wanted(&status))
    }
}

/// Who wants us to leave.
#[derive(PartialEq)]
enum Asked {
    /// Ctrl-C: a person can be asked back.
    ByPerson,
    /// SIGTERM: the next thing is SIGKILL.
    BySystem,
}

/// A signal detaches; but the first Ctrl-C does not while the FHIR server still needs files that only we serve.
async fn on_signals(mut signals: Signals) {
    if signals.next().await == Asked::ByPerson && signals.files_are_needed().await {
        signals.talk.line(
            "The FHIR server may still fetch files that this program serves, so it stays. Once more (Ctrl-C) to leave \
             anyway: the job may then fail.",
        );
        signals.next().await;
    }
    signals.talk.line(&format!(
        "Leaving; a kick-off under way has {} s to be answered. Nothing is cancelled.",
        LAST_WORDS.as_secs()
    ));
    signals.stop.request();
}

/// Each file once when all of it was fetched; whatever went wrong each time. Some servers fetch every file twice.
async fn tell_fetches(talk: Talk, server: Arc<FileServer>, names: Vec<String>) {
    let mut events = server.events();
    let mut told = vec![false; names.len()];
    loop {
        let served = match events.recv().await {
            Ok(served) => served,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let Item::File(index) = served.item else { continue };
        let whole = served.delivery == Delivery::Complete;
        if whole && (told[index] || server.fetches()[index].state != FetchState::Complete) {
            continue;
        }
        told[index] |= whole;
        talk.line(&render::fetched(&names[index], &served));
    }
}

/// Hints once, when a job was accepted a while ago and nobody came for any file.
async fn tell_no_fetch(talk: Talk, setup: Setup, job: ImportId, server: Arc<FileServer>, fhir: Url) {
    loop {
        tokio::time::sleep(NO_FETCH).await;
        if server.fetches().iter().chain(&server.document_fetches()).any(|file| file.state != FetchState::Never) {
            return;
        }
        let Ok((_, status)) = setup.status(job).await else { return };
        let now = setup.clock.now_ms();
        let waiting = status.accepted_ms.is_some_and(|at| now.saturating_sub(at) >= NO_FETCH.as_millis() as u64);
        if waiting && status.phase == Phase::Running {
            talk.line(&format!(
                "The job was accepted, but since {} nobody fetched a file from {}.",
                utc(status.accepted_ms.unwrap_or(now)),
                redact_url(server.advertise())
            ));
            let hints = reachability_hint(server.local_addr(), server.advertise(), &fhir);
            hints.iter().for_each(|hint| talk.line(&format!("  {hint}")));
            if hints.is_empty() {
                talk.line("  The addresses look right: perhaps a firewall is between, or the server's queue is long.");
            }
            return;
        }
    }
}
