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

use super::Point;
use crate::harness::disk::Disk;

/// Where an operation of the journal dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Create,
    Intend,
    /// The append after an intent: what the answer to the kick-off said.
    Accepted,
    /// The append of what says that the job ended.
    Ended,
    Done,
}

/// How many changes of the disk each operation makes, from a life that nothing happened to.
pub(super) type Changes = BTreeMap<Op, u64>;

/// The real journal, and the point at which it dies.
pub(super) struct DyingJournal<'a> {
    journal: SqliteJournal,
    disk: &'a Disk,
    point: Option<Point>,
    dies: Dies,
    state: Mutex<State>,
}

struct State {
    changes: Changes,
    /// The intent of the latest kick-off, unless what came of it is stored.
    intended: Option<Intent>,
}

impl<'a> DyingJournal<'a> {
    /// One that dies at the point, if at any, given the changes that a life without a crash made.
    pub(super) fn new(
        journal: SqliteJournal,
        disk: &'a Disk,
        point: Option<Point>,
        dies: Dies,
        changes: Changes,
    ) -> Self {
        Self { journal, disk, point, dies, state: Mutex::new(State { changes, intended: None }) }
    }

    /// What was done to the disk.
    pub(super) fn changes(&self) -> Changes {
        self.state.lock().unwrap().changes.clone()
    }

    fn appended(&self, transition: &StoredTransition) -> Option<Op> {
        let ended = |event: &StoredEvent| matches!(event.kind.as_str(), "status-complete" | "status-failed");
        let answers = self.state.lock().unwrap().intended.take().is_some();
        match transition.next_kind {
            NextKind::Done => Some(Op::Done),
            _ if answers => Some(Op::Accepted),
            _ => transition.events.iter().any(ended).then_some(Op::Ended),
        }
    }

    fn op<T>(&self, op: Option<Op>, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let (inside, after) = match self.point {
            Some(Point::K0) => (Some(Op::Create), None),
            Some(Point::K1) => (None, Some(Op::Create)),
            Some(Point::K2) => (Some(Op::Intend), None),
            Some(Point::K6) => (Some(Op::Accepted), None),
            Some(Point::K7) => (None, Some(Op::Accepted)),
            Some(Point::K8) => (Some(Op::Ended), None),
            Some(Point::K11) => (Some(Op::Done), None),
            Some(Point::K12) => (None, Some(Op::Done)),
            _ => (None, None),
        };
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
        let intent = self.op(Some(Op::Intend), || self.journal.intend(lease, generation, at_ms))?;
        self.state.lock().unwrap().intended = Some(intent.clone());
        Ok(intent)
    }

    fn append_host(&self, lease: &Lease, host: &str) -> Result<()> {
        self.op(None, || self.journal.append_host(lease, host))
    }
}

/// The way to the practice server, and the point at which the client dies on it.
pub(super) struct DyingWire {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) point: Option<Point>,
    pub(super) dies: Dies,
}

impl std::fmt::Debug for DyingWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DyingWire({:?})", self.point)
    }
}

impl DyingWire {
    async fn convey(&self, request: Request<Bytes>) -> std::result::Result<Carried, NetError> {
        let kick_off = is_kick_off(&request);
        if kick_off && matches!(self.point, Some(Point::K3 | Point::K4)) {
            return self.dies.forever().await;
        }
        let url: Url = request.uri().to_string().parse().unwrap();
        let outcome = self.sandbox.exchange(request).await;
        let taken_for = self.sandbox.log().pop().and_then(|seen| seen.endpoint);
        assert_eq!(kick_off, taken_for == Some(Endpoint::KickOff), "{taken_for:?}");
        match (self.point, taken_for) {
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
