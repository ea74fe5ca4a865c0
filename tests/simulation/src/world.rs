//! One import from its request to its end, over as many lives of the client's process as it takes.

use std::sync::Arc;

use fhir_import::contract::{
    Decision, DialectChoice, ExpectedCount, Input, Next, Outcome, Policy, Purpose, Report, Request, Sample, Started,
};
use fhir_import::journal::{Holder, ImportId, Journal, SameInputs, StoredTransition};
use fhir_import::net::{AllowList, Origin};
use fhir_import::secrets::{Credential, Secrets};
use fhir_import::{
    Begin, Budgets, Decisions, DriveError, End, Network, SharedClock, Stop, Watch, begin_started, drive, not_before,
    resolve,
};
use fhir_import_records::{CheckOptions, Checker};
use fhir_import_sandbox::{Config, JobRecord, Sandbox, World};
use url::Url;

use crate::chance::Chance;
use crate::death::Death;
use crate::disk::Disk;
use crate::kinds::{Jobs, Kind};
use crate::machine::Machine;
use crate::operator::{Acts, LOOKS_AFTER_MS, ours};
use crate::scenario::{HOUR_MS, Operator, Scenario};
use crate::servers;
use crate::shelf::Shelf;
use crate::time::{ClientClock, ServerClock, Time};
use crate::wire::{Sent, SimulatedWire};

/// When every simulation starts: 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;
/// More lives than that is an import that does not end.
const LIVES: u32 = 400;
/// The longest wait between polls that these imports allow.
pub const POLL_MAX_MS: u64 = 600_000;
/// The credential that must only be seen by the server.
pub const TOKEN: &str = "right";

/// What came of an import, and what really happened.
pub struct Ended {
    /// What was simulated.
    pub scenario: Scenario,
    /// The final word; none when it did not end.
    pub report: Option<Report>,
    /// What left the client.
    pub sent: Vec<Sent>,
    /// The jobs that the server really started for it.
    pub jobs: Vec<JobRecord>,
    /// Resources really stored.
    pub stored: u64,
    /// What a person did.
    pub acts: Acts,
    /// The plan.
    pub plan: String,
    /// All that the journal holds.
    pub history: Vec<StoredTransition>,
    /// How often the server forgot its jobs.
    pub forgets: u32,
    /// Lives of the client's process.
    pub lives: u32,
    /// How often its clock was set.
    pub clock_sets: u32,
    /// The base URL of the server.
    pub base: String,
}

/// Makes the decisions of a simulation: compiled in, or as a component.
pub trait Make: Sync {
    /// What is made.
    type Made: Decisions;

    /// Decisions with this network and clock.
    fn make(&self, network: Network, clock: SharedClock) -> Self::Made;
}

/// Simulates the import of a seed.
pub async fn simulate<M: Make>(seed: u64, make: &M) -> Ended {
    let scenario = Scenario::of(seed);
    let stage = Stage::new(&scenario);
    let (acts, lives) = stage.run(&scenario, make).await;
    stage.ended(scenario, acts, lives)
}

/// The server, the network, the disk, and the time they share.
struct Stage {
    time: Time,
    clock: Arc<ClientClock>,
    death: Death,
    sandbox: Arc<Sandbox>,
    wire: Arc<SimulatedWire>,
    disk: Disk,
    files: Vec<(&'static str, String)>,
    shelf: Arc<Shelf>,
    /// Where files are that are sent to the server.
    machine: Option<Machine>,
    id: ImportId,
}

impl Stage {
    fn new(scenario: &Scenario) -> Self {
        let (seed, weather) = (scenario.seed, scenario.weather);
        let time = Time::at(START_MS);
        let death = Death::default();
        let files = files(scenario);
        let server_clock = ServerClock { time: time.clone(), offset_ms: scenario.server_offset_ms };
        let shelf = Arc::new(Shelf::default());
        for (kind, text) in files.iter().skip(usize::from(scenario.missing_file)) {
            shelf.put(&url(scenario, kind), text.clone());
        }
        let world = World { clock: Arc::new(server_clock), files: shelf.clone(), seed: Some(seed) };
        let config = Config { personality: scenario.kind.personality, port: 0, script: scenario.script.clone() };
        let sandbox = Arc::new(Sandbox::in_process(config, world));
        // Somebody imports the same files, too: only their age tells these jobs from ours.
        (0..scenario.foreign_jobs).for_each(|_| drop(sandbox.foreign_job_from("http://files.example.org")));
        time.pass(5_000);
        let until_ms = START_MS + weather.until_h * LOOKS_AFTER_MS;
        let chance = Chance::of(seed, 1).with_odds(weather.network);
        let idempotent = scenario.kind.is_idempotent();
        let wire = SimulatedWire::new(sandbox.clone(), time.clone(), death.clone(), chance, until_ms, !idempotent);
        let disk = Disk::new(Chance::of(seed, 2).with_odds(weather.disk), death.clone());
        let server = Origin::of(&base(&sandbox)).expect("the base URL has an origin");
        let machine = || Machine::new(server, &files).expect("a machine has place for small files");
        let machine = (scenario.kind.jobs == Jobs::Uploads).then(machine);
        let id = format!("{seed:016x}{seed:016x}").parse().expect("32 hex digits are an id");
        let clock = Arc::new(ClientClock::new(time.clone()));
        Self { time, clock, death, sandbox, wire: Arc::new(wire), disk, files, shelf, machine, id }
    }

