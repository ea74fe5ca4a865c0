//! The network between the client and the practice server: late, broken and forgetful where the seed says so.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fhir_import::net::{Carried, Carrying, NetError, NetErrorKind, Permission, Phase, Wire};
use fhir_import_sandbox::{Outcome, Restart, Sandbox};
use http::Request;
use url::Url;

use crate::chance::Chance;
use crate::death::Death;
use crate::time::Time;

/// The limit of an exchange, in milliseconds: what is later is not waited for.
const LIMIT_MS: u64 = 90_000;
/// A request that is late arrives within this, in milliseconds.
const LATE_MS: u64 = 20_000;

/// One request as it left the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The true time.
    pub at_ms: u64,
    /// The method.
    pub method: String,
    /// Where to.
    pub url: String,
    /// The body.
    pub body: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// Whether the server got it.
    pub arrived: bool,
    /// The status that the client saw.
    pub status: Option<u16>,
    /// Whether the client saw the whole answer.
    pub whole: bool,
    /// The `Retry-After` that the client saw.
    pub retry_after: Vec<String>,
    /// Which life of the client's process it was.
    pub life: u32,
}

impl Sent {
    /// Whether it asks how a job stands, which is known by the URL of its status.
    #[must_use]
    pub fn polls(&self, status_url: &str) -> bool {
        match status_url.split_once("/?JobId=") {
            Some((origin, id)) => self.method == "POST" && self.url.starts_with(origin) && self.body.contains(id),
            None => self.method == "GET" && self.url == status_url,
        }
    }

    /// The status URL of the job that it is to cancel.
    #[must_use]
    pub fn cancels(&self) -> Option<&str> {
        match self.method.as_str() {
            "DELETE" => Some(&self.url),
            "POST" => self.url.strip_suffix(":cancel"),
            _ => None,
        }
    }
}

/// What the network does with a request.
#[derive(Clone, Copy)]
enum Fate {
    Fine,
    /// No connection; nothing is sent.
    Refused,
    /// It is lost on the way there.
    LostBefore,
    /// The answer is lost.
    LostAfter,
    /// The client stops waiting, and then the server hears of it.
    Late,
    /// The answer comes too late.
    Slow,
    /// The answer breaks off.
    Cut,
    /// The server hears of it twice.
    Twice,
    /// The client dies before it is sent.
    DiesBefore,
    /// The client dies when the server has heard of it.
    DiesAfter,
    /// The server is started anew before it hears of it.
    Restarts,
    /// The same, and it has forgotten its jobs.
    Forgets,
}

/// The rarer ones stand once, the others twice.
const FATES: [Fate; 18] = [
    Fate::Refused,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Late,
    Fate::Slow,
    Fate::Cut,
    Fate::DiesAfter,
    Fate::Restarts,
    Fate::Forgets,
    Fate::Refused,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Late,
    Fate::Slow,
    Fate::Cut,
    Fate::Twice,
    Fate::DiesBefore,
    Fate::DiesAfter,
];

/// The network.
pub struct SimulatedWire {
    sandbox: Arc<Sandbox>,
    time: Time,
    death: Death,
    state: Mutex<State>,
    calm_from_ms: u64,
    /// Whether a second kick-off of the same bytes is a second job, so that the network must not make one.
    kick_offs_count: bool,
    /// Which life of the client's process it is.
    life: AtomicU32,
    /// How often the server forgot its jobs.
    forgets: AtomicU32,
}

struct State {
    chance: Chance,
    sent: Vec<Sent>,
    late: Vec<(u64, Request<Bytes>)>,
}

impl std::fmt::Debug for SimulatedWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimulatedWire")
    }
}

impl SimulatedWire {
    /// A network with this chance of trouble until a time.
    #[must_use]
    pub fn new(sandbox: Arc<Sandbox>, time: Time, death: Death, chance: Chance, until_ms: u64, once: bool) -> Self {
        let state = Mutex::new(State { chance, sent: Vec::new(), late: Vec::new() });
        let (life, forgets) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { sandbox, time, death, state, calm_from_ms: until_ms, kick_offs_count: once, life, forgets }
    }

    /// The client's process is started once more.
    pub fn begin_life(&self, life: u32) {
        self.life.store(life, Ordering::Relaxed);
    }

    /// What left the client so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    /// How often the server forgot its jobs.
    #[must_use]
    pub fn forgets(&self) -> u32 {
        self.forgets.load(Ordering::Relaxed)
    }

    /// Delivers what is still on its way.
    pub async fn settle(&self) {
        self.time.pass(LATE_MS);
        self.deliver_late().await;
    }

