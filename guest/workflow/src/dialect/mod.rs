//! The schema of a dialect: what one kind of server really does, as data.
//!
//! Every dial that broke a client is a field here; its values are closed lists of shapes, each implemented once in this
//! crate. A built-in file and an operator's own have the same schema. Each table names where its values come from.
//!
//! URLs and bodies are templates, see [`crate::template`]. A URL that does not begin with `${` is below the base URL.

mod check;
mod detect;
mod extend;
mod inputs;
mod kick_off;
mod path;
mod poll;
mod recovery;
mod result;
mod settings;

pub use detect::{Confidence, DefinitionRule, Detect, Signature, SwitchedOff};
pub use extend::extend;
pub use inputs::{Caution, Delivery, Inputs, Order, Permission, Rule};
pub use kick_off::{Document, Handle, KickOff, StatusRequest};
pub use path::{Path, Where, number};
pub use poll::{BodyKind, JobState, Poll, PollRule};
pub use recovery::{Duplicate, JobList, Recovery, RecoveryClass, WithoutJobs};
pub use result::{Cancel, CancelShape, ErrorFiles, Members, Reads, ResultSection, ResultShape, Verify};
pub use settings::Setting;

use serde::{Deserialize, Serialize};

use crate::json;
use crate::json::read::{read_object, read_whole};
use crate::table::{Table, as_object};

/// One kind of server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dialect {
    /// The name on the command line.
    pub name: String,
    /// The servers it stands for.
    pub title: String,
    /// How well it is proven, for example `run against HAPI FHIR 8.8.0`.
    pub proven: String,
    /// What an operator must know that no dial says, a sentence a piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How it is recognised.
    pub detect: Detect,
    /// What `--set NAME=VALUE` may give.
    #[serde(default, with = "as_object", skip_serializing_if = "Table::is_empty")]
    pub settings: Table<Setting>,
    /// What inputs it takes.
    pub inputs: Inputs,
    /// What the host publishes for the server to fetch, beside the inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// How an import is started.
    pub kick_off: KickOff,
    /// How its status is asked for and read.
    pub poll: Poll,
    /// What its last answer holds.
    pub result: ResultSection,
    /// How it is cancelled.
    pub cancel: Cancel,
    /// What to do when nobody knows whether a kick-off was accepted.
    pub recovery: Recovery,
    /// How what was imported is read back.
    pub verify: Verify,
}

impl Dialect {
    /// Reads a dialect from its JSON. Says less of what is wrong than serde does, which reads the same.
    ///
    /// # Errors
    /// When it is no dialect.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        read_whole(&json::parse(text.as_bytes())?)
    }

    /// Whether a job that the server names can be one of before, which only its age tells.
    #[must_use]
    pub fn tells_jobs_by_age(&self) -> bool {
        self.recovery.class == RecoveryClass::List || self.result.created.is_some()
    }
}

read_object!(Dialect {
    name,
    title,
    proven,
    notes,
    detect,
    settings,
    inputs,
    document,
    kick_off,
    poll,
    result,
    cancel,
    recovery,
    verify
});
