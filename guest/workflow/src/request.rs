//! What a caller asks for. The fields mean what `wit/types.wit` says of them.

use serde::Serialize;

use crate::json::read::{read_object, read_word};

/// What the caller wants to happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Detect, import, read a sample back.
    #[default]
    Import,
    /// Only find out what the server is.
    Detect,
    /// Only read the sample and the counts back.
    Verify,
}

/// How the dialect is chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum DialectChoice {
    /// From what the server says of itself.
    Detect,
    /// A built-in one by name.
    Named(String),
    /// One given in full, as JSON in the schema of [`crate::dialect`].
    Defined(String),
}

/// One NDJSON file that the server is asked to fetch.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Input {
    /// Where the server fetches it.
    pub url: String,
    /// The resource type of its lines.
    pub resource_type: String,
    /// Resources in it, when counted.
    pub resources: Option<u64>,
    /// Its entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// A resource to be read back and compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sample {
    /// `Type/id`.
    pub reference: String,
    /// Its fingerprint; empty when only presence is checked.
    pub fingerprint: String,
}

/// How many resources of a type the input holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Expected {
    /// The resource type.
    pub resource_type: String,
    /// Resources.
    pub resources: u64,
    /// Distinct ids, when known.
    pub distinct_ids: Option<u64>,
}

/// The caller's limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// The longest wait between two polls that a 202 may ask for.
    pub poll_max_ms: u64,
    /// How long after the request's time the import is given up on.
    pub deadline_ms: u64,
    /// Rejected resources that still count as success.
    pub max_errors: u64,
}

/// What `start` is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// 32 lower-case hex digits.
    pub id: String,
    /// When the request was made, in Unix milliseconds.
    pub time_ms: u64,
    /// What is wanted.
    pub purpose: Purpose,
    /// The FHIR base URL.
    pub base_url: String,
    /// How the dialect is chosen.
    pub dialect: DialectChoice,
    /// The files.
    pub inputs: Vec<Input>,
    /// What to read back.
    pub samples: Vec<Sample>,
    /// What the input holds.
    pub expected: Vec<Expected>,
    /// Values that a dialect needs.
    pub settings: Vec<(String, String)>,
    /// Where documents will be published.
    pub documents_url: Option<String>,
    /// The caller's limits.
    pub policy: Policy,
}

read_word!(Purpose { Import = "import", Detect = "detect", Verify = "verify" });
read_object!(Input { url, resource_type, resources, etag });
read_object!(Sample { reference, fingerprint });
read_object!(Expected { resource_type, resources, distinct_ids });
read_object!(Policy { poll_max_ms, deadline_ms, max_errors });
