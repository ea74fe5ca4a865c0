//! An import in one process: the practice server, the component, a journal in memory, and a clock that never waits.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhir_import::contract::{Decision, DialectChoice, Event, ExpectedCount, Input, Policy, Purpose, Request, Sample};
use fhir_import::files::OpenInput;
use fhir_import::journal::{Holder, ImportId, Journal, Lease, MemoryJournal, SameInputs};
use fhir_import::net::{AllowList, NetError, Origin, PhaseLimits, Sender, TlsRoots};
use fhir_import::secrets::Secrets;
use fhir_import::{
    Begin, Budget, Budgets, DriveError, End, Engine, Importer, Network, SharedClock, Stop, Uploads, VirtualClock,
    Watch, begin, begin_started, drive, resolve,
};
use fhir_import_records::{CheckOptions, Checker};
use fhir_import_sandbox::{Config, Endpoint, Files, Personality, Sandbox, Script, World};
use fhir_import_simulation::{Shelf, servers};
use tempfile::TempDir;
use url::Url;

use crate::harness::files::FileHost;
use crate::harness::wire::ShortWire;

/// Compiled once for all tests.
pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new().expect("the components run on this machine")).clone()
}

/// A time at which every virtual clock starts: 2026-01-01T00:00:00Z.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// The practice server with an importer that may reach it.
pub(crate) struct Rig {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) importer: Importer,
    pub(crate) journal: MemoryJournal,
    pub(crate) clock: SharedClock,
    pub(crate) files: Offered,
    personality: Personality,
    /// Where files lie that are sent.
    folder: Option<TempDir>,
}

/// Where the practice server fetches files.
pub(crate) enum Offered {
    /// Over sockets.
    Served(FileHost),
    /// From here, by their names.
    Given(Arc<Shelf>),
}

impl Offered {
    /// Offers a file; its URL.
    fn add(&self, server: Personality, kind: &str, text: &str) -> String {
        match self {
            Self::Served(host) => host.add(kind, text),
            Self::Given(shelf) => {
                let url = format!("{}{kind}.ndjson", servers::folder(server));
                shelf.put(&url, text.to_owned());
                url
            }
        }
    }
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
        let (sandbox, files) = (Arc::new(sandbox), Offered::Served(FileHost::start()));
        Self { sandbox, importer, journal: MemoryJournal::new(), clock, files, personality, folder: None }
    }

    /// A request for files that are served to the practice server.
    pub(crate) fn request(&self, files: &[(&str, &str)]) -> Request {
        let mut checker = Checker::new(&CheckOptions { sample_size: 20, ..CheckOptions::default() });
        let mut inputs = Vec::new();
        for (kind, text) in files {
            checker.next_file(Some(kind));
            checker.feed(text.as_bytes());
            let (_, summary) = checker.end_file();
            let url = self.files.add(self.personality, kind, text);
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
            dialect: DialectChoice::Named(self.personality.name().to_owned()),
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
            settings: servers::settings(self.personality),
            documents_url: self.publishes(),
            policy: Policy { poll_max_ms: 600_000, deadline_ms: 3_600_000, max_errors: 0 },
        }
    }

    fn publishes(&self) -> Option<String> {
        matches!(self.files, Offered::Given(_)).then(|| servers::DOCUMENTS.to_owned())
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
        let Offered::Given(shelf) = &self.files else {
            return begin(&self.importer, &self.journal, new).await.unwrap();
        };
        let started = self.importer.start(request).await.unwrap();
        for document in &started.documents {
            shelf.put(&format!("{}/{}", servers::DOCUMENTS, document.name), document.content.clone());
        }
        begin_started(self.clock.as_ref(), &self.journal, new, started).unwrap()
    }

    /// Takes a file away, so that the practice server, which must be in this process, cannot fetch it.
    pub(crate) fn unshelve(&self, url: &str) {
        let Offered::Given(shelf) = &self.files else { panic!("the files are served") };
        shelf.remove(url);
    }

    /// Lets the files of a request be sent to the server, which must be in this process.
    pub(crate) fn may_send(&mut self, request: &Request) {
        let Offered::Given(shelf) = &self.files else { panic!("the files are served") };
        let folder = TempDir::new().unwrap();
        let place = |(index, input): (usize, &Input)| {
            let path = folder.path().join(format!("{index}.ndjson"));
            std::fs::write(&path, shelf.read(&input.url).unwrap()).unwrap();
            Some(Arc::new(OpenInput::open(&path).unwrap()))
        };
        let files = request.inputs.iter().enumerate().map(place).collect();
        let mut network = network(&self.sandbox, self.personality);
        network.uploads = Uploads::new(Origin::of(&self.sandbox.base_url().parse().unwrap()).unwrap(), files);
        self.importer = Importer::new(engine(), self.clock.clone(), network);
        self.folder = Some(folder);
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

/// The way to a server in this process, and what it wants to be sent with.
fn network(sandbox: &Arc<Sandbox>, personality: Personality) -> Network {
    let base: Url = sandbox.base_url().parse().unwrap();
    let mut secrets = Secrets::default();
    if let Some(credential) = servers::credential(personality) {
        secrets.authorize(Origin::of(&base).unwrap(), &credential).unwrap();
    }
    Network::new(AllowList::new(&base).unwrap(), secrets, Arc::new(ShortWire(sandbox.clone())))
}

/// With one clock, what the server saw has times that can be compared with what was waited.
impl Rig {
    /// Server and importer are in one process, and go by the same virtual clock.
    pub(crate) async fn of_one_clock(personality: Personality, script: Script) -> Self {
        let clock: SharedClock = Arc::new(VirtualClock::at(START_MS));
        let shelf = Arc::new(Shelf::default());
        let world = World { clock: Arc::new(ServerTime(clock.clone())), files: shelf.clone(), seed: Some(1) };
        let sandbox = Arc::new(Sandbox::in_process(Config { personality, port: 0, script }, world));
        let importer = Importer::new(engine(), clock.clone(), network(&sandbox, personality));
        let files = Offered::Given(shelf);
        Self { sandbox, importer, journal: MemoryJournal::new(), clock, files, personality, folder: None }
    }

    /// As [`Rig::request`], also for the personalities whose dialect is a file of the tests.
    pub(crate) async fn request_by_file(&self, files: &[(&str, &str)]) -> Request {
        let mut request = self.request(files);
        let path = crate::harness::person::dialect_file(self.personality.name());
        if let Ok(text) = std::fs::read_to_string(path) {
            let builtin = fhir_import::dialects(&engine(), &self.clock).await.unwrap();
            let file = fhir_import::read_dialect(self.personality.name(), &text, &builtin, &|_| {
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
