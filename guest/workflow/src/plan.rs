//! What never changes during an import: made once from a request, stored once, addressed by its digest.

use serde::Serialize;

use crate::dialect::Dialect;
use crate::error::Error;
use crate::inputs;
use crate::json;
use crate::json::read::{read_object, read_whole};
use crate::request::{DialectChoice, Expected, Input, Policy, Purpose, Request, Sample};
use crate::table::{Table, as_object};
use crate::template::Job;
use crate::url::BaseUrl;

/// The form of plan that this version writes.
pub const VERSION: u32 = 1;

/// Most samples in a request.
pub const MAX_SAMPLES: usize = 200;

/// Most types in a request; FHIR R5 has 157.
pub const MAX_TYPES: usize = 200;

/// What never changes during an import.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
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
    /// The dialects to choose from, in full, so that a newer component goes on with the facts of the older one. After the
    /// choice only that one is read.
    #[serde(skip)]
    dialects: Vec<Candidate>,
    /// The operator named the one dialect.
    pub configured: bool,
    /// The files.
    pub inputs: Vec<Input>,
    /// What to read back.
    pub samples: Vec<Sample>,
    /// What the input holds.
    pub expected: Vec<Expected>,
    /// Values that a dialect needs.
    #[serde(with = "as_object")]
    pub settings: Table<String>,
    /// Where documents are published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents_url: Option<String>,
    /// The caller's limits.
    pub policy: Policy,
}

/// A dialect that can be the one: its text, and what it says, when that was read.
#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    text: String,
    dialect: Option<Dialect>,
}

impl Plan {
    /// Makes the plan of a request. The built-in dialects are given as JSON, each in one line.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] names the field that cannot be used.
    pub fn new(request: Request, builtin: &[String]) -> Result<Self, Error> {
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
            documents_url: request.documents_url,
            policy: request.policy,
        })
    }

    /// Reads a plan back, with all its dialects.
    ///
    /// # Errors
    /// [`Error::InvalidPlan`] when it is not a plan, or of a newer form.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let mut plan = Self::decode_head(text)?;
        plan.decode_dialects(text, None)?;
        Ok(plan)
    }

    /// Reads all of a plan but its dialects.
    ///
    /// # Errors
    /// [`Error::InvalidPlan`] when it is not a plan, or of a newer form.
    pub fn decode_head(text: &str) -> Result<Self, Error> {
        let head = text.split_once('\n').map_or(text, |(head, _)| head);
        let value = json::parse(head.as_bytes()).map_err(|e| no_plan(&e))?;
        let form = value["version"].as_u64();
        if let Some(form) = form.filter(|form| *form != u64::from(VERSION)) {
            return Err(Error::InvalidPlan(format!(
                "the plan has form {form}, this component reads form {VERSION}: use the component that made it"
            )));
        }
        read_whole(&value).map_err(|e| no_plan(&e))
    }

    /// Reads the dialects of a plan, or one of them: a step must not pay for those that were not chosen.
    ///
    /// # Errors
    /// [`Error::InvalidPlan`] when one cannot be read.
    pub fn decode_dialects(&mut self, text: &str, chosen: Option<u32>) -> Result<(), Error> {
        self.dialects.clear();
        for (index, line) in (0..).zip(text.lines().skip(1)) {
            let wanted = chosen.is_none_or(|chosen| chosen == index);
            let dialect = wanted.then(|| Dialect::from_json(line)).transpose().map_err(|e| no_plan(&e))?;
            self.dialects.push(Candidate { text: line.to_owned(), dialect });
        }
        if self.dialects.is_empty() { Err(Error::InvalidPlan("it has no dialect".to_owned())) } else { Ok(()) }
    }

    /// The plan as text: one line of JSON, and one for each dialect.
    ///
    /// # Panics
    /// Never: a plan has only strings as keys.
    #[must_use]
    pub fn encode(&self) -> String {
        let head = serde_json::to_string(self).expect("a plan has only strings as map keys");
        let lines = std::iter::once(head.as_str()).chain(self.dialects.iter().map(|one| one.text.as_str()));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A dialect that was read.
    #[must_use]
    pub fn dialect(&self, index: u32) -> Option<&Dialect> {
        self.dialects.get(index as usize)?.dialect.as_ref()
    }

    /// The dialects that were read, with their places.
    #[must_use]
    pub fn all_dialects(&self) -> Vec<(u32, &Dialect)> {
        (0..).zip(&self.dialects).filter_map(|(index, one)| Some((index, one.dialect.as_ref()?))).collect()
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> BaseUrl<'_> {
        BaseUrl::new(&self.base_url)
    }

    /// The inputs of one job.
    #[must_use]
    pub fn batch<'a>(&'a self, dialect: &Dialect, index: u32) -> Vec<&'a Input> {
        let inputs = inputs::in_order(dialect, &self.inputs);
        let most = per_job(dialect, inputs.len());
        inputs.into_iter().skip(most.saturating_mul(index as usize)).take(most).collect()
    }

    /// When the import is given up on, unless a person extends that, in Unix milliseconds.
    #[must_use]
    pub fn deadline_at_ms(&self) -> u64 {
        self.time_ms.saturating_add(self.policy.deadline_ms)
    }

    /// What the host publishes, for each dialect that can be the one.
    #[must_use]
    pub fn documents(&self) -> Vec<Document> {
        let mut documents: Vec<Document> = Vec::new();
        for (_, dialect) in self.all_dialects() {
            let Some((template, content)) = dialect.document.as_ref().zip(self.document(dialect)) else { continue };
            if documents.iter().all(|document| document.name != template.name) {
                let (name, media_type) = (template.name.clone(), template.media_type.clone());
                documents.push(Document { name, media_type, content });
            }
        }
        documents
    }

    fn document(&self, dialect: &Dialect) -> Option<String> {
        self.job(dialect, 0).body(&dialect.document.as_ref()?.content).ok()
    }

    /// Whether it is known that every resource of the inputs has an id of its own.
    #[must_use]
    pub fn every_resource_has_an_id(&self) -> bool {
        !self.expected.is_empty() && self.expected.iter().all(|kind| kind.distinct_ids == Some(kind.resources))
    }

    /// One job, as templates tell of it.
    #[must_use]
    pub fn job<'a>(&'a self, dialect: &'a Dialect, index: u32) -> Job<'a> {
        Job { plan: self, dialect, index, anew: 0, handle: None, uploaded: 0 }
    }

    /// How many jobs the import needs.
    #[must_use]
    pub fn batches(&self, dialect: &Dialect) -> u32 {
        let count = self.inputs.len().div_ceil(per_job(dialect, self.inputs.len()));
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// What the host publishes before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its path below the documents' URL.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its text.
    pub content: String,
}