    fn network(&self, kind: Kind) -> Network {
        let base = base(&self.sandbox);
        let mut secrets = Secrets::default();
        let credential = servers::credential(kind.personality).unwrap_or(Credential::Bearer(TOKEN.into()));
        let origin = Origin::of(&base).expect("the base URL has an origin");
        secrets.authorize(origin, &credential).expect("a credential can be a header");
        let allow = AllowList::new(&base).expect("the base URL has an origin");
        let mut network = Network::new(allow, secrets, self.wire.clone());
        network.uploads = self.machine.as_ref().map(|machine| machine.uploads.clone()).unwrap_or_default();
        network
    }

    async fn run(&self, scenario: &Scenario, make: &impl Make) -> (Acts, u32) {
        let mut chance = Chance::of(scenario.seed, 3);
        let mut acts = Acts::default();
        for life in 1..=LIVES {
            self.wire.begin_life(life);
            let lived = self.death.or(self.live(scenario, make, &mut acts)).await;
            if let Some(Ok(true)) = lived {
                return (acts, life);
            }
            self.time.pass(chance.span(1, 2 * LOOKS_AFTER_MS));
            self.set_clock(scenario, &mut chance);
        }
        (acts, LIVES)
    }

    /// Between two lives, somebody may set the client's clock.
    fn set_clock(&self, scenario: &Scenario, chance: &mut Chance) {
        if scenario.weather.network > 0 && chance.percent(10) {
            self.clock.set(chance.one_of(&[0, 0, HOUR_MS, -HOUR_MS, 3 * 365 * 24 * HOUR_MS]));
        }
    }

    /// One life of the process. Says whether the import is over.
    async fn live(&self, scenario: &Scenario, make: &impl Make, acts: &mut Acts) -> Result<bool, DriveError> {
        let clock: SharedClock = self.clock.clone();
        let stored = self.disk.load(&self.id).ok();
        let latest_ms = stored.as_ref().map_or(0, |import| import.latest.at_ms);
        let decisions = &make.make(self.network(scenario.kind), not_before(&clock, latest_ms));
        let budget = Budgets::new(clock).of(&base(&self.sandbox));
        if stored.is_none() {
            let request = self.request(scenario);
            let started = decisions.start(&request).await?;
            self.publish(&started);
            begin_started(self.clock.as_ref(), &self.disk, self.begin(&request), started)?;
        }
        let holder = Holder { pid: 1, host: "simulated".to_owned(), since_ms: self.clock_ms() };
        let lease = self.disk.lease(&self.id, &holder).map_err(DriveError::Journal)?;
        loop {
            let stop = Stop::default();
            let mut watch = Watching::of(scenario.operator, acts, &stop);
            let decision = match drive(decisions, &self.disk, &lease, &budget, &stop, &mut watch).await? {
                End::Done(_) => return Ok(true),
                End::Detached => {
                    acts.cancels += 1;
                    Decision::Cancel
                }
                End::Paused(pause) => {
                    self.time.pass(LOOKS_AFTER_MS);
                    self.wire.settle().await;
                    acts.decide(scenario.operator, &pause, &self.sandbox, &scenario.script)
                }
                End::InputChanged(_) => unreachable!("nobody looks at files here"),
            };
            let mut watch = Watching { stop_after: None, stop };
            resolve(decisions, &self.disk, &lease, &decision, &mut watch).await?;
        }
    }

    fn publish(&self, started: &Started) {
        for document in &started.documents {
            self.shelf.put(&format!("{}/{}", servers::DOCUMENTS, document.name), document.content.clone());
        }
    }

    fn clock_ms(&self) -> u64 {
        use fhir_import::Clock;
        self.clock.now_ms()
    }

