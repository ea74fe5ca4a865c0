//! A practice server, a disk, a clock, and the lives of a client between them.

use std::sync::Arc;

use fhir_import::contract::{
    Decision, DialectChoice, Document, ExpectedCount, Input, PauseReason, Policy, Purpose, Report, Request, Sample,
};
use fhir_import::files::OpenInput;
use fhir_import::journal::{Holder, ImportId, Journal, SameInputs, SqliteJournal};
use fhir_import::net::{AllowList, Origin};
use fhir_import::secrets::Secrets;
use fhir_import::{
    Begin, Budgets, DriveError, End, Importer, Network, SharedClock, Stop, Uploads, VirtualClock, begin_started, drive,
    not_before, resolve, stored_next,
};
use fhir_import_sandbox::{Clock, Config, Endpoint, Personality, Sandbox, Script, World};
use fhir_import_simulation::{Death as Dies, KINDS, Kind, Shelf, servers};
use fhir_import_workflow::Dialect;
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use super::dying::{Changes, DyingJournal, DyingWire};
use super::{Moment, Point};
use crate::harness::disk::{Death, Disk};
use crate::harness::rig::{START_MS, Seen, engine};

/// Two files, which are one kick-off with all but sazare.
const FILES: [(&str, &str); 2] = [
    ("1.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n"),
    ("2.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"p3\"}\n"),
];

/// What an operator says of a server's dialect: its name, or for one of the tests the file.
pub(super) fn choice(server: Personality) -> DialectChoice {
    let tests_own = || KINDS.iter().find(|kind| kind.personality == server).map(Kind::dialect).unwrap();
    let is_built_in = Personality::ALL.contains(&server);
    if is_built_in { DialectChoice::Named(server.name().to_owned()) } else { tests_own() }
}

/// The dialect of a server, as JSON.
pub(super) fn text(server: Personality) -> String {
    let named = |text: &String| Dialect::from_json(text).unwrap().name == server.name();
    match choice(server) {
        DialectChoice::Defined(text) => text,
        _ => fhir_import_dialects::texts().into_iter().find(named).unwrap(),
    }
}

/// The dialect of a server.
pub(super) fn dialect(server: Personality) -> Dialect {
    Dialect::from_json(&text(server)).unwrap()
}

/// Where a client can live and die.
pub(super) struct Stage {
    pub(super) sandbox: Arc<Sandbox>,
    server: Personality,
    dialect: DialectChoice,
    folder: TempDir,
    disk: Disk,
    clock: SharedClock,
    shelf: Arc<Shelf>,
}

/// One virtual time for client and server.
struct ServerClock(SharedClock);

impl Clock for ServerClock {
    fn now(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH + std::time::Duration::from_millis(self.0.now_ms())
    }
}

/// Documents are published by the process that imports, and die with it.
struct Published<'a> {
    shelf: &'a Shelf,
    urls: Vec<String>,
}

impl<'a> Published<'a> {
    /// Publishes what was noted before the import was stored.
    fn by(shelf: &'a Shelf, noted: &str) -> Self {
        let documents: Vec<Document> = serde_json::from_str(noted).unwrap();
        let publish = |document: Document| {
            let url = format!("{}/{}", servers::DOCUMENTS, document.name);
            shelf.put(&url, document.content);
            url
        };
        Self { shelf, urls: documents.into_iter().map(publish).collect() }
    }
}

impl Drop for Published<'_> {
    fn drop(&mut self) {
        self.urls.iter().for_each(|url| self.shelf.remove(url));
    }
}

