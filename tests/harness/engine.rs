//! A workflow engine with our adapter, as the shared suite sees it: commands that begin, drive and answer, and a
//! practice server that is the judge.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fhir_import::contract::{DialectChoice, Input, Policy, Purpose, Request};
use fhir_import_sandbox::{Config, Personality, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::harness::cli::Ran;
use crate::harness::files::FileHost;
use crate::harness::person::read;
use crate::harness::running::{LONG, Running};
use fhir_import_simulation::{KINDS, servers};

/// A token that must be seen nowhere but at its server.
pub(crate) const TOKEN: &str = "canary-token-9d1c6f";
/// Content that must not leave the files and the FHIR server.
pub(crate) const CONTENT: &str = "Canarysurname";

/// What is there to be tested.
pub(crate) struct Adapter {
    /// For messages.
    pub(crate) name: &'static str,
    /// The command, as in docs/guide/embedding.md, without its subcommand.
    pub(crate) command: fn() -> Command,
    /// The engine's own server, for those that have one: how it is started in a folder.
    pub(crate) server: Option<fn(&Path) -> EngineServer>,
}

/// An engine's own server; it is killed when dropped.
pub(crate) struct EngineServer {
    /// Its processes.
    pub(crate) processes: Vec<Running>,
    /// What adapters call it.
    pub(crate) address: String,
    /// Starts one of them again, by its number, with what it had stored.
    pub(crate) again: Box<dyn Fn(usize) -> Running>,
}

/// An adapter, its engine, and a practice server. May block, so it wants a thread of its own within a runtime.
pub(crate) struct Place {
    pub(crate) fhir: Sandbox,
    pub(crate) engine: Option<EngineServer>,
    adapter: &'static Adapter,
    personality: Personality,
    files: FileHost,
    folder: TempDir,
}

/// An import, and what is asked of it.
pub(crate) struct Began<'a> {
    place: &'a Place,
    id: String,
}

impl Place {
    pub(crate) fn new(adapter: &'static Adapter, personality: Personality, script: Value) -> Self {
        let config = Config { personality, port: 0, script: read(script) };
        let fhir = Handle::current().block_on(Sandbox::start(config)).unwrap();
        let folder = TempDir::new().unwrap();
        let engine = adapter.server.map(|start| {
            let home = folder.path().join("engine");
            std::fs::create_dir(&home).unwrap();
            start(&home)
        });
        let place = Self { fhir, engine, adapter, personality, files: FileHost::start(), folder };
        place.allow(&json!({ "servers": [{ "url": place.fhir.base_url() }] }));
        place
    }

    /// Writes down what workers may reach.
    pub(crate) fn allow(&self, rights: &Value) {
        std::fs::write(self.path("rights.json"), rights.to_string()).unwrap();
    }

    /// What workers say goes with their requests to the server: a token from a file.
    pub(crate) fn with_token(&self, token: &str) {
        std::fs::write(self.path("token"), token).unwrap();
        let credential = json!({ "bearer-file": self.path("token") });
        self.allow(&json!({ "servers": [{ "url": self.fhir.base_url(), "credential": credential }] }));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The engine's command with a subcommand.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = (self.adapter.command)();
        command.env("HOME", self.folder.path()).env("NO_COLOR", "1");
        command.env("FHIR_IMPORT_RIGHTS", self.path("rights.json"));
        command.env("FHIR_IMPORT_PLANS", self.path("plans")).env("FHIR_IMPORT_STORE", self.path("store"));
        if let Some(engine) = &self.engine {
            command.env("FHIR_IMPORT_ENGINE", &engine.address);
        }
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a worker, and waits until it takes work.
    #[track_caller]
    pub(crate) fn worker(&self) -> Running {
        let mut worker = Running::start(self.command(["worker"]));
        assert!(worker.says("ready"), "{}: {}", self.adapter.name, worker.talk());
        worker
    }

    /// The import of two patients; their names are canaries.
    pub(crate) fn request(&self) -> Request {
        let patient =
            |id: &str| json!({ "resourceType": "Patient", "id": id, "name": [{ "family": CONTENT }] }).to_string();
        let text = format!("{}\n{}\n", patient("p1"), patient("p2"));
        self.request_of(&[("Patient", &text)])
    }

    pub(crate) fn request_of(&self, files: &[(&str, &str)]) -> Request {
        let input = |(kind, text): &(&str, &str)| Input {
            url: self.files.add(kind, text),
            resource_type: (*kind).to_owned(),
            resources: Some(text.lines().count() as u64),
            etag: None,
        };
        Request {
            id: format!("{:032x}", fastrand::u128(..)),
            time_ms: now_ms(),
            purpose: Purpose::Import,
            base_url: self.fhir.base_url(),
            dialect: self.dialect(),
            inputs: files.iter().map(input).collect(),
            samples: Vec::new(),
            expected: Vec::new(),
            settings: servers::settings(self.personality),
            documents_url: None,
            policy: Policy { poll_max_ms: 1_000, deadline_ms: 3_600_000, max_errors: 0 },
        }
    }

    fn dialect(&self) -> DialectChoice {
        KINDS.iter().find(|kind| kind.personality == self.personality).unwrap().dialect()
    }

    /// Hands an import to the engine.
    #[track_caller]
    pub(crate) fn begin(&self, request: &Request) -> Began<'_> {
        let ran = self.hand(["start"], &serde_json::to_string(request).unwrap());
        assert_eq!(ran.code, 0, "{}: {ran:?}", self.adapter.name);
        self.known(request)
    }

