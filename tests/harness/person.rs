//! A person at a desk, with a practice server: starts imports, looks at the server, decides.

use std::ffi::OsStr;

use fhir_import_sandbox::{Config, Personality, Sandbox, Script};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::harness::cli::{Desk, Ran};
use crate::harness::running::{LONG, Running};
use crate::harness::servers;

/// Two resources, the whole of most imports here.
pub(crate) const PATIENTS: &str =
    "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";
/// How many they are.
pub(crate) const RESOURCES: usize = 2;

/// A person with a desk and a practice server. May block, so it wants a thread of its own within a runtime.
pub(crate) struct Person {
    pub(crate) desk: Desk,
    pub(crate) server: Sandbox,
    personality: Personality,
}

impl Person {
    pub(crate) fn at(personality: Personality, script: Value) -> Self {
        let config = Config { personality, port: 0, script: read(script) };
        let server = Handle::current().block_on(Sandbox::start(config)).unwrap();
        let desk = Desk::new();
        desk.write("Patient.ndjson", PATIENTS);
        Self { desk, server, personality }
    }

    /// Makes the server behave differently.
    pub(crate) fn script(&self, script: Value) {
        self.server.set_script(read(script));
    }

    /// The port of the server.
    pub(crate) fn port(&self) -> u16 {
        let url: url::Url = self.server.base_url().parse().unwrap();
        url.port().unwrap()
    }

    /// What names the dialect: a built-in name, or a file. Lists of jobs settle at once here.
    pub(crate) fn dialect(&self) -> String {
        let name = self.personality.name();
        if servers::FIRST.contains(&self.personality) {
            return name.to_owned();
        }
        let text =
            std::fs::read_to_string(dialect_file(name)).unwrap().replace("settle-ms = 30000", "settle-ms = 1000");
        self.desk.write(&format!("{name}.toml"), &text).display().to_string()
    }

    /// The words of a `run` of the one file, to a server that may stand behind something.
    pub(crate) fn run_words(&self, base: &str, more: &[&str]) -> Vec<String> {
        let dialect = self.dialect();
        let words = ["run", "--server", base, "--dialect", &dialect, "--poll-max", "1m"];
        words.iter().chain(more).map(ToString::to_string).collect()
    }

    /// Types a command, and waits for its end.
    #[track_caller]
    pub(crate) fn types<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ran {
        let mut command = Running::start(self.desk.command(words));
        command.left_within(LONG).unwrap_or_else(|| panic!("it does not end: {}", command.talk()))
    }

    /// Brings an import to its end as a person would who reads what is printed, and looks at the server where that
    /// is asked for.
    pub(crate) fn bring_to_end(&self, job: &str) -> Ran {
        let waited = self.types(["wait", job, "--json"]);
        if waited.code != 11 {
            return waited;
        }
        let resolved = self.decide(job);
        assert_eq!(resolved.code, 9, "{resolved:?}");
        self.types(["wait", job, "--json"])
    }

    /// Looks at the server, and says what is there.
    pub(crate) fn decide(&self, job: &str) -> Ran {
        match self.server.job_urls().pop() {
            Some(url) => self.types(["resolve", job, "--adopt", &url, "--json"]),
            None => self.types(["resolve", job, "--resubmit", "--json"]),
        }
    }

    /// Nothing was lost or doubled, and nothing was cancelled.
    #[track_caller]
    pub(crate) fn has_one_job(&self, what: &str) {
        let found = (self.server.jobs(), self.server.stored(), self.server.deletes());
        assert_eq!(found, (1, RESOURCES, 0), "{what}: jobs, resources, cancels");
    }
}

/// A script from JSON.
pub(crate) fn read(script: Value) -> Script {
    serde_json::from_value(script).unwrap()
}

/// An operator's dialect file for one of the test personalities.
pub(crate) fn dialect_file(name: &str) -> String {
    format!("{}/dialects/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

/// A seed, printed so that a failure can be played again with `SEED=`.
pub(crate) fn seed(what: &str) -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("{what}: SEED={seed}");
    seed
}
