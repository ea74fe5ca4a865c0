//! One cell: an import that dies once, is gone on with, and ends.

use fhir_import::contract::{DialectChoice, Outcome, Report};
use fhir_import_sandbox::{Endpoint, Personality, Sandbox};

use super::dying::{Changes, Op};
use super::manners::errors;
use super::stage::{Stage, choice};
use super::{Moment, Point};
use crate::harness::disk::Death;

/// What came of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Came {
    /// Kick-offs that reached the server.
    pub(super) kick_offs: usize,
    /// Jobs that were really started.
    pub(super) jobs: usize,
    /// Questions to a person.
    pub(super) asked: u32,
}

/// Runs a cell.
pub(super) async fn run_cell(moment: Moment, calm: &Calm, death: Death) -> Came {
    let server = calm.server;
    let stage = Stage::new(server, calm.dialect.clone());
    stage.dying(moment, calm.changes.clone(), death).await;
    let (asked, report) = stage.rest(moment, death).await;
    assert_eq!((stage.sandbox.stored(), stage.sandbox.deletes()), (2, 0), "{moment:?}, {server}, {death:?}");
    let errors = errors(server, moment.point, death, &calm.report.errors);
    let whole = Report { errors, ..calm.report.clone() };
    assert_eq!(told(&report), told(&whole), "{moment:?}, {server}, {death:?}: {report:?}");
    Came { kick_offs: stage.sandbox.kick_offs(), jobs: stage.sandbox.jobs(), asked }
}

/// What the final word says of the import, without what a crash may cost: a poll, a look.
fn told(report: &Report) -> impl PartialEq + std::fmt::Debug {
    assert_ne!(report.outcome, Outcome::Succeeded, "one is rejected: {report:?}");
    assert_eq!(report.missing, ["Patient/p2"], "{report:?}");
    let counts = (report.outcome, report.imported, report.rejected, report.verdict);
    (counts, report.sentence.clone(), report.types.clone(), report.errors.clone())
}

/// An import to a server that nothing happened to.
pub(super) struct Calm {
    server: Personality,
    dialect: DialectChoice,
    stage: Stage,
    changes: Changes,
    report: Report,
}

impl Calm {
    /// By the dialect of the server's name.
    pub(super) async fn of(server: Personality) -> Self {
        Self::of_dialect(server, choice(server)).await
    }

    /// By another dialect.
    pub(super) async fn of_dialect(server: Personality, dialect: DialectChoice) -> Self {
        let stage = Stage::new(server, dialect.clone());
        let (changes, report) = stage.calm().await;
        Self { server, dialect, stage, changes, report }
    }

    /// The server.
    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.stage.sandbox
    }

    /// Whether the import came past a point.
    pub(super) fn passes(&self, point: Point) -> bool {
        let stored = |op| self.changes.contains_key(&op);
        let asked = |endpoint| self.sandbox().log().iter().any(|seen| seen.endpoint == Some(endpoint));
        match point {
            Point::K0 | Point::K1 => stored(Op::Create),
            Point::K2 => stored(Op::Intend(1)),
            Point::K3 | Point::K4 | Point::K5 => asked(Endpoint::KickOff),
            Point::K6 | Point::K7 => stored(Op::Accepted(1)),
            Point::K8 => stored(Op::Ended),
            Point::K9 => asked(Endpoint::ErrorFile),
            Point::K10 => asked(Endpoint::Read) || asked(Endpoint::Search),
            Point::K11 | Point::K12 | Point::K13 => stored(Op::Done),
        }
    }

    /// Sends the kick-off of this import once more, as nobody should.
    pub(super) async fn kick_off_again(&self) {
        self.stage.kick_off_again().await;
    }
}
