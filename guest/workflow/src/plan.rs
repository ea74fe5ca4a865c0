//! What never changes during an import: made once from a request, stored once, addressed by its digest.

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;
use crate::error::Error;
use crate::json;
use crate::request::{DialectChoice, Expected, Input, Policy, Purpose, Request, Sample};
use crate::table::Table;
use crate::url::BaseUrl;

/// The form of plan that this version writes.
pub const VERSION: u32 = 1;

/// Most samples in a request.
pub const MAX_SAMPLES: usize = 200;

/// Most types in a request; FHIR R5 has 157.
pub const MAX_TYPES: usize = 200;

/// What never changes during an import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The form of this text.
    pub version: u32,
    /// The request's id.
    pub id: String,
    /// The request's time, in Unix milliseconds.
    pub time_ms: u64,
    /// What is wanted.
    pub purpose: Purpose,
    /// The FHIR base URL, without a trailing slash.
    pub base_url: String,
    /// The dialects to choose from, in full, so that a newer component goes on with the facts of the older one.
    pub dialects: Vec<Dialect>,
    /// The operator named the one dialect.
    pub configured: bool,
    /// The files.
    pub inputs: Vec<Input>,
    /// What to read back.
    pub samples: Vec<Sample>,
    /// What the input holds.
    pub expected: Vec<Expected>,
    /// Values that a dialect needs.
    pub settings: Table<String>,
    /// The caller's limits.
    pub policy: Policy,
}

impl Plan {
    /// Makes the plan of a request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] names the field that cannot be used.
    pub fn new(request: Request, builtin: &[Dialect]) -> Result<Self, Error> {
        check(&request)?;
        let (dialects, configured) = choose(request.dialect, builtin)?;
        let mut settings = Table::default();
        for (name, value) in request.settings {
            *settings.entry(&name) = value;
        }
        Ok(Self {
            version: VERSION,
            id: request.id,
            time_ms: request.time_ms,
            purpose: request.purpose,
            base_url: request.base_url.trim_end_matches('/').to_owned(),
            dialects,
            configured,
            inputs: request.inputs,
            samples: request.samples,
            expected: request.expected,
            settings,
            policy: request.policy,
        })
    }

    /// Reads a plan back.
    ///
    /// # Errors
    /// [`Error::InvalidPlan`] when it is not a plan, or of a newer form.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let refuse = |e| Error::InvalidPlan(format!("not a plan: {e}"));
        let value = json::parse(text.as_bytes()).map_err(refuse)?;
        let form: Form = json::from_value(&value).map_err(refuse)?;
        if form.version != VERSION {
            return Err(Error::InvalidPlan(format!(
                "the plan has form {}, this component reads form {VERSION}: use the component that made it",
                form.version
            )));
        }
        json::from_value(&value).map_err(refuse)
    }

    /// The plan as text.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("a plan has only strings as map keys")
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> BaseUrl<'_> {
        BaseUrl::new(&self.base_url)
    }

    /// The inputs of one job.
    #[must_use]
    pub fn batch<'a>(&'a self, dialect: &Dialect, index: u32) -> &'a [Input] {
        self.inputs.chunks(per_job(dialect, self.inputs.len())).nth(index as usize).unwrap_or_default()
    }

    /// How many jobs the import needs.
    #[must_use]
    pub fn batches(&self, dialect: &Dialect) -> u32 {
        let count = self.inputs.len().div_ceil(per_job(dialect, self.inputs.len()));
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// The part of a plan that is read before its form is known.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

fn per_job(dialect: &Dialect, inputs: usize) -> usize {
    dialect.inputs.per_job.map_or(inputs, |n| n as usize).max(1)
}

fn check(request: &Request) -> Result<(), Error> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if request.id.len() != 32 || !request.id.chars().all(hex) {
        return Err(invalid("id", "must be 32 lower-case hex digits"));
    }
    if !BaseUrl::is_valid(&request.base_url) {
        return Err(invalid("base-url", "must be an absolute http or https URL without user, query or fragment"));
    }
    if request.purpose == Purpose::Import && request.inputs.is_empty() {
        return Err(invalid("inputs", "an import needs at least one file"));
    }
    if request.purpose == Purpose::Verify && request.samples.is_empty() && request.expected.is_empty() {
        return Err(invalid("samples", "to verify, something to read back is needed"));
    }
    if request.samples.len() > MAX_SAMPLES {
        return Err(invalid("samples", "at most 200 can be read back"));
    }
    if request.expected.len() > MAX_TYPES {
        return Err(invalid("expected", "at most 200 types can be counted"));
    }
    if request.inputs.iter().any(|i| !is_type(&i.resource_type)) {
        return Err(invalid("inputs", "a resource type must be a name of letters"));
    }
    if request.expected.iter().any(|e| !is_type(&e.resource_type)) {
        return Err(invalid("expected", "a resource type must be a name of letters"));
    }
    match request.samples.iter().find(|s| !is_reference(&s.reference)) {
        Some(_) => Err(invalid("samples", "a reference must be Type/id")),
        None => Ok(()),
    }
}

/// `Type/id` as FHIR spells it (R4, "id" and "resource types"), so that it can stand in a URL as it is.
fn is_reference(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, id)| {
        is_type(kind)
            && (1..=64).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
    })
}

/// A resource type as FHIR spells them; the longest that is defined has 33 letters.
fn is_type(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphabetic())
}

fn choose(choice: DialectChoice, builtin: &[Dialect]) -> Result<(Vec<Dialect>, bool), Error> {
    match choice {
        DialectChoice::Detect => Ok((builtin.to_vec(), false)),
        DialectChoice::Defined(dialect) => Ok((vec![*dialect], true)),
        DialectChoice::Named(name) => match builtin.iter().find(|d| d.name == name) {
            Some(dialect) => Ok((vec![dialect.clone()], true)),
            None => {
                let known: Vec<_> = builtin.iter().map(|d| d.name.as_str()).collect();
                Err(invalid("dialect", &format!("{name:?} is not known; known are {}", known.join(", "))))
            }
        },
    }
}

fn invalid(field: &str, text: &str) -> Error {
    Error::InvalidRequest(format!("{field}: {text}"))
}