    async fn deliver_late(&self) {
        let now = self.time.now_ms();
        let due: Vec<_> = {
            let mut state = self.lock();
            let (due, later) = std::mem::take(&mut state.late).into_iter().partition(|(at, _)| *at <= now);
            state.late = later;
            due
        };
        for (_, request) in due {
            drop(self.sandbox.exchange(request).await);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, request: &Request<Bytes>) -> Fate {
        let mut state = self.lock();
        let strikes = state.chance.strikes();
        let fate = state.chance.one_of(&FATES);
        match fate {
            _ if !strikes || self.time.now_ms() >= self.calm_from_ms => Fate::Fine,
            Fate::Twice if self.kick_offs_count && request.method() == http::Method::POST => Fate::LostAfter,
            fate => fate,
        }
    }

    fn note(&self, request: &Request<Bytes>, arrived: bool) -> usize {
        let header = request.headers().get(http::header::AUTHORIZATION);
        let sent = Sent {
            at_ms: self.time.now_ms(),
            method: request.method().to_string(),
            url: request.uri().to_string(),
            body: String::from_utf8_lossy(request.body()).into_owned(),
            authorization: header.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            arrived,
            status: None,
            whole: false,
            retry_after: Vec::new(),
            life: self.life.load(Ordering::Relaxed),
        };
        let mut state = self.lock();
        state.sent.push(sent);
        state.sent.len() - 1
    }

    fn note_answer(&self, at: usize, carried: &Carried) {
        let values = carried.head.headers.get_all(http::header::RETRY_AFTER);
        let mut state = self.lock();
        state.sent[at].status = Some(carried.head.status.as_u16());
        state.sent[at].whole = carried.broken.is_none();
        state.sent[at].retry_after =
            values.iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    }

    async fn convey(&self, request: Request<Bytes>) -> Result<Carried, NetError> {
        let latency = self.lock().chance.span(1, 400);
        self.time.pass(latency);
        self.deliver_late().await;
        let url: Url = request.uri().to_string().parse().expect("the host sends to URLs");
        let fail = |phase, kind| Err(NetError::new(phase, kind, &url, "simulated"));
        let closed = NetErrorKind::ConnectionClosed;
        match self.fate(&request) {
            Fate::Refused => fail(Phase::Connect, NetErrorKind::Refused),
            Fate::DiesBefore => self.death.forever().await,
            Fate::LostBefore => {
                self.note(&request, false);
                fail(Phase::Send, closed)
            }
            Fate::Late => {
                self.note(&request, true);
                let at = self.time.now_ms() + self.lock().chance.span(1, LATE_MS - 1);
                self.lock().late.push((at, request));
                fail(Phase::FirstByte, closed)
            }
            fate => {
                match fate {
                    Fate::Restarts => self.sandbox.restart(Restart::KeepsJobs),
                    Fate::Forgets => {
                        self.forgets.fetch_add(1, Ordering::Relaxed);
                        self.sandbox.restart(Restart::LosesJobs);
                    }
                    _ => {}
                }
                let at = self.note(&request, true);
                let carried = self.answered(fate, request, &url).await?;
                self.note_answer(at, &carried);
                Ok(carried)
            }
        }
    }

    async fn answered(&self, fate: Fate, request: Request<Bytes>, url: &Url) -> Result<Carried, NetError> {
        if let Fate::Twice = fate {
            drop(self.sandbox.exchange(request.clone()).await);
        }
        let outcome = self.sandbox.exchange(request).await;
        let error = |phase, kind| NetError::new(phase, kind, url, "simulated");
        if let Fate::DiesAfter = fate {
            return self.death.forever().await;
        }
        let (answer, delay_ms, broken) = match outcome {
            Outcome::HungUp => return Err(error(Phase::FirstByte, NetErrorKind::ConnectionClosed)),
            Outcome::Answered { answer, delay_ms } => (answer, delay_ms, false),
            Outcome::Cut { answer, delay_ms } => (answer, delay_ms, true),
        };
        let delay_ms = if let Fate::Slow = fate { LIMIT_MS } else { delay_ms };
        self.time.pass(delay_ms.min(LIMIT_MS));
        if delay_ms >= LIMIT_MS {
            return Err(error(Phase::FirstByte, NetErrorKind::Timeout));
        }
        if let Fate::LostAfter = fate {
            return Err(error(Phase::FirstByte, NetErrorKind::ConnectionClosed));
        }
        let (head, mut body) = answer.into_parts();
        let cut = matches!(fate, Fate::Cut) && !body.is_empty();
        if cut {
            let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
            body.truncate(self.lock().chance.pick(length) as usize);
        }
        let broken = (cut || broken).then(|| error(Phase::Body, NetErrorKind::ConnectionClosed));
        Ok(Carried { head, body, broken })
    }
}

impl Wire for SimulatedWire {
    fn carry(&self, request: Request<Bytes>, _: Permission) -> Carrying<'_> {
        Box::pin(self.convey(request))
    }
}