impl Stage {
    /// A server that rejects one of three resources, and a client that is told this dialect.
    pub(super) fn new(server: Personality, dialect: DialectChoice) -> Self {
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let disk = Disk::under(&folder.path().join("state"), 7);
        let clock: SharedClock = Arc::new(VirtualClock::at(START_MS));
        let shelf = Arc::new(Shelf::default());
        for (name, text) in FILES {
            std::fs::write(folder.path().join(name), text).unwrap();
            shelf.put(&format!("{}{name}", servers::folder(server)), text);
        }
        let world = World { clock: Arc::new(ServerClock(clock.clone())), files: shelf.clone(), seed: Some(1) };
        let script = json!({ "reject_ids": ["p2"], "error_store_bearer": "" });
        let script: Script = serde_json::from_value(script).unwrap();
        let sandbox = Arc::new(Sandbox::in_process(Config { personality: server, port: 0, script }, world));
        Self { sandbox, server, dialect, folder, disk, clock, shelf }
    }

    fn journal(&self, moment: Option<Moment>, dies: &Dies, changes: Changes) -> Option<DyingJournal<'_>> {
        let journal = SqliteJournal::open(&self.folder.path().join("state")).ok()?;
        Some(DyingJournal::new(journal, &self.disk, moment, dies.clone(), changes))
    }

    /// A life to the end, and what it did to the disk.
    pub(super) async fn calm(&self) -> (Changes, Report) {
        let dies = Dies::default();
        let journal = self.journal(None, &dies, Changes::new()).unwrap();
        match self.live(&journal, None, &dies).await.unwrap() {
            End::Done(report) => (journal.changes(), *report),
            other => panic!("{}: {other:?}", self.server),
        }
    }

    /// The life that ends at the point.
    pub(super) async fn dying(&self, moment: Moment, changes: Changes, death: Death) {
        let dies = Dies::default();
        let journal = self.journal(Some(moment), &dies, changes).unwrap();
        let lived = dies.or(self.live(&journal, Some(moment), &dies)).await;
        match (moment.point, lived) {
            (Point::K13, Some(Ok(End::Done(_)))) => {
                self.disk.halt();
                assert!(journal.load(&id()).is_err(), "a dead disk tells nothing");
            }
            (_, lived) => assert!(lived.is_none(), "{}: it was to die at {moment:?}: {lived:?}", self.server),
        }
        self.disk.halt();
        drop(journal);
        self.disk.crash(death);
    }

    /// Goes on, by a person's help where it is asked for, to the end.
    pub(super) async fn rest(&self, moment: Moment, death: Death) -> (u32, Report) {
        let cell = format!("{}, {moment:?}, {death:?}", self.server);
        let dies = Dies::default();
        let journal = self.journal(None, &dies, Changes::new()).unwrap_or_else(|| panic!("{cell}"));
        let mut asked = 0;
        loop {
            match self.live(&journal, None, &dies).await.unwrap_or_else(|e| panic!("{cell}: {e:?}")) {
                End::Done(report) => {
                    let stored = journal.load(&id()).unwrap();
                    let again = stored_next(&stored.latest).unwrap();
                    assert_eq!(again, fhir_import::contract::Next::Done((*report).clone()), "the same word again");
                    return (asked, *report);
                }
                End::Paused(pause) => {
                    assert_eq!((pause.reason, asked), (PauseReason::SubmitUnknown, 0), "{cell}: {pause:?}");
                    asked += 1;
                    self.decide(&journal).await;
                }
                other => panic!("{cell}: {other:?}"),
            }
        }
    }

    /// Sends the kick-off of an import that is over once more, with no client.
    pub(super) async fn kick_off_again(&self) {
        let journal = self.journal(None, &Dies::default(), Changes::new()).unwrap();
        let _published = Published::by(&self.shelf, &journal.load(&id()).unwrap().host);
        let log = self.sandbox.log();
        let sent = log.iter().find(|seen| seen.endpoint == Some(Endpoint::KickOff)).unwrap();
        let again = http::Request::builder().method(sent.method.as_str()).uri(&sent.path_and_query);
        let again = sent.headers.iter().fold(again, |again, (name, value)| again.header(name, value));
        drop(self.sandbox.exchange(again.body(sent.body.clone().into()).unwrap()).await);
    }

    /// A person looks at the server.
    async fn decide(&self, journal: &dyn Journal) {
        let decision = self.sandbox.job_urls().pop().map_or(Decision::Resubmit, Decision::Adopt);
        let lease = journal.lease(&id(), &Holder::this_process(self.clock.now_ms())).unwrap();
        resolve(&self.importer(None, &Dies::default(), 0), journal, &lease, &decision, &mut Seen::default())
            .await
            .unwrap();
    }

    async fn live(&self, journal: &dyn Journal, moment: Option<Moment>, dies: &Dies) -> Result<End, DriveError> {
        let stored = journal.load(&id()).ok();
        let latest_ms = stored.as_ref().map_or(0, |import| import.latest.at_ms);
        let importer = self.importer(moment, dies, latest_ms);
        let noted = match stored {
            Some(import) => import.host,
            None => self.begin(&importer, journal).await?,
        };
        let _published = Published::by(&self.shelf, &noted);
        let lease = journal.lease(&id(), &Holder::this_process(self.clock.now_ms())).map_err(DriveError::Journal)?;
        let budget = Budgets::new(self.clock.clone()).of(&self.base());
        drive(&importer, journal, &lease, &budget, &Stop::default(), &mut Seen::default()).await
    }

    fn base(&self) -> Url {
        self.sandbox.base_url().parse().unwrap()
    }

    fn importer(&self, moment: Option<Moment>, dies: &Dies, latest_ms: u64) -> Importer {
        let wire = DyingWire { sandbox: self.sandbox.clone(), moment, dies: dies.clone() };
        let (base, mut secrets) = (self.base(), Secrets::default());
        let origin = Origin::of(&base).unwrap();
        if let Some(credential) = servers::credential(self.server) {
            secrets.authorize(origin.clone(), &credential).unwrap();
        }
        let mut network = Network::new(AllowList::new(&base).unwrap(), secrets, Arc::new(wire));
        let open = |(name, _)| Some(Arc::new(OpenInput::open(&self.folder.path().join(name)).unwrap()));
        network.uploads = Uploads::new(origin, FILES.map(open).to_vec());
        Importer::new(engine(), not_before(&self.clock, latest_ms), network)
    }

    /// Stores the plan; what is to be published.
    async fn begin(&self, importer: &Importer, journal: &dyn Journal) -> Result<String, DriveError> {
        let request = self.request();
        let started = importer.start(&request).await?;
        let host = serde_json::to_string(&started.documents).unwrap();
        let begin = Begin {
            request: &request,
            key: None,
            inputs_digest: "digest".to_owned(),
            server: request.base_url.clone(),
            host: host.clone(),
            same_inputs: SameInputs::Refuse,
        };
        begin_started(self.clock.as_ref(), journal, begin, started)?;
        Ok(host)
    }

    fn request(&self) -> Request {
        let input = |(name, text): (&str, &str)| Input {
            url: format!("{}{name}", servers::folder(self.server)),
            resource_type: "Patient".to_owned(),
            resources: Some(text.lines().count() as u64),
            etag: None,
        };
        let sample = |id: &str| Sample { reference: format!("Patient/{id}"), fingerprint: String::new() };
        // All have ids, which makes a second kick-off safe with some.
        let expected = ExpectedCount { resource_type: "Patient".to_owned(), resources: 3, distinct_ids: Some(3) };
        Request {
            id: id().to_string(),
            time_ms: self.clock.now_ms(),
            purpose: Purpose::Import,
            base_url: self.sandbox.base_url(),
            dialect: self.dialect.clone(),
            inputs: FILES.map(input).to_vec(),
            samples: ["p1", "p2", "p3"].map(sample).to_vec(),
            expected: vec![expected],
            settings: servers::settings(self.server),
            documents_url: Some(servers::DOCUMENTS.to_owned()),
            policy: Policy { poll_max_ms: 600_000, deadline_ms: 86_400_000, max_errors: 0 },
        }
    }
}

fn id() -> ImportId {
    ImportId::from_bytes([7; 16])
}
