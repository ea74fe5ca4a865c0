//! Plays a case: a wire that answers from the transcript, and a clock that never waits.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fhir_import::contract::{Decision, Event, Next, Transition};
use fhir_import::net::{
    AllowList, Carried, Carrying, NetError, NetErrorKind, Origin, Permission, Phase as NetPhase, Wire,
};
use fhir_import::secrets::Secrets;
use fhir_import::{Call, Decisions, Network, SharedClock, Uploads, VirtualClock};
use http::Request;
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use super::case::Case;
use super::transcript::{Exchange, Reply};
use crate::harness::rig::START_MS;

/// More calls than that is a case that does not end.
const CALLS: usize = 400;

/// Where a case is played.
pub(super) struct Stage {
    wire: Arc<Transcribed>,
    clock: SharedClock,
    base: Url,
    allow: Vec<String>,
    uploads: Uploads,
    /// Holds the files that are sent.
    _desk: TempDir,
}

/// How it went.
#[derive(Default)]
pub(super) struct Played {
    /// Everything that each call answered, as JSON.
    pub(super) calls: Vec<String>,
    pub(super) events: Vec<Event>,
    pub(super) next: Option<Next>,
    pub(super) plan: String,
    pub(super) checkpoint: String,
    pub(super) now_ms: u64,
    /// What was wrong with the exchanges.
    pub(super) problems: Vec<String>,
}

impl Stage {
    pub(super) fn of(case: &Case) -> Self {
        let wire = Transcribed { exchanges: case.exchanges.clone(), state: Mutex::default() };
        let base = case.base.parse().unwrap();
        let clock = Arc::new(VirtualClock::at(START_MS));
        let desk = TempDir::new().unwrap();
        let uploads = Uploads::new(Origin::of(&base).unwrap(), case.files(desk.path()));
        Self { wire: Arc::new(wire), clock, base, allow: case.allow.clone(), uploads, _desk: desk }
    }

    pub(super) fn clock(&self) -> SharedClock {
        self.clock.clone()
    }

    pub(super) fn network(&self) -> Network {
        let mut allow = AllowList::new(&self.base).unwrap();
        for origin in &self.allow {
            allow = allow.allow(origin).unwrap();
        }
        let mut network = Network::new(allow, Secrets::default(), self.wire.clone()).by(self.clock.clone());
        network.uploads = self.uploads.clone();
        network
    }
}

/// Plays a case to its end, or, where it expects how it goes on, to the end of its transcript.
pub(super) async fn play(case: &Case, decisions: &impl Decisions, stage: &Stage) -> Played {
    let mut played = Played::default();
    let started = match decisions.start(&case.request()).await {
        Ok(started) => started,
        Err(error) => {
            played.problems.push(format!("the request is refused: {error}"));
            return played;
        }
    };
    played.plan = started.plan;
    played.take(started.transition);
    if let Some(url) = &case.adopt {
        adopt(decisions, stage, url, &mut played).await;
    }
    let mut decided = case.decide.iter();
    while played.problems.is_empty() && played.calls.len() < CALLS {
        if case.expect.next.is_some() && stage.wire.is_used_up() {
            break;
        }
        match (played.next.clone(), decided.as_slice()) {
            (Some(Next::Paused(_)), [word, ..]) => {
                decided.next();
                played.resolve(decisions, &decision(word)).await;
            }
            (Some(Next::Done(_) | Next::Paused(_)) | None, _) => break,
            (Some(next), _) => {
                let call = call(&next, stage).await;
                played.call(decisions, call).await;
                played.problems.extend(stage.wire.problems());
            }
        }
    }
    played.problems.extend(stage.wire.unused());
    played.now_ms = stage.clock.now_ms();
    played
}

async fn call(next: &Next, stage: &Stage) -> Call {
    match next {
        Next::Submit => Call::Submit,
        Next::Recover => Call::Recover,
        Next::Wait(wake) => {
            stage.clock.sleep_until(wake.at_ms).await;
            Call::Step
        }
        _ => Call::Step,
    }
}

/// The kick-off is skipped: nobody knows its answer, and a person names the job.
async fn adopt(decisions: &impl Decisions, stage: &Stage, url: &str, played: &mut Played) {
    stage.wire.state.lock().unwrap().prologue = true;
    while played.next == Some(Next::Step) && played.problems.is_empty() {
        played.call(decisions, Call::Step).await;
    }
    stage.wire.state.lock().unwrap().prologue = false;
    played.call(decisions, Call::Recover).await;
    played.resolve(decisions, &Decision::Adopt(url.to_owned())).await;
    played.events.clear();
}

fn decision(word: &str) -> Decision {
    match word.split_once(' ').unwrap_or((word, "")) {
        ("continue", _) => Decision::Continue,
        ("give-up", _) => Decision::GiveUp,
        ("resubmit", _) => Decision::Resubmit,
        ("cancel", _) => Decision::Cancel,
        ("force-cancel", _) => Decision::ForceCancel,
        ("adopt", url) => Decision::Adopt(url.to_owned()),
        _ => panic!("{word} is no decision"),
    }
}

