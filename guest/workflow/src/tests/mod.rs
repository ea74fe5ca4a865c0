//! State + event = next state + effects: imports played against a list of exchanges and replies, with a number as
//! clock. What a server answers is recorded where a real one was asked (`recorded/`), and made up where none was.

mod answers;
mod cancel;
mod checkpoint;
mod contradictions;
mod detecting;
mod kick_off;
mod listed;
mod mutation;
mod outcome_files;
mod polling;
mod read_back;
mod recovery;
mod resolve;
mod result;
mod result_pages;
mod rows;
mod uploads;
mod variables;

use crate::checkpoint::MAX_BYTES;
use crate::dialect::Path;
use crate::exchange::{Exchange, Method};
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::report::Report;
use crate::request::{DialectChoice, Expected, Input, Policy, Purpose, Request, Sample};
use crate::state::Reply;
use crate::transition::{Decision, Event, EventKind, Next, Pause, PauseReason, Transition, Wake};
use crate::{Call, Dialect, Error, Session, Status, Turn, Waiting, start};
use answers::accepted;

/// The base URL of the recorded answers.
const BASE: &str = "http://127.0.0.1:18080/fhir";
/// When every request is made.
const START_MS: u64 = 1_795_000_000_000;
const MINUTE_MS: u64 = 60_000;
const DEADLINE_MS: u64 = 6 * 60 * MINUTE_MS;

/// A built-in dialect, read from its file.
fn dialect(name: &str) -> Dialect {
    let text = match name {
        "hapi" => include_str!("../../../dialects/dialects/hapi.toml"),
        "smart-manifest" => include_str!("../../../dialects/dialects/smart-manifest.toml"),
        other => panic!("no dialect {other}"),
    };
    toml::from_str(text).unwrap()
}

fn builtin() -> Vec<String> {
    [dialect("hapi"), dialect("smart-manifest")].iter().map(|one| serde_json::to_string(one).unwrap()).collect()
}

/// Two files of three Patients and one Observation, as they were sent for the recorded answers; nothing is read back.
fn request(choice: DialectChoice) -> Request {
    Request {
        id: "00112233445566778899aabbccddeeff".to_owned(),
        time_ms: START_MS,
        purpose: Purpose::Import,
        base_url: BASE.to_owned(),
        dialect: choice,
        inputs: vec![input("Patient", "ok-patient"), input("Observation", "ok-observation")],
        samples: Vec::new(),
        expected: Vec::new(),
        settings: Vec::new(),
        documents_url: None,
        policy: Policy { poll_max_ms: 10 * MINUTE_MS, deadline_ms: DEADLINE_MS, max_errors: 0 },
    }
}

