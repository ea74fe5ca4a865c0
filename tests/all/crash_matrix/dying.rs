//! A journal and a network that die at a point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fhir_import::journal::{
    Holder, ImportId, ImportSummary, Intent, Journal, Lease, NewImport, NextKind, Result, SqliteJournal, StoredEvent,
    StoredImport, StoredTransition,
};
use fhir_import::net::{Carried, Carrying, NetError, NetErrorKind, Permission, Phase, Wire};
use fhir_import_sandbox::{Endpoint, Outcome, Sandbox};
use fhir_import_simulation::Death as Dies;
use http::Request;
use url::Url;

use super::{Moment, Point};
use crate::harness::disk::Disk;

/// Where an operation of the journal dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Create,
    /// Before this kick-off, counted from 1.
    Intend(u32),
    /// The append after that intent: what the answer to the kick-off said.
    Accepted(u32),
    /// The append of what says that the job ended.
    Ended,
    Done,
}

/// How many changes of the disk each operation makes, from a life that nothing happened to.
pub(super) type Changes = BTreeMap<Op, u64>;

impl Moment {
    /// The operation that is cut off.
    fn inside(self) -> Option<Op> {
        match self.point {
            Point::K0 => Some(Op::Create),
            Point::K2 => Some(Op::Intend(self.kick_off)),
            Point::K6 => Some(Op::Accepted(self.kick_off)),
            Point::K8 => Some(Op::Ended),
            Point::K11 => Some(Op::Done),
            _ => None,
        }
    }

    /// The operation that is the last.
    fn after(self) -> Option<Op> {
        match self.point {
            Point::K1 => Some(Op::Create),
            Point::K7 => Some(Op::Accepted(self.kick_off)),
            Point::K12 => Some(Op::Done),
            _ => None,
        }
    }
}

/// The real journal, and the moment at which it dies.
pub(super) struct DyingJournal<'a> {
    journal: SqliteJournal,
    disk: &'a Disk,
    moment: Option<Moment>,
    dies: Dies,
    state: Mutex<State>,
}

struct State {
    changes: Changes,
    /// Kick-offs so far.
    intents: u32,
    /// The latest of them, unless what came of it is stored.
    open: Option<u32>,
}

impl<'a> DyingJournal<'a> {
    /// One that dies at the moment, if at any, given the changes that a life without a crash made.
    pub(super) fn new(
        journal: SqliteJournal,
        disk: &'a Disk,
        moment: Option<Moment>,
        dies: Dies,
        changes: Changes,
    ) -> Self {
        Self { journal, disk, moment, dies, state: Mutex::new(State { changes, intents: 0, open: None }) }
    }

    /// What was done to the disk.
    pub(super) fn changes(&self) -> Changes {
        self.state.lock().unwrap().changes.clone()
    }

    fn appended(&self, transition: &StoredTransition) -> Option<Op> {
        let ended = |event: &StoredEvent| matches!(event.kind.as_str(), "status-complete" | "status-failed");
        match (transition.next_kind, self.state.lock().unwrap().open.take()) {
            (NextKind::Done, _) => Some(Op::Done),
            (_, Some(kick_off)) => Some(Op::Accepted(kick_off)),
            (_, None) => transition.events.iter().any(ended).then_some(Op::Ended),
        }
    }

    fn op<T>(&self, op: Option<Op>, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let inside = self.moment.and_then(Moment::inside);
        let after = self.moment.and_then(Moment::after);
        if op.is_some() && op == inside {
            // All but the last change, which is the sync that makes it durable.
            let changes = op.and_then(|op| self.state.lock().unwrap().changes.get(&op).copied());
            self.disk.halt_at(changes.expect("a life without a crash came first"));
        }
        let before = self.disk.changes();
        let done = act();
        if let Some(op) = op.filter(|_| done.is_ok()) {
            self.state.lock().unwrap().changes.entry(op).or_insert(self.disk.changes() - before);
        }
        if op.is_some() && (op == inside || op == after) {
            self.disk.halt();
            self.dies.comes();
        }
        done
    }
}

