//! The servers of the simulation, and what is true of each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use fhir_import::contract::DialectChoice;
use fhir_import_sandbox::Personality;
use fhir_import_workflow::Dialect;
use fhir_import_workflow::dialect::RecoveryClass;

use crate::answer;

/// A server to import to. A dialect joins the simulation by being listed in [`KINDS`].
#[derive(Clone, Copy)]
pub struct Kind {
    /// The practice server.
    pub personality: Personality,
    /// The operator's dialect file; none for a dialect that is built in.
    pub dialect_file: Option<&'static str>,
    /// How the files are spread over jobs.
    pub jobs: Jobs,
    /// What it tells of resources that it rejects.
    pub tells: Tells,
}

/// What a server tells of resources that it rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// How many they are.
    HowMany,
    /// In which files they are.
    WhichFiles,
    /// How many they are, in a file that has to be read; and when a job is over, one poll more is told that it runs.
    InFiles,
    /// Nothing, not even that the job ended.
    Nothing,
}

/// How the files of an import are spread over jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Jobs {
    /// One job for all.
    One,
    /// One for each file.
    OneByOne,
    /// None: each file is sent in a request, and the answer is the result. One that is sent again is stored again.
    Uploads,
}

/// All servers of the simulation: every built-in dialect, and those of the tests.
pub const KINDS: &[Kind] = &[
    Kind::built_in(Personality::Hapi),
    Kind::built_in(Personality::SmartManifest),
    Kind::in_file(Personality::SameBytes, include_str!("../../dialects/same-bytes.toml")),
    Kind::in_file(Personality::CallerKey, include_str!("../../dialects/caller-key.toml")),
    Kind::in_file(Personality::Listed, include_str!("../../dialects/listed.toml")),
    Kind::built_in(Personality::BulkSubmit),
    Kind::built_in(Personality::BulkSubmitArgonaut),
    Kind::built_in(Personality::Google),
    Kind::built_in(Personality::Healthlake),
    Kind::built_in(Personality::Ibm),
    Kind::built_in(Personality::Microsoft),
    Kind::built_in(Personality::Octofhir),
    Kind::built_in(Personality::Pathling),
    Kind::built_in(Personality::Pathling7),
    Kind { tells: Tells::InFiles, ..Kind::built_in(Personality::SmartPnp) },
    Kind::built_in(Personality::Smile),
    Kind::built_in(Personality::UdsPlus),
    Kind { tells: Tells::WhichFiles, ..Kind::built_in(Personality::Aidbox) },
    Kind { tells: Tells::WhichFiles, ..Kind::built_in(Personality::AidboxV2) },
    Kind { jobs: Jobs::Uploads, ..Kind::built_in(Personality::Sazare) },
    Kind { tells: Tells::Nothing, ..Kind::built_in(Personality::Onfhir) },
    Kind {
        jobs: Jobs::OneByOne,
        ..Kind::in_file(Personality::SmartManifest, include_str!("../../dialects/one-by-one.toml"))
    },
];

impl Kind {
    const fn built_in(personality: Personality) -> Self {
        Self { personality, dialect_file: None, jobs: Jobs::One, tells: Tells::HowMany }
    }

    const fn in_file(personality: Personality, text: &'static str) -> Self {
        Self { dialect_file: Some(text), ..Self::built_in(personality) }
    }

    /// Whether a second kick-off of the same bytes is safe: all resources of a simulation have ids.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        matches!(
            self.facts().recovery.class,
            RecoveryClass::SameBytes | RecoveryClass::SameIds | RecoveryClass::CallerKey
        )
    }

    /// What its dialect says; each is read once for all simulations.
    fn facts(&self) -> Arc<Dialect> {
        static READ: Mutex<BTreeMap<&str, Arc<Dialect>>> = Mutex::new(BTreeMap::new());
        let name = self.personality.name();
        let read = || match self.dialect_file {
            Some(text) => Dialect::from_json(&definition(text)).expect("what was read once can be read again"),
            None => fhir_import_dialects::all().into_iter().find(|d| d.name == name).expect("a built-in dialect"),
        };
        let mut all = READ.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(self.dialect_file.unwrap_or(name)).or_insert_with(|| Arc::new(read())).clone()
    }

    /// What the operator says of the dialect.
    ///
    /// # Panics
    /// When a dialect file of the tests is wrong.
    #[must_use]
    pub fn dialect(&self) -> DialectChoice {
        match self.dialect_file {
            Some(text) => DialectChoice::Defined(definition(text)),
            None => DialectChoice::Named(self.personality.name().to_owned()),
        }
    }
}

/// A dialect file in full; each is read once for all simulations.
fn definition(text: &'static str) -> String {
    static READ: Mutex<BTreeMap<&str, String>> = Mutex::new(BTreeMap::new());
    let read = || {
        let builtin: Vec<_> = fhir_import_dialects::texts().into_iter().map(answer::dialect).collect();
        let none = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let file = fhir_import::read_dialect("tests", text, &builtin, &none);
        let file = file.expect("the dialect files of the tests are right, and extend built-in ones");
        file.definition
    };
    let mut all = READ.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(text).or_insert_with(read).clone()
}