fn named(dialect: &str) -> Request {
    request(DialectChoice::Named(dialect.to_owned()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is made for this request")]
fn defined(dialect: Dialect) -> Request {
    request(DialectChoice::Defined(serde_json::to_string(&dialect).unwrap()))
}

fn input(kind: &str, file: &str) -> Input {
    let url = format!("http://127.0.0.1:18090/{file}.ndjson");
    Input { url, resource_type: kind.to_owned(), resources: None, etag: None }
}

fn path(text: &str) -> Path {
    Path(text.to_owned())
}

fn sample(reference: &str, fingerprint: &str) -> Sample {
    Sample { reference: reference.to_owned(), fingerprint: fingerprint.to_owned() }
}

fn expected(kind: &str, resources: u64) -> Expected {
    Expected { resource_type: kind.to_owned(), resources, distinct_ids: Some(resources) }
}

/// An import that is played.
#[derive(Clone)]
struct Play {
    plan: String,
    checkpoint: String,
    next: Next,
    /// Of the last call.
    events: Vec<Event>,
    now_ms: u64,
    /// What was sent, and when.
    sent: Vec<(u64, Exchange)>,
    /// A call that sends once more before it ends.
    under_way: Option<(Exchange, Box<Waiting>)>,
}

impl Play {
    fn new(request: Request) -> Self {
        let started = start(request, &builtin()).unwrap();
        let Transition { checkpoint, next, events } = started.transition;
        let (sent, under_way) = (Vec::new(), None);
        let mut play = Self { plan: started.plan, checkpoint, next, events, now_ms: START_MS, sent, under_way };
        play.check();
        play
    }

    /// An import whose one job was accepted at `/jobs/1`.
    fn running(request: Request) -> Self {
        let mut play = Self::new(request);
        play.exchange("POST /$import", accepted("/jobs/1"));
        play
    }

    fn session(&self) -> Session {
        Session::open(&self.plan, &self.checkpoint).unwrap()
    }

    fn status(&self) -> Status {
        Status::of(&self.session())
    }

    /// The owner of the loop: waits as told, makes the one call, and hands over the reply.
    fn exchange(&mut self, expected: &str, reply: Reply) -> &mut Self {
        match self.turn(expected) {
            Turn::Send(exchange, waiting) => {
                assert_eq!(shown(&exchange), expected);
                self.polite(&exchange);
                self.sent.push((self.now_ms, exchange));
                self.took(waiting.answered(self.now_ms, reply));
                self
            }
            Turn::Done(transition) => {
                assert_ne!(transition.checkpoint, self.checkpoint, "{expected} is expected, but nothing is sent");
                self.take(transition);
                self.exchange(expected, reply)
            }
        }
    }

    fn turn(&mut self, expected: &str) -> Turn {
        if let Some((exchange, waiting)) = self.under_way.take() {
            return Turn::Send(exchange, waiting);
        }
        let call = match &self.next {
            Next::Wait(wake) => {
                self.now_ms = self.now_ms.max(wake.at_ms);
                Call::Step
            }
            Next::Step => Call::Step,
            Next::Submit => Call::Submit,
            next => panic!("{expected} is expected, but it goes on with {next:?}"),
        };
        self.session().call(call, self.now_ms).unwrap()
    }

    fn took(&mut self, turn: Turn) {
        match turn {
            Turn::Done(transition) => self.take(transition),
            Turn::Send(exchange, waiting) => self.under_way = Some((exchange, waiting)),
        }
    }

    /// The process dies in the middle of a call, and another one takes over.
    fn died(&mut self) -> &mut Self {
        self.under_way = None;
        self
    }

    fn exchanges<const N: usize>(&mut self, list: [(&str, Reply); N]) -> &mut Self {
        for (expected, reply) in list {
            self.exchange(expected, reply);
        }
        self
    }

    /// How long is waited after each of so many requests that are answered alike.
    fn waits(&mut self, times: usize, expected: &str, reply: &Reply) -> Vec<u64> {
        (0..times).map(|_| self.exchange(expected, reply.clone()).wait_ms()).collect()
    }

    fn recover(&mut self) -> &mut Self {
        match self.session().call(Call::Recover, self.now_ms).unwrap() {
            Turn::Done(transition) => self.take(transition),
            Turn::Send(exchange, _) => panic!("{}", shown(&exchange)),
        }
        self
    }

    fn resolve(&mut self, decision: &Decision) -> &mut Self {
        let transition = self.session().resolve(decision, self.now_ms).unwrap();
        self.take(transition);
        self
    }

    fn refuses(&self, decision: &Decision) {
        let refused = self.session().resolve(decision, self.now_ms);
        assert!(matches!(refused, Err(Error::InvalidCall(_))), "{decision:?}: {refused:?}");
    }

    fn take(&mut self, transition: Transition) {
        Transition { checkpoint: self.checkpoint, next: self.next, events: self.events } = transition;
        self.check();
    }

    /// What holds after every call.
    fn check(&mut self) {
        assert!(self.checkpoint.len() <= MAX_BYTES, "{} bytes", self.checkpoint.len());
        assert_eq!(self.session().next(), self.next, "the checkpoint says the same as the transition");
        for event in &self.events {
            assert!(!event.text.is_empty() && !event.text.contains('\n'), "{event:?}");
        }
        if let Next::Wait(Wake { at_ms, .. }) = self.next
            && at_ms <= self.now_ms
        {
            return;
        }
        if !matches!(self.next, Next::Step) {
            self.a_step_changes_nothing();
        }
    }

    /// A call that comes early, twice, or for a state that waits for a person.
    fn a_step_changes_nothing(&self) {
        let Turn::Done(same) = self.session().call(Call::Step, self.now_ms).unwrap() else {
            panic!("sent at {} though {:?}", self.now_ms, self.next)
        };
        assert_eq!((same.checkpoint, same.next, same.events), (self.checkpoint.clone(), self.next.clone(), Vec::new()));
    }

    /// No two requests for the same thing within a second, pieces of a file aside.
    fn polite(&self, exchange: &Exchange) {
        let ranged = exchange.headers.iter().any(|(name, _)| *name == "range");
        let last =
            self.sent.iter().rev().find(|(_, sent)| (sent.method, &sent.url) == (exchange.method, &exchange.url));
        if let Some((at_ms, _)) = last.filter(|_| !ranged) {
            assert!(self.now_ms >= at_ms + FLOOR_MS, "{} ms after the last time", self.now_ms - at_ms);
        }
    }

    fn wait_ms(&self) -> u64 {
        match &self.next {
            Next::Wait(wake) => wake.at_ms - self.now_ms,
            next => panic!("{next:?}"),
        }
    }

    fn report(&self) -> Report {
        match &self.next {
            Next::Done(report) => (**report).clone(),
            next => panic!("{next:?}"),
        }
    }

    fn ended(&self, outcome: Outcome) -> Report {
        let report = self.report();
        assert_eq!(report.outcome, outcome, "{}", report.sentence);
        report
    }

    /// The report after a decision, on a copy.
    fn report_of(&self, decision: &Decision) -> Report {
        self.clone().resolve(decision).report()
    }

    fn pause(&self) -> Pause {
        match &self.next {
            Next::Paused(pause) => pause.clone(),
            next => panic!("{next:?}"),
        }
    }

    fn paused(&self, reason: PauseReason) -> Pause {
        let pause = self.pause();
        assert_eq!(pause.reason, reason, "{}", pause.message);
        pause
    }

    fn told(&self, kind: EventKind) -> &str {
        let event = self.events.iter().find(|event| event.kind == kind);
        event.map_or_else(|| panic!("no {kind:?} in {:?}", self.events), |event| &event.text)
    }

    /// The kick-offs that were sent.
    fn kick_offs(&self) -> usize {
        self.sent.iter().filter(|(_, exchange)| exchange.method == Method::Post).count()
    }

    fn last_header(&self, name: &str) -> Option<&str> {
        let (_, exchange) = self.sent.last()?;
        exchange.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }
}

/// `METHOD URL`, the base URL left out.
fn shown(exchange: &Exchange) -> String {
    let method = match exchange.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    };
    format!("{method} {}", exchange.url.strip_prefix(BASE).unwrap_or(&exchange.url))
}
