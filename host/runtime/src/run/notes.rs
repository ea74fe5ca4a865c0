//! What the host writes down to go on from another process. No secrets.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::RunError;
use crate::contract::{DialectChoice, ExpectedCount, Policy, Sample};
use crate::files::{ContentDigest, Identity};
use crate::serve::CapabilityPath;

/// The form of notes that this version writes.
const VERSION: u32 = 1;

/// What the host needs beside plan and checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostNotes {
    version: u32,
    /// The FHIR base URL.
    pub server: String,
    /// How the dialect was chosen.
    pub dialect: DialectNote,
    /// The inputs, in the order in which they are submitted.
    pub inputs: Vec<InputNote>,
    /// The documents that are served beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<DocumentNote>,
    /// Where local files and documents are served.
    pub serve: Option<ServeNote>,
    /// What may be reached beside the server, as typed.
    pub allow: Vec<String>,
    /// A PEM file of further authorities.
    pub ca: Option<PathBuf>,
    /// What is read back.
    pub samples: Vec<Sample>,
    /// What the input holds.
    pub expected: Vec<ExpectedCount>,
    /// The caller's limits.
    pub policy: Policy,
}

/// How the dialect was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialectNote {
    /// From what the server says of itself.
    Detect,
    /// A built-in one by name.
    Named(String),
    /// A definition, as JSON.
    Defined(String),
}

/// An input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputNote {
    /// A file that we serve.
    Local(FileNote),
    /// A URL without its query, or a name in the server's store.
    Remote(String),
}

/// A file that we serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileNote {
    /// Where it is.
    pub path: PathBuf,
    /// Its resource type.
    pub resource_type: String,
    /// What the file system said of it.
    pub identity: Identity,
    /// Its content.
    pub digest: ContentDigest,
    /// Where it is served.
    pub served: CapabilityPath,
}

/// A document that we serve.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DocumentNote {
    /// Where it is served.
    pub served: CapabilityPath,
    /// Its media type.
    pub media_type: String,
    /// Its text.
    pub content: String,
}

/// Without the content, which holds the paths of the files.
impl std::fmt::Debug for DocumentNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DocumentNote").field("served", &self.served).finish_non_exhaustive()
    }
}

/// Where local files and documents are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServeNote {
    /// The address that was bound, with its real port.
    pub bound: SocketAddr,
    /// How the FHIR server reaches it.
    #[serde(with = "as_text")]
    pub advertise: Url,
}

/// A URL as JSON text.
mod as_text {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        let text = String::deserialize(deserializer)?;
        Url::parse(&text).map_err(|_| D::Error::custom("expected a URL"))
    }
}

impl HostNotes {
    /// Notes of an import that has no files.
    #[must_use]
    pub fn new(server: String, dialect: DialectNote, policy: Policy) -> Self {
        Self {
            version: VERSION,
            server,
            dialect,
            inputs: Vec::new(),
            documents: Vec::new(),
            serve: None,
            allow: Vec::new(),
            ca: None,
            samples: Vec::new(),
            expected: Vec::new(),
            policy,
        }
    }

    /// The same without files, for an import that only reads.
    #[must_use]
    pub fn without_files(self) -> Self {
        Self { inputs: Vec::new(), documents: Vec::new(), serve: None, ..self }
    }

    /// Reads notes back.
    ///
    /// # Errors
    /// [`RunError::Notes`] when another version wrote them.
    pub fn decode(text: &str) -> Result<Self, RunError> {
        let notes: Self = serde_json::from_str(text).map_err(|_| RunError::Notes)?;
        if notes.version == VERSION { Ok(notes) } else { Err(RunError::Notes) }
    }

    /// The notes as text.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("notes have no map keys but field names")
    }

    /// The files that we serve.
    pub fn files(&self) -> impl Iterator<Item = &FileNote> {
        self.inputs.iter().filter_map(|input| match input {
            InputNote::Local(file) => Some(file),
            InputNote::Remote(_) => None,
        })
    }
}

impl From<DialectNote> for DialectChoice {
    fn from(note: DialectNote) -> Self {
        match note {
            DialectNote::Detect => Self::Detect,
            DialectNote::Named(name) => Self::Named(name),
            DialectNote::Defined(definition) => Self::Defined(definition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_the_journal_and_newer_ones_are_refused() {
        let policy = Policy { poll_max_ms: 1, deadline_ms: 2, max_errors: 3 };
        let mut notes = HostNotes::new("http://h/fhir".to_owned(), DialectNote::Named("hapi".to_owned()), policy);
        let advertise = Url::parse("https://files.example.org/x/").unwrap();
        notes.serve = Some(ServeNote { bound: "127.0.0.1:8765".parse().unwrap(), advertise });
        let text = notes.encode();
        assert_eq!(HostNotes::decode(&text).unwrap().encode(), text);
        let newer = text.replace("\"version\":1", "\"version\":2");
        assert!(matches!(HostNotes::decode(&newer), Err(RunError::Notes)));
    }
}
