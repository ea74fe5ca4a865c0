//! The decisions without their sandbox: what `importer.wasm` does, compiled in.

use std::sync::Arc;

use bytes::Bytes;
use fhir_import::contract::{Decision, Request, Started, Transition};
use fhir_import::net::{Carried, NetError, NetErrorKind, Phase};
use fhir_import::{Call, CallError, Decisions, Moved, Network, SharedClock};
use fhir_import_workflow::exchange::{Answer, Exchange, Failure, FailureKind, Method};
use fhir_import_workflow::{self as workflow, Session, Turn};

use crate::{answer, ask};

/// The decisions, compiled in.
pub struct Native {
    network: Arc<Network>,
    clock: SharedClock,
}

impl Native {
    /// Decisions that see this clock and reach this network.
    #[must_use]
    pub fn new(network: Network, clock: SharedClock) -> Self {
        Self { network: Arc::new(network.by(clock.clone())), clock }
    }

    async fn turn(&self, call: Call, plan: &str, checkpoint: &str) -> Result<Moved, workflow::Error> {
        let call = match call {
            Call::Step => workflow::Call::Step,
            Call::Submit => workflow::Call::Submit,
            Call::Recover => workflow::Call::Recover,
        };
        let mut turn = Session::open(plan, checkpoint)?.call(call, self.clock.now_ms())?;
        let mut failures = Vec::new();
        loop {
            match turn {
                Turn::Done(transition) => return Ok(moved(transition, failures)),
                Turn::Send(exchange, waiting) => {
                    let reply = self.send(&exchange, &mut failures).await;
                    turn = waiting.answered(self.clock.now_ms(), reply);
                }
            }
        }
    }

    async fn send(&self, exchange: &Exchange, failures: &mut Vec<NetError>) -> Result<Answer, Failure> {
        match self.network.exchange(request(exchange)).await {
            Ok(carried) => {
                failures.extend(carried.broken.clone());
                answer_of(&carried, exchange)
            }
            Err(error) => {
                let kind = kind(&error);
                failures.push(error);
                Err(failure(kind))
            }
        }
    }
}

impl Decisions for Native {
    fn clock(&self) -> &SharedClock {
        &self.clock
    }

    async fn start(&self, request: &Request) -> Result<Started, CallError> {
        let request = ask::request(request.clone());
        workflow::start(request, &fhir_import_dialects::texts()).map(answer::started).map_err(refused)
    }

    async fn call(&self, call: Call, plan: &str, checkpoint: &str) -> Result<Moved, CallError> {
        self.turn(call, plan, checkpoint).await.map_err(refused)
    }

    async fn resolve(&self, plan: &str, checkpoint: &str, decision: &Decision) -> Result<Transition, CallError> {
        let session = Session::open(plan, checkpoint).map_err(refused)?;
        let decided = session.resolve(&ask::decision(decision.clone()), self.clock.now_ms());
        decided.map(answer::transition).map_err(refused)
    }
}

fn refused(error: workflow::Error) -> CallError {
    CallError::Refused(answer::error(error))
}

fn moved(transition: workflow::transition::Transition, failures: Vec<NetError>) -> Moved {
    Moved { transition: answer::transition(transition), failures }
}

fn request(exchange: &Exchange) -> http::Request<Bytes> {
    let method = match exchange.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Delete => http::Method::DELETE,
    };
    let mut request = http::Request::builder().method(method).uri(&exchange.url);
    for (name, value) in &exchange.headers {
        request = request.header(name.as_str(), value);
    }
    let body = exchange.body.clone().unwrap_or_default();
    request.body(Bytes::from(body)).expect("the decisions ask with URLs and headers that HTTP can carry")
}

fn answer_of(carried: &Carried, exchange: &Exchange) -> Result<Answer, Failure> {
    let (status, longer) = (carried.head.status.as_u16(), carried.body.len() > exchange.keep);
    if carried.broken.is_some() && !longer && !exchange.head_is_enough(status) {
        return Err(failure(FailureKind::Broken));
    }
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = carried.head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = carried.body.slice(..carried.body.len().min(exchange.keep)).to_vec();
    Ok(Answer { status, headers, body, cut: longer || carried.broken.is_some() })
}

/// As the host tells the component, and the component understands it.
fn kind(error: &NetError) -> FailureKind {
    match (error.phase, error.kind) {
        (Phase::Policy, _) | (_, NetErrorKind::PrivateAddress) => FailureKind::Denied,
        (Phase::Tls, NetErrorKind::TlsTimeout) | (Phase::Dns | Phase::Connect, _) => FailureKind::Unreachable,
        (Phase::Tls, _) => FailureKind::Tls,
        (Phase::Send | Phase::FirstByte | Phase::Body, _) => FailureKind::Broken,
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, text: kind.words().to_owned() }
}