    /// An import that was begun.
    pub(crate) fn known(&self, request: &Request) -> Began<'_> {
        Began { place: self, id: request.id.clone() }
    }

    /// Runs a subcommand that reads something.
    #[track_caller]
    pub(crate) fn hand<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>, text: &str) -> Ran {
        let input = self.path("input.json");
        std::fs::write(&input, text).unwrap();
        let mut command = self.command(words);
        command.stdin(std::fs::File::open(&input).unwrap());
        self.ended(command)
    }

    /// Runs a subcommand.
    #[track_caller]
    pub(crate) fn types<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ran {
        self.ended(self.command(words))
    }

    #[track_caller]
    fn ended(&self, command: Command) -> Ran {
        let mut running = Running::start(command);
        let ended = running.left_within(LONG);
        ended.unwrap_or_else(|| panic!("{}: it does not end: {}", self.adapter.name, running.talk()))
    }

    /// Kills the engine's processes in turn. Each comes back with what it had stored before the next one dies.
    pub(crate) fn kill_the_engine(&mut self) {
        let engine = self.engine.as_mut().expect("it has a server");
        for (number, process) in engine.processes.iter_mut().enumerate() {
            process.kill();
            *process = (engine.again)(number);
        }
    }

    /// One intent was one job, and nothing was cancelled.
    #[track_caller]
    pub(crate) fn has_one_job(&self, stored: usize) {
        let found = (self.fhir.jobs(), self.fhir.stored(), self.fhir.deletes());
        assert_eq!(found, (1, stored, 0), "{}: jobs, resources, cancels", self.adapter.name);
    }

    /// Everything that the engine and its adapter have stored, as bytes.
    pub(crate) fn stored(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for folder in ["engine", "plans", "store"] {
            collect(&self.path(folder), &mut found);
        }
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
}

impl Began<'_> {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Waits until it is over or paused. `done` and a report, or `paused` and a pause.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let ran = self.place.types(["result", &self.id]);
        assert_eq!(ran.code, 0, "{}: {ran:?}", self.place.adapter.name);
        ran.json()
    }

    /// It is over with this outcome.
    #[track_caller]
    pub(crate) fn ends(&self, outcome: &str) -> Value {
        let result = self.result();
        assert_eq!(word(&result["done"]["outcome"]), outcome, "{}: {result}", self.place.adapter.name);
        result["done"].clone()
    }

    /// It succeeds, and nothing was sent twice on the way.
    #[track_caller]
    pub(crate) fn succeeds_with_one_kick_off(&self) {
        self.ends("succeeded");
        self.place.has_one_job(2);
        assert_eq!(self.place.fhir.kick_offs(), 1, "{}: nobody sends it again unasked", self.place.adapter.name);
    }

    /// Nobody can know whether its kick-off arrived, until a person has looked at the server and adopts the job.
    #[track_caller]
    pub(crate) fn is_adopted(&self) {
        self.pauses("submitunknown");
        self.decide(&json!({ "Adopt": self.place.fhir.job_urls()[0] }));
        self.succeeds_with_one_kick_off();
    }

    /// It stands still for this reason.
    #[track_caller]
    pub(crate) fn pauses(&self, reason: &str) -> Value {
        let result = self.result();
        assert_eq!(word(&result["paused"]["reason"]), reason, "{}: {result}", self.place.adapter.name);
        result["paused"].clone()
    }

    /// Hands in a decision.
    #[track_caller]
    pub(crate) fn decide(&self, decision: &Value) {
        let ran = self.try_to_decide(decision);
        assert_eq!(ran.code, 0, "{}: {ran:?}", self.place.adapter.name);
    }

    /// Hands in a decision that may be refused.
    #[track_caller]
    pub(crate) fn try_to_decide(&self, decision: &Value) -> Ran {
        self.place.hand(["resolve", &self.id], &decision.to_string())
    }
}

/// A word of the contract, however an adapter's language spells it.
fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace(['-', '_'], "").to_lowercase()
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