    fn begin<'a>(&self, request: &'a Request) -> Begin<'a> {
        Begin {
            request,
            key: None,
            inputs_digest: String::new(),
            server: request.base_url.clone(),
            host: "{}".to_owned(),
            same_inputs: SameInputs::Allow,
        }
    }

    fn request(&self, scenario: &Scenario) -> Request {
        let mut checker = Checker::new(&CheckOptions { sample_size: 20, ..CheckOptions::default() });
        let mut inputs = Vec::new();
        for (kind, text) in &self.files {
            checker.next_file(Some(kind));
            checker.feed(text.as_bytes());
            let (_, summary) = checker.end_file();
            let resources = Some(summary.resources);
            inputs.push(Input { url: url(scenario, kind), resource_type: (*kind).to_owned(), resources, etag: None });
        }
        let summary = checker.finish();
        let samples = summary.samples.into_iter();
        let expected = |(resource_type, t): (String, fhir_import_records::TypeSummary)| ExpectedCount {
            resource_type,
            resources: t.resources,
            distinct_ids: t.distinct_ids,
        };
        Request {
            id: self.id.to_string(),
            time_ms: self.clock_ms(),
            purpose: Purpose::Import,
            base_url: self.sandbox.base_url(),
            dialect: if scenario.named { scenario.kind.dialect() } else { DialectChoice::Detect },
            inputs,
            samples: samples.map(|s| Sample { reference: s.reference, fingerprint: s.fingerprint }).collect(),
            expected: summary.by_type.into_iter().map(expected).collect(),
            settings: servers::settings(scenario.kind.personality),
            documents_url: Some(servers::DOCUMENTS.to_owned()),
            policy: Policy { poll_max_ms: POLL_MAX_MS, deadline_ms: 24 * LOOKS_AFTER_MS, max_errors: 0 },
        }
    }

    fn ended(self, scenario: Scenario, acts: Acts, lives: u32) -> Ended {
        let stored = self.disk.stored();
        let history = stored.history(&self.id).unwrap_or_default();
        let last = history.last().and_then(|last| serde_json::from_str(&last.next).ok());
        let report = match last {
            Some(Next::Done(report)) => Some(report),
            _ => None,
        };
        Ended {
            report,
            sent: self.wire.sent(),
            jobs: ours(&self.sandbox),
            stored: self.sandbox.stored() as u64,
            acts,
            plan: stored.load(&self.id).map(|import| import.plan).unwrap_or_default(),
            history,
            forgets: self.wire.forgets(),
            lives,
            clock_sets: self.clock.sets(),
            base: self.sandbox.base_url(),
            scenario,
        }
    }
}

/// Asks to stop after so many looks at what comes next.
struct Watching {
    stop_after: Option<u32>,
    stop: Stop,
}

impl Watching {
    fn of(operator: Operator, acts: &Acts, stop: &Stop) -> Self {
        let stop_after = match operator {
            Operator::Cancels(after) if acts.cancels == 0 => Some(after),
            _ => None,
        };
        Self { stop_after, stop: stop.clone() }
    }
}

impl Watch for Watching {
    fn happened(&mut self, _: &fhir_import::contract::Event) {}

    fn next(&mut self, _: &Next) {
        match &mut self.stop_after {
            Some(0) => self.stop.request(),
            Some(after) => *after -= 1,
            None => {}
        }
    }
}

fn base(sandbox: &Sandbox) -> Url {
    sandbox.base_url().parse().expect("the practice server has a base URL")
}

fn url(scenario: &Scenario, kind: &str) -> String {
    format!("{}{kind}.ndjson", servers::folder(scenario.kind.personality))
}

fn files(scenario: &Scenario) -> Vec<(&'static str, String)> {
    let [patients, observations] = scenario.data;
    let patient = |n| format!("{{\"resourceType\":\"Patient\",\"id\":\"p{n}\",\"gender\":\"other\"}}\n");
    let observation = |n| {
        format!(
            "{{\"resourceType\":\"Observation\",\"id\":\"o{n}\",\"status\":\"final\",\"code\":{{\"text\":\"x\"}},\
             \"subject\":{{\"reference\":\"Patient/p0\"}}}}\n"
        )
    };
    let mut files = vec![("Patient", (0..patients).map(patient).collect())];
    if observations > 0 {
        files.push(("Observation", (0..observations).map(observation).collect()));
    }
    files
}

impl Ended {
    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.report.as_ref().map(|report| report.outcome)
    }

    /// Everything that two runs of one seed must have in common.
    #[must_use]
    pub fn transcript(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        for sent in &self.sent {
            let _ = writeln!(text, "{sent:?}");
        }
        for stored in &self.history {
            let _ = writeln!(text, "{} {} {:?}", stored.checkpoint, stored.next, stored.events);
        }
        let _ = writeln!(text, "{:?}\n{} stored, {} lives, {:?}", self.jobs, self.stored, self.lives, self.acts);
        text
    }
}