fn no_plan(error: &serde_json::Error) -> Error {
    Error::InvalidPlan(format!("not a plan: {error}"))
}

read_object!(Plan {
    version, id, time_ms, purpose, base_url, configured, inputs, samples, expected, settings, documents_url, policy;
    dialects
});

fn per_job(dialect: &Dialect, inputs: usize) -> usize {
    dialect.inputs.in_one_job().map_or(inputs, |n| n as usize).max(1)
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

fn choose(choice: DialectChoice, builtin: &[String]) -> Result<(Vec<Candidate>, bool), Error> {
    match choice {
        DialectChoice::Defined(text) => Ok((vec![defined(&text)?], true)),
        DialectChoice::Named(name) => named(&name, candidates(builtin)?),
        DialectChoice::Detect => Ok((candidates(builtin)?, false)),
    }
}

/// The build saw to it that they hold together.
fn candidates(builtin: &[String]) -> Result<Vec<Candidate>, Error> {
    builtin.iter().cloned().map(candidate).collect()
}

fn candidate(text: String) -> Result<Candidate, Error> {
    let dialect = Dialect::from_json(&text).map_err(|error| invalid("dialect", &error.to_string()))?;
    Ok(Candidate { text, dialect: Some(dialect) })
}

fn defined(text: &str) -> Result<Candidate, Error> {
    let candidate = candidate(in_one_line(text)?)?;
    let contradictions = candidate.dialect.iter().flat_map(Dialect::contradictions).collect::<Vec<_>>();
    contradictions.first().map_or(Ok(candidate), |why| Err(invalid("dialect", why)))
}

fn in_one_line(json: &str) -> Result<String, Error> {
    let value = json::parse(json.as_bytes()).map_err(|error| invalid("dialect", &error.to_string()))?;
    Ok(value.to_string())
}

fn named(name: &str, mut builtin: Vec<Candidate>) -> Result<(Vec<Candidate>, bool), Error> {
    let names = builtin.iter().filter_map(|one| Some(one.dialect.as_ref()?.name.as_str())).collect::<Vec<_>>();
    match names.iter().position(|known| *known == name) {
        Some(at) => Ok((vec![builtin.swap_remove(at)], true)),
        None => Err(invalid("dialect", &format!("{name:?} is not known; known are {}", names.join(", ")))),
    }
}

fn invalid(field: &str, text: &str) -> Error {
    Error::InvalidRequest(format!("{field}: {text}"))
}