impl Journal for DyingJournal<'_> {
    fn create(&self, import: &NewImport) -> Result<()> {
        self.op(Some(Op::Create), || self.journal.create(import))
    }

    fn load(&self, id: &ImportId) -> Result<StoredImport> {
        self.op(None, || self.journal.load(id))
    }

    fn list(&self) -> Result<Vec<ImportSummary>> {
        self.op(None, || self.journal.list())
    }

    fn history(&self, id: &ImportId) -> Result<Vec<StoredTransition>> {
        self.op(None, || self.journal.history(id))
    }

    fn lease(&self, id: &ImportId, holder: &Holder) -> Result<Lease> {
        self.op(None, || self.journal.lease(id, holder))
    }

    fn append(&self, lease: &Lease, expected: u64, transition: &StoredTransition) -> Result<u64> {
        self.op(self.appended(transition), || self.journal.append(lease, expected, transition))
    }

    fn intend(&self, lease: &Lease, generation: u64, at_ms: u64) -> Result<Intent> {
        let kick_off = self.state.lock().unwrap().intents + 1;
        let intent = self.op(Some(Op::Intend(kick_off)), || self.journal.intend(lease, generation, at_ms))?;
        let mut state = self.state.lock().unwrap();
        (state.intents, state.open) = (kick_off, Some(kick_off));
        Ok(intent)
    }

    fn append_host(&self, lease: &Lease, host: &str) -> Result<()> {
        self.op(None, || self.journal.append_host(lease, host))
    }
}

/// The way to the practice server, and the moment at which the client dies on it.
pub(super) struct DyingWire {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) moment: Option<Moment>,
    pub(super) dies: Dies,
}

impl std::fmt::Debug for DyingWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DyingWire({:?})", self.moment)
    }
}

impl DyingWire {
    async fn convey(&self, request: Request<Bytes>) -> std::result::Result<Carried, NetError> {
        let kick_off = is_kick_off(&request);
        let arrived = u32::try_from(self.sandbox.kick_offs()).unwrap();
        let point = self.moment.filter(|moment| !kick_off || moment.kick_off == arrived + 1).map(|moment| moment.point);
        if kick_off && matches!(point, Some(Point::K3 | Point::K4)) {
            return self.dies.forever().await;
        }
        let url: Url = request.uri().to_string().parse().unwrap();
        let outcome = self.sandbox.exchange(request).await;
        let taken_for = self.sandbox.log().pop().and_then(|seen| seen.endpoint);
        assert_eq!(kick_off, taken_for == Some(Endpoint::KickOff), "{taken_for:?}");
        match (point, taken_for) {
            (Some(Point::K5), Some(Endpoint::KickOff))
            | (Some(Point::K9), Some(Endpoint::ErrorFile))
            | (Some(Point::K10), Some(Endpoint::Read | Endpoint::Search)) => return self.dies.forever().await,
            _ => {}
        }
        match outcome {
            Outcome::Answered { answer, .. } | Outcome::Cut { answer, .. } => {
                let (head, body) = answer.into_parts();
                Ok(Carried { head, body, broken: None })
            }
            Outcome::HungUp => Err(NetError::new(Phase::FirstByte, NetErrorKind::ConnectionClosed, &url, "hung up")),
        }
    }
}

/// Whether a request on its way is a kick-off. The server says the same of it when it arrives.
fn is_kick_off(request: &Request<Bytes>) -> bool {
    let ends =
        |text: &str| ["$import", "$bulk-submit", ":import", "StartFHIRImportJob"].iter().any(|end| text.ends_with(end));
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    request.method() == http::Method::POST && ends(target.unwrap_or(request.uri().path()))
}

impl Wire for DyingWire {
    fn carry(&self, request: Request<Bytes>, _: Permission) -> Carrying<'_> {
        Box::pin(self.convey(request))
    }
}