impl Played {
    fn take(&mut self, transition: Transition) {
        self.calls.push(serde_json::to_string(&transition).unwrap());
        self.checkpoint = transition.checkpoint;
        self.events.extend(transition.events);
        self.next = Some(transition.next);
    }

    async fn call(&mut self, decisions: &impl Decisions, call: Call) {
        match decisions.call(call, &self.plan, &self.checkpoint).await {
            Ok(moved) => self.take(moved.transition),
            Err(error) => self.problems.push(format!("{call:?}: {error}")),
        }
    }

    async fn resolve(&mut self, decisions: &impl Decisions, decision: &Decision) {
        match decisions.resolve(&self.plan, &self.checkpoint, decision).await {
            Ok(transition) => self.take(transition),
            Err(error) => self.problems.push(format!("{decision:?}: {error}")),
        }
    }
}

/// A wire that answers from a transcript.
#[derive(Debug)]
struct Transcribed {
    exchanges: Vec<Exchange>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    problems: Vec<String>,
    /// What comes before the first poll is answered without a transcript.
    prologue: bool,
}

impl Transcribed {
    fn is_used_up(&self) -> bool {
        self.state.lock().unwrap().used >= self.exchanges.len()
    }

    fn problems(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().problems)
    }

    fn unused(&self) -> Vec<String> {
        let rest = self.exchanges.iter().enumerate().skip(self.state.lock().unwrap().used);
        rest.map(|(n, exchange)| format!("exchange {} ({}) was not used", n + 1, exchange.shown())).collect()
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<Carried, NetError> {
        let mut state = self.state.lock().unwrap();
        let url: Url = request.uri().to_string().parse().unwrap();
        if state.prologue {
            let date = ("date".to_owned(), "Thu, 01 Jan 2026 00:00:00 GMT".to_owned());
            return Ok(carried(200, &[date], b"{}", None));
        }
        let shown = format!("{} {}", request.method(), request.uri());
        let Some(exchange) = self.exchanges.get(state.used) else {
            state.problems.push(format!("the transcript lacks an exchange: {shown}\n{}", body(request)));
            return Err(closed(&url));
        };
        state.used += 1;
        let differs = differences(exchange, &shown, request);
        let number = state.used;
        state.problems.extend(differs.into_iter().map(|why| format!("exchange {number}{why}")));
        match &exchange.reply {
            Reply::Answer { status, headers, body, broken } => {
                Ok(carried(*status, headers, body, broken.as_ref().map(|_| closed(&url))))
            }
            Reply::Failed(words) => Err(failure(words, &url)),
        }
    }
}

impl Wire for Transcribed {
    fn carry(&self, request: Request<Bytes>, _: Permission) -> Carrying<'_> {
        Box::pin(async move { self.answer(&request) })
    }
}

fn carried(status: u16, headers: &[(String, String)], body: &[u8], broken: Option<NetError>) -> Carried {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value.as_bytes());
    }
    let (head, ()) = builder.body(()).unwrap().into_parts();
    Carried { head, body: Bytes::copy_from_slice(body), broken }
}

fn closed(url: &Url) -> NetError {
    NetError::new(NetPhase::FirstByte, NetErrorKind::ConnectionClosed, url, "")
}

/// By the words in which a recording tells it.
fn failure(words: &str, url: &Url) -> NetError {
    let (phase, kind) = match words {
        _ if words.contains("refused") => (NetPhase::Connect, NetErrorKind::Refused),
        _ if words.contains("unknown") => (NetPhase::Dns, NetErrorKind::UnknownHost),
        _ if words.contains("certificate") => (NetPhase::Tls, NetErrorKind::CertificateOther),
        _ if words.contains("in time") => (NetPhase::FirstByte, NetErrorKind::Timeout),
        _ => return closed(url),
    };
    NetError::new(phase, kind, url, "")
}

fn body(request: &Request<Bytes>) -> String {
    String::from_utf8_lossy(request.body()).into_owned()
}

/// What differs of what the transcript tells of a request.
fn differences(exchange: &Exchange, shown: &str, request: &Request<Bytes>) -> Vec<String> {
    if exchange.shown() != shown {
        return vec![format!(" should be {}, but it is {shown}", exchange.shown())];
    }
    let mut differences = Vec::new();
    for (name, wanted) in &exchange.headers {
        let values = request.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let sent = values.collect::<Vec<_>>().join("\n");
        if sent != *wanted && wanted != "…" {
            differences.push(format!(": the header {name} should be {wanted:?}, but it is {sent:?}"));
        }
    }
    let sent = body(request);
    if let Some(wanted) = exchange.body.as_ref().filter(|wanted| !is_same(wanted, &sent)) {
        differences.push(format!(": the body should be\n{}\nbut it is\n{}", pretty(wanted), pretty(&sent)));
    }
    differences
}

fn is_same(one: &str, other: &str) -> bool {
    match (serde_json::from_str::<Value>(one), serde_json::from_str::<Value>(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.trim() == other.trim(),
    }
}

fn pretty(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}
