//! An import in one process: the practice server, the component, a journal in memory, and a clock that never waits.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhir_import::contract::{Decision, DialectChoice, Event, ExpectedCount, Input, Policy, Purpose, Request, Sample};
use fhir_import::journal::{Holder, ImportId, Journal, Lease, MemoryJournal, SameInputs};
use fhir_import::net::{AllowList, NetError, PhaseLimits, Sender, TlsRoots};
use fhir_import::secrets::Secrets;
use fhir_import::{
    Begin, Budget, Budgets, DriveError, End, Engine, Importer, Network, SharedClock, Stop, VirtualClock, Watch, begin,
    drive, resolve,
};
use fhir_import_records::{CheckOptions, Checker};
use fhir_import_sandbox::{Config, Endpoint, Personality, Sandbox, Script};
use url::Url;

use crate::harness::files::FileHost;

/// Compiled once for all tests.
pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new().expect("the components run on this machine")).clone()
}

/// A time at which every virtual clock starts: 2026-01-01T00:00:00Z.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// The practice server with an importer that may reach it.
pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) importer: Importer,
    pub(crate) journal: MemoryJournal,
    pub(crate) clock: SharedClock,
    pub(crate) files: FileHost,
    dialect: &'static str,
}

/// What was seen of a drive.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<Event>,
    pub(crate) failures: Vec<NetError>,
}

impl Watch for Seen {
    fn happened(&mut self, event: &Event) {
        self.events.push(event.clone());
    }

    fn failed(&mut self, error: &NetError) {
        self.failures.push(error.clone());
    }
}

struct StopWhenAccepted(Stop);

impl Watch for StopWhenAccepted {
    fn happened(&mut self, event: &Event) {
        if event.kind == "kick-off-accepted" {
            self.0.request();
        }
    }
}

impl Seen {
    pub(crate) fn has(&self, kind: &str) -> bool {
        self.events.iter().any(|event| event.kind == kind)
    }
}

impl Rig {
    pub(crate) async fn new(personality: Personality, script: Script) -> Self {
        let sandbox = Sandbox::start(Config { personality, port: 0, script }).await.unwrap();
        let base: Url = sandbox.base_url().parse().unwrap();
        let clock: SharedClock = Arc::new(VirtualClock::at(START_MS));
        let network = Network::new(
            AllowList::new(&base).unwrap(),
            Secrets::default(),
            Arc::new(Sender::new(&TlsRoots::default(), PhaseLimits::default()).unwrap()),
        );
        let importer = Importer::new(engine(), clock.clone(), network);
        Self {
            sandbox,
            importer,
            journal: MemoryJournal::new(),
            clock,
            files: FileHost::start(),
            dialect: personality.name(),
        }
    }

    /// A request for files that are served to the practice server.
    pub(crate) fn request(&self, files: &[(&str, &str)]) -> Request {
        let mut checker = Checker::new(&CheckOptions { sample_size: 20, ..CheckOptions::default() });
        let mut inputs = Vec::new();
        for (kind, text) in files {
            checker.next_file(Some(kind));
            checker.feed(text.as_bytes());
            let (_, summary) = checker.end_file();
            let url = self.files.add(kind, text);
            let resources = Some(summary.resources);
            inputs.push(Input { url, resource_type: (*kind).to_owned(), resources, etag: None });
        }
        let summary = checker.finish();
        let samples = summary.samples.into_iter();
        Request {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            time_ms: START_MS,
            purpose: Purpose::Import,
            base_url: self.sandbox.base_url(),
            dialect: DialectChoice::Named(self.dialect.to_owned()),
            inputs,
            samples: samples.map(|s| Sample { reference: s.reference, fingerprint: s.fingerprint }).collect(),
            expected: summary
                .by_type
                .into_iter()
                .map(|(resource_type, t)| ExpectedCount {
                    resource_type,
                    resources: t.resources,
                    distinct_ids: t.distinct_ids,
                })
                .collect(),
            settings: Vec::new(),
            documents_url: None,
            policy: Policy { poll_max_ms: 600_000, deadline_ms: 3_600_000, max_errors: 0 },
        }
    }

    /// Stores a request.
    pub(crate) async fn begin(&self, request: &Request) -> ImportId {
        let new = Begin {
            request,
            key: None,
            inputs_digest: "digest".to_owned(),
            server: request.base_url.clone(),
            host: "{}".to_owned(),
            same_inputs: SameInputs::Allow,
        };
        begin(&self.importer, &self.journal, new).await.unwrap()
    }

