//! What a person asks for, as typed.

use std::net::SocketAddr;

use url::Url;

use super::{Access, Server};
use crate::contract::Policy;

/// The longest wait between two polls that a 202 may ask for, unless the caller says otherwise.
const POLL_MAX_MS: u64 = 10 * 60 * 1000;
/// How long an import is waited for, unless the caller says otherwise.
const DEADLINE_MS: u64 = 24 * 60 * 60 * 1000;
/// How many resources are read back, unless the caller says otherwise.
const SAMPLES: u32 = 50;

/// What to import, where, and within which limits.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The FHIR server.
    pub server: Server,
    /// Files, folders, `Type=path` and URLs, as typed.
    pub inputs: Vec<String>,
    /// How the dialect is chosen.
    pub dialect: DialectWanted,
    /// Values that a dialect needs, without secrets.
    pub settings: Vec<(String, String)>,
    /// The caller's name for the request.
    pub key: Option<String>,
    /// What to do when the same files are being imported already.
    pub unfinished: Unfinished,
    /// Limits.
    pub policy: Policy,
    /// How many resources are read back; at most 200.
    pub sample_size: u32,
    /// Where local files are served; none lets a FHIR server on this machine have them by a free loopback port.
    pub serve: Option<ServeOptions>,
    /// How the server is reached.
    pub access: Access,
    /// Whether each line is looked at before anything is sent.
    pub check: CheckMode,
}

impl RunOptions {
    /// An import with the defaults: a dialect by detection, ten minutes as the longest wait between polls, a day as
    /// deadline, no tolerated errors, 50 samples, each line checked.
    #[must_use]
    pub fn new(server: Server, inputs: impl IntoIterator<Item = String>) -> Self {
        Self {
            server,
            inputs: inputs.into_iter().collect(),
            dialect: DialectWanted::Detect,
            settings: Vec::new(),
            key: None,
            unfinished: Unfinished::Notice,
            policy: Policy { poll_max_ms: POLL_MAX_MS, deadline_ms: DEADLINE_MS, max_errors: 0 },
            sample_size: SAMPLES,
            serve: None,
            access: Access::default(),
            check: CheckMode::Check,
        }
    }
}

/// How the dialect is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialectWanted {
    /// From what the server says of itself.
    Detect,
    /// A built-in one.
    Named(String),
    /// The text of an operator's own file.
    File {
        /// The path of the file: for messages, and for what it extends.
        name: String,
        /// The text, in TOML.
        text: String,
    },
}

/// Where local files are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// How the FHIR server reaches that; none when it is the same address.
    pub advertise: Option<Url>,
}

/// Whether each line is looked at before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckMode {
    /// Each line is checked; errors stop the import before anything is sent. Lines are counted and samples chosen.
    Check,
    /// Nothing is checked, counted or chosen.
    Skip,
}

/// What to do when the same files are being imported to the same server already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// Say so instead of starting another import.
    Notice,
    /// Start another one.
    StartAnother,
}
