//! A journal and a network that die at a point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fhir_import::journal::{
    Holder, ImportId, ImportSummary, Intent, Journal, Lease, NewImport, NextKind, Result, SqliteJournal, StoredImport,
    StoredTransition,
};
use fhir_import::net::{Carried, Carrying, NetError, NetErrorKind, Permission, Phase, Wire};
use fhir_import_sandbox::{Outcome, Sandbox};
use fhir_import_simulation::Death as Dies;
use http::Request;

use super::Point;
use crate::harness::disk::Disk;

/// Where an operation of the journal dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Create,
    Intend,
    /// The append of what this event belongs to.
    Accepted,
    Ended,
    Done,
}

/// How many changes of the disk each operation makes, from a life that nothing happened to.
pub(super) type Changes = BTreeMap<Op, u64>;

/// The real journal, and the point at which it dies.
pub(super) struct DyingJournal<'a> {
    pub(super) journal: SqliteJournal,
    pub(super) disk: &'a Disk,
    pub(super) point: Option<Point>,
    pub(super) dies: Dies,
    pub(super) changes: Mutex<Changes>,
}

impl DyingJournal<'_> {
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
            let changes = op.and_then(|op| self.changes.lock().unwrap().get(&op).copied());
            self.disk.halt_at(changes.expect("a life without a crash came first"));
        }
        let before = self.disk.changes();
        let done = act();
        if let Some(op) = op.filter(|_| done.is_ok()) {
            self.changes.lock().unwrap().insert(op, self.disk.changes() - before);
        }
        if op.is_some() && (op == inside || op == after) {
            self.disk.halt();
            self.dies.comes();
        }
        done
    }
}

fn appended(transition: &StoredTransition) -> Option<Op> {
    let told = |kind: &str| transition.events.iter().any(|event| event.kind == kind);
    match transition.next_kind {
        NextKind::Done => Some(Op::Done),
        _ if told("kick-off-accepted") => Some(Op::Accepted),
        _ if told("status-complete") || told("status-failed") => Some(Op::Ended),
        _ => None,
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
        self.op(appended(transition), || self.journal.append(lease, expected, transition))
    }

    fn intend(&self, lease: &Lease, generation: u64, at_ms: u64) -> Result<Intent> {
        self.op(Some(Op::Intend), || self.journal.intend(lease, generation, at_ms))
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
        let (kick_off, url) = (request.method() == http::Method::POST, request.uri().to_string());
        let (reads_errors, reads_back) =
            (url.contains("/errors-"), url.contains("/Patient/") || url.contains("/Patient?_id="));
        match self.point {
            Some(Point::K3 | Point::K4) if kick_off => return self.dies.forever().await,
            Some(Point::K9) if reads_errors => return self.dies.forever().await,
            Some(Point::K10) if reads_back => return self.dies.forever().await,
            _ => {}
        }
        let outcome = self.sandbox.exchange(request).await;
        if kick_off && self.point == Some(Point::K5) {
            return self.dies.forever().await;
        }
        match outcome {
            Outcome::Answered { answer, .. } | Outcome::Cut { answer, .. } => {
                let (head, body) = answer.into_parts();
                Ok(Carried { head, body, broken: None })
            }
            Outcome::HungUp => {
                let url = url.parse().unwrap();
                Err(NetError::new(Phase::FirstByte, NetErrorKind::ConnectionClosed, &url, "hung up"))
            }
        }
    }
}

impl Wire for DyingWire {
    fn carry(&self, request: Request<Bytes>, _: Permission) -> Carrying<'_> {
        Box::pin(self.convey(request))
    }
}