    /// Drives an import as far as it goes.
    pub(crate) async fn drive(&self, id: &ImportId) -> (End, Seen) {
        let mut seen = Seen::default();
        let end = drive(&self.importer, &self.journal, &self.lease(id), &self.budget(), &Stop::default(), &mut seen)
            .await
            .unwrap();
        (end, seen)
    }

    /// A full budget of retries.
    pub(crate) fn budget(&self) -> Budget {
        Budgets::new(self.clock.clone()).of(&self.sandbox.base_url().parse().unwrap())
    }

    /// The right to drive an import.
    pub(crate) fn lease(&self, id: &ImportId) -> Lease {
        self.journal.lease(id, &Holder::this_process(self.clock.now_ms())).unwrap()
    }

    /// Begins, and drives until a job is accepted.
    pub(crate) async fn begin_running(&self, files: &[(&str, &str)]) -> ImportId {
        let id = self.begin(&self.request(files)).await;
        let stop = Stop::default();
        let mut watch = StopWhenAccepted(stop.clone());
        let end =
            drive(&self.importer, &self.journal, &self.lease(&id), &self.budget(), &stop, &mut watch).await.unwrap();
        assert_eq!(end, End::Detached);
        id
    }

    /// Takes a person's decision.
    pub(crate) async fn resolve(&self, id: &ImportId, decision: &Decision) -> Result<Seen, DriveError> {
        let mut seen = Seen::default();
        resolve(&self.importer, &self.journal, &self.lease(id), decision, &mut seen).await?;
        Ok(seen)
    }

    /// The status URL of the practice server's only job, as a person would read it off the server.
    pub(crate) fn job_url(&self) -> String {
        self.sandbox.job_urls().pop().expect("there is a job")
    }

    /// Begins and drives.
    pub(crate) async fn run(&self, files: &[(&str, &str)]) -> (End, Seen) {
        let id = self.begin(&self.request(files)).await;
        self.drive(&id).await
    }
}

/// The sample data.
pub(crate) fn synthea() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data/synthea-12")
}

/// The importer's clock, as the practice server's.
struct ServerTime(SharedClock);

impl fhir_import_sandbox::Clock for ServerTime {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.now_ms())
    }
}

/// With one clock, what the server saw has times that can be compared with what was waited.
impl Rig {
    /// Server and importer go by the same virtual clock.
    pub(crate) async fn of_one_clock(personality: Personality, script: Script) -> Self {
        let mut rig = Self::new(personality, Script::default()).await;
        let time = Arc::new(ServerTime(rig.clock.clone()));
        rig.sandbox = Sandbox::start_by(Config { personality, port: 0, script }, time).await.unwrap();
        let base: Url = rig.sandbox.base_url().parse().unwrap();
        let network = Network::new(
            AllowList::new(&base).unwrap(),
            Secrets::default(),
            Arc::new(Sender::new(&TlsRoots::default(), PhaseLimits::default()).unwrap()),
        );
        rig.importer = Importer::new(engine(), rig.clock.clone(), network);
        rig
    }

    /// As [`Rig::request`], also for the personalities whose dialect is a file of the tests.
    pub(crate) async fn request_by_file(&self, files: &[(&str, &str)]) -> Request {
        let mut request = self.request(files);
        let path = crate::harness::person::dialect_file(self.dialect);
        if let Ok(text) = std::fs::read_to_string(path) {
            let builtin = fhir_import::dialects(&engine(), &self.clock).await.unwrap();
            let file = fhir_import::read_dialect(self.dialect, &text, &builtin, &|_| {
                unreachable!("they extend built-in ones")
            })
            .unwrap();
            request.dialect = DialectChoice::Defined(file.definition);
        }
        request
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, ms: u64) {
        self.clock.sleep_until(self.clock.now_ms() + ms).await;
    }

    /// How long the server had peace between two polls, in milliseconds.
    pub(crate) fn poll_gaps(&self) -> Vec<u64> {
        let log = self.sandbox.log();
        let polls: Vec<u64> =
            log.iter().filter(|seen| seen.endpoint == Some(Endpoint::Poll)).map(|seen| seen.at_ms).collect();
        polls.windows(2).map(|two| two[1] - two[0]).collect()
    }
}

impl Rig {
    /// Begins with a request, and drives until a job is accepted, or nothing goes on.
    pub(crate) async fn begin_of(&self, request: &Request) -> ImportId {
        let id = self.begin(request).await;
        let stop = Stop::default();
        let mut watch = StopWhenAccepted(stop.clone());
        drive(&self.importer, &self.journal, &self.lease(&id), &self.budget(), &stop, &mut watch).await.unwrap();
        id
    }
}
