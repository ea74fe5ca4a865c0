//! `case.toml`: what is asked for, and what must come of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fhir_import::contract::{DialectChoice, Input, Policy, Purpose, Request, Sample};
use fhir_import::files::OpenInput;
use serde::Deserialize;

use super::transcript::{self, Exchange};
use crate::harness::rig::START_MS;

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    /// One line for people.
    pub(super) title: String,
    /// Where the answers come from.
    pub(super) source: String,
    /// A dialect, or `detect`.
    pub(super) dialect: String,
    /// The base URL.
    #[serde(default = "base")]
    pub(super) base: String,
    /// `import` unless it is said.
    #[serde(default)]
    purpose: Option<String>,
    /// One file of Patients unless it is said.
    #[serde(default)]
    inputs: Vec<CaseInput>,
    /// `--set NAME=VALUE`
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// References that are read back; that they are there is enough.
    #[serde(default)]
    samples: Vec<String>,
    /// Other origins that may be asked.
    #[serde(default)]
    pub(super) allow: Vec<String>,
    /// The case begins right before the first poll: somebody adopted this status URL.
    #[serde(default)]
    pub(super) adopt: Option<String>,
    /// What a person decides at each pause.
    #[serde(default)]
    pub(super) decide: Vec<String>,
    /// Rejected resources that are allowed.
    #[serde(default)]
    max_errors: u64,
    /// What must come of it.
    pub(super) expect: Expect,
    /// What is on the wire.
    #[serde(skip)]
    pub(super) exchanges: Vec<Exchange>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseInput {
    #[serde(rename = "type")]
    kind: String,
    url: String,
    resources: Option<u64>,
    etag: Option<String>,
    /// What is in it, where files are sent instead of fetched.
    lines: Option<String>,
}

/// What must come of a case. One of `outcome`, `pause` and `next` is said.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    /// It ends so.
    pub(super) outcome: Option<String>,
    /// It stands still for this reason,
    pub(super) pause: Option<String>,
    /// and among others this can be decided.
    pub(super) decisions: Vec<String>,
    /// When all exchanges are used, it goes on with `submit`, or `wait 120 s`.
    pub(super) next: Option<String>,
    /// Resources imported, as the server says.
    pub(super) imported: Option<u64>,
    /// Resources rejected, as the server says.
    pub(super) rejected: Option<u64>,
    /// Texts in the sentence of the end or the pause,
    pub(super) says: Vec<String>,
    /// and texts that must not be there, nor anywhere else in what a person sees.
    pub(super) hides: Vec<String>,
    /// Texts in the advice.
    pub(super) advice: Vec<String>,
    /// Texts of errors, one in each.
    pub(super) errors: Vec<String>,
    /// Events in order, others between them: `kind` or `kind: text`.
    pub(super) events: Vec<String>,
    /// The server's own percentage; `none` when there must be none.
    pub(super) percent: Option<String>,
    /// What the server is.
    pub(super) detection: Option<Detected>,
}

/// What the server is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Detected {
    /// The dialect; none when it is not said.
    pub(super) dialect: Option<String>,
    /// How sure.
    pub(super) confidence: String,
    /// Texts of the evidence, one in each.
    #[serde(default)]
    pub(super) evidence: Vec<String>,
    /// The others, exactly.
    #[serde(default)]
    pub(super) candidates: Vec<String>,
}

fn sample(reference: &str) -> Sample {
    Sample { reference: reference.to_owned(), fingerprint: String::new() }
}

fn base() -> String {
    "http://server.example.org/fhir".to_owned()
}

impl Case {
    /// Reads a folder.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = |name: &str| std::fs::read_to_string(path.join(name)).map_err(|error| format!("{name}: {error}"));
        let mut case: Self = toml::from_str(&file("case.toml")?).map_err(|error| error.to_string())?;
        case.exchanges = transcript::read(&file("transcript.http")?)?;
        let said = [&case.expect.outcome, &case.expect.pause, &case.expect.next];
        if said.into_iter().flatten().count() != 1 || case.title.is_empty() || case.source.is_empty() {
            return Err("a case has a title, a source, and one of outcome, pause and next".to_owned());
        }
        Ok(case)
    }

    /// What is asked for.
    pub(super) fn request(&self) -> Request {
        let purpose = match self.purpose.as_deref() {
            Some("detect") => Purpose::Detect,
            _ => Purpose::Import,
        };
        let dialect = match self.dialect.as_str() {
            "detect" => DialectChoice::Detect,
            name => DialectChoice::Named(name.to_owned()),
        };
        Request {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            time_ms: START_MS,
            purpose,
            base_url: self.base.clone(),
            dialect,
            inputs: self.inputs(),
            samples: self.samples.iter().map(|reference| sample(reference)).collect(),
            expected: Vec::new(),
            settings: self.settings.clone().into_iter().collect(),
            documents_url: Some("http://files.example.org/documents".to_owned()),
            policy: Policy { poll_max_ms: 600_000, deadline_ms: 24 * 3_600_000, max_errors: self.max_errors },
        }
    }

    /// The files that are sent, made in a folder.
    pub(super) fn files(&self, folder: &Path) -> Vec<Option<Arc<OpenInput>>> {
        let file = |(n, input): (usize, &CaseInput)| {
            let path = folder.join(format!("{n}.ndjson"));
            std::fs::write(&path, input.lines.as_ref()?).unwrap();
            Some(Arc::new(OpenInput::open(&path).unwrap()))
        };
        self.inputs.iter().enumerate().map(file).collect()
    }

    fn inputs(&self) -> Vec<Input> {
        if self.inputs.is_empty() {
            return vec![Input {
                url: "http://files.example.org/Patient.ndjson".to_owned(),
                resource_type: "Patient".to_owned(),
                resources: None,
                etag: None,
            }];
        }
        let input = |input: &CaseInput| Input {
            url: input.url.clone(),
            resource_type: input.kind.clone(),
            resources: input.resources,
            etag: input.etag.clone(),
        };
        self.inputs.iter().map(input).collect()
    }
}
