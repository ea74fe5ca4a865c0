//! One cell: an import that dies once, is gone on with, and ends.

use std::sync::{Arc, Mutex};

use fhir_import::contract::{Decision, Input, Outcome, PauseReason, Policy, Purpose, Report, Request, Sample};
use fhir_import::journal::{Holder, ImportId, Journal, SameInputs, SqliteJournal};
use fhir_import::net::AllowList;
use fhir_import::secrets::Secrets;
use fhir_import::{
    Begin, Budgets, DriveError, End, Importer, Network, SharedClock, Stop, VirtualClock, begin, drive, not_before,
    resolve, stored_next,
};
use fhir_import_sandbox::{Clock, Config, Personality, Sandbox, Script, World};
use fhir_import_simulation::{Death as Dies, KINDS, Kind, Shelf, servers};
use serde_json::json;
use tempfile::TempDir;

use super::Point;
use super::dying::{Changes, DyingJournal, DyingWire};
use crate::harness::disk::{Death, Disk};
use crate::harness::rig::{START_MS, Seen, engine};

/// What came of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Came {
    /// Kick-offs that reached the server.
    pub(super) kick_offs: usize,
    /// Questions to a person.
    pub(super) asked: u32,
}

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n\
                        {\"resourceType\":\"Patient\",\"id\":\"p3\"}\n";

/// Runs a cell, after a life of the same import that nothing happened to.
pub(super) async fn run_cell(point: Point, server: Personality, death: Death) -> Came {
    let calm = Stage::new(server);
    let (changes, whole) = calm.calm().await;
    let stage = Stage::new(server);
    stage.dying(point, changes, death).await;
    let (asked, report) = stage.rest(point, death).await;
    assert_eq!(stage.sandbox.jobs(), 1, "{point:?}, {server}, {death:?}");
    assert_eq!(stage.sandbox.deletes(), 0);
    assert_eq!(told(&report), told(&whole), "{point:?}, {server}, {death:?}: {report:?}");
    Came { kick_offs: stage.sandbox.kick_offs(), asked }
}

/// What the final word says of the import, without what a crash may cost: a poll, a look.
fn told(report: &Report) -> impl PartialEq + std::fmt::Debug {
    assert!(matches!(report.outcome, Outcome::FinishedWithErrors | Outcome::Failed), "one is rejected: {report:?}");
    let counts = (report.outcome, report.imported, report.rejected);
    (
        counts,
        report.sentence.clone(),
        report.types.clone(),
        report.errors.clone(),
        report.verdict,
        report.missing.clone(),
    )
}

struct Stage {
    folder: TempDir,
    disk: Disk,
    clock: SharedClock,
    sandbox: Arc<Sandbox>,
    kind: Kind,
}

/// One virtual time for client and server.
struct ServerClock(SharedClock);

impl Clock for ServerClock {
    fn now(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH + std::time::Duration::from_millis(self.0.now_ms())
    }
}

impl Stage {
    fn new(server: Personality) -> Self {
        let kind = *KINDS.iter().find(|kind| kind.personality == server).unwrap();
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let disk = Disk::under(folder.path(), 7);
        let clock: SharedClock = Arc::new(VirtualClock::at(START_MS));
        let shelf = Shelf::default();
        shelf.put(&file(server), PATIENTS);
        let world = World { clock: Arc::new(ServerClock(clock.clone())), files: Arc::new(shelf), seed: Some(1) };
        let script: Script = serde_json::from_value(json!({ "reject_ids": ["p2"] })).unwrap();
        let config = Config { personality: server, port: 0, script };
        Self { folder, disk, clock, sandbox: Arc::new(Sandbox::in_process(config, world)), kind }
    }

    fn journal(&self, point: Option<Point>, dies: &Dies, changes: Changes) -> Option<DyingJournal<'_>> {
        let journal = SqliteJournal::open(self.folder.path()).ok()?;
        Some(DyingJournal { journal, disk: &self.disk, point, dies: dies.clone(), changes: Mutex::new(changes) })
    }

    /// A life to the end, and what it did to the disk.
    async fn calm(&self) -> (Changes, Report) {
        let dies = Dies::default();
        let journal = self.journal(None, &dies, Changes::new()).unwrap();
        match self.live(&journal, None, &dies).await.unwrap() {
            End::Done(report) => (journal.changes.lock().unwrap().clone(), *report),
            other => panic!("{other:?}"),
        }
    }

    /// The life that ends at the point.
    async fn dying(&self, point: Point, changes: Changes, death: Death) {
        let dies = Dies::default();
        let journal = self.journal(Some(point), &dies, changes).unwrap();
        let lived = dies.or(self.live(&journal, Some(point), &dies)).await;
        match (point, lived) {
            (Point::K13, Some(Ok(End::Done(_)))) => {
                self.disk.halt();
                assert!(journal.load(&id()).is_err(), "a dead disk tells nothing");
            }
            (_, lived) => assert!(lived.is_none(), "it was to die at {point:?}: {lived:?}"),
        }
        self.disk.halt();
        drop(journal);
        self.disk.crash(death);
    }

    /// Goes on, by a person's help where it is asked for, to the end.
    async fn rest(&self, point: Point, death: Death) -> (u32, Report) {
        let dies = Dies::default();
        let journal = self.journal(None, &dies, Changes::new()).unwrap_or_else(|| panic!("{point:?}, {death:?}"));
        let mut asked = 0;
        loop {
            match self.live(&journal, None, &dies).await.unwrap_or_else(|e| panic!("{point:?}, {death:?}: {e:?}")) {
                End::Done(report) => {
                    let stored = journal.load(&id()).unwrap();
                    let again = stored_next(&stored.latest).unwrap();
                    assert_eq!(again, fhir_import::contract::Next::Done((*report).clone()), "the same word again");
                    return (asked, *report);
                }
                End::Paused(pause) => {
                    assert_eq!(pause.reason, PauseReason::SubmitUnknown, "{point:?}, {death:?}: {pause:?}");
                    asked += 1;
                    self.decide(&journal).await;
                }
                other => panic!("{point:?}, {death:?}: {other:?}"),
            }
        }
    }

    /// A person looks at the server.
    async fn decide(&self, journal: &dyn Journal) {
        let decision = self.sandbox.job_urls().pop().map_or(Decision::Resubmit, Decision::Adopt);
        let lease = journal.lease(&id(), &Holder::this_process(self.clock.now_ms())).unwrap();
        resolve(&self.importer(None, &Dies::default(), 0), journal, &lease, &decision, &mut Seen::default())
            .await
            .unwrap();
    }

    async fn live(&self, journal: &dyn Journal, point: Option<Point>, dies: &Dies) -> Result<End, DriveError> {
        let stored = journal.load(&id()).ok();
        let latest_ms = stored.as_ref().map_or(0, |import| import.latest.at_ms);
        let importer = self.importer(point, dies, latest_ms);
        if stored.is_none() {
            begin(&importer, journal, self.begin(&self.request())).await?;
        }
        let lease = journal.lease(&id(), &Holder::this_process(self.clock.now_ms())).map_err(DriveError::Journal)?;
        let budget = Budgets::new(self.clock.clone()).of(&self.sandbox.base_url().parse().unwrap());
        drive(&importer, journal, &lease, &budget, &Stop::default(), &mut Seen::default()).await
    }

    fn importer(&self, point: Option<Point>, dies: &Dies, latest_ms: u64) -> Importer {
        let wire = DyingWire { sandbox: self.sandbox.clone(), point, dies: dies.clone() };
        let allow = AllowList::new(&self.sandbox.base_url().parse().unwrap()).unwrap();
        let network = Network::new(allow, Secrets::default(), Arc::new(wire));
        Importer::new(engine(), not_before(&self.clock, latest_ms), network)
    }

    fn begin<'a>(&self, request: &'a Request) -> Begin<'a> {
        Begin {
            request,
            key: None,
            inputs_digest: "digest".to_owned(),
            server: request.base_url.clone(),
            host: "{}".to_owned(),
            same_inputs: SameInputs::Refuse,
        }
    }

    fn request(&self) -> Request {
        let input = |kind: &str| Input {
            url: file(self.kind.personality),
            resource_type: kind.to_owned(),
            resources: Some(3),
            etag: None,
        };
        let sample = |id: &str| Sample { reference: format!("Patient/{id}"), fingerprint: String::new() };
        Request {
            id: id().to_string(),
            time_ms: self.clock.now_ms(),
            purpose: Purpose::Import,
            base_url: self.sandbox.base_url(),
            dialect: self.kind.dialect(),
            inputs: vec![input("Patient")],
            samples: ["p1", "p2", "p3"].map(sample).to_vec(),
            expected: Vec::new(),
            settings: servers::settings(self.kind.personality),
            documents_url: None,
            policy: Policy { poll_max_ms: 600_000, deadline_ms: 86_400_000, max_errors: 0 },
        }
    }
}

fn id() -> ImportId {
    ImportId::from_bytes([7; 16])
}

fn file(server: Personality) -> String {
    format!("{}Patient.ndjson", servers::folder(server))
}
