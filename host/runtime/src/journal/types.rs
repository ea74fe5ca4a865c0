//! What a journal keeps. Plans, checkpoints and host notes hold server-issued URLs and sampled ids, so `Debug` shows
//! their length only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ImportId, Result, error::JournalError, lease::Lease};

/// What the owner of the loop does next: the cases of `next` in `wit/types.wit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextKind {
    /// Call `step`.
    Step,
    /// Make the intent durable, then call `submit`, once.
    Submit,
    /// Call `recover`.
    Recover,
    /// Call `step` at a later time.
    Wait,
    /// A person, or a credential, is needed.
    Paused,
    /// It is over.
    Done,
}

impl NextKind {
    const ALL: [Self; 6] = [Self::Step, Self::Submit, Self::Recover, Self::Wait, Self::Paused, Self::Done];

    /// The word a store keeps, the same as in `wit/types.wit`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Submit => "submit",
            Self::Recover => "recover",
            Self::Wait => "wait",
            Self::Paused => "paused",
            Self::Done => "done",
        }
    }

    /// The case with this [`word`](Self::word).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Something that happened: `event` of `wit/types.wit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Unix milliseconds; 0 when nothing was sent.
    pub at_ms: u64,
    /// A fixed word, for example `kick-off`.
    pub kind: String,
    /// One line for people, without secrets or resource content.
    pub text: String,
}

/// A decision of the component, as it is kept: `transition` of `wit/types.wit` and when it was taken.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredTransition {
    /// The checkpoint, opaque here.
    pub checkpoint: String,
    /// What comes next.
    pub next_kind: NextKind,
    /// What comes next in full, as JSON for screens; opaque here.
    pub next: String,
    /// The position in `outcome` of `wit/types.wit`, which is the exit code: how it ended, or what is reported if
    /// nobody resolves the pause. None while it goes on.
    pub outcome: Option<u8>,
    /// What happened on the way here.
    pub events: Vec<StoredEvent>,
    /// When the decision was taken, in Unix milliseconds.
    pub at_ms: u64,
}

impl fmt::Debug for StoredTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredTransition")
            .field("checkpoint", &Hidden(&self.checkpoint))
            .field("next_kind", &self.next_kind)
            .field("next", &Hidden(&self.next))
            .field("outcome", &self.outcome)
            .field("events", &self.events.len())
            .field("at_ms", &self.at_ms)
            .finish()
    }
}

/// An import to begin.
#[derive(Clone, PartialEq, Eq)]
pub struct NewImport {
    /// Its name.
    pub id: ImportId,
    /// The caller's name for the request (`--key`); at most one import of a journal has it.
    pub key: Option<String>,
    /// Equal for imports of the same files to the same server.
    pub inputs_digest: String,
    /// The server's base URL, redacted.
    pub server: String,
    /// When it was asked for, in Unix milliseconds.
    pub created_ms: u64,
    /// The plan, opaque here; kept once however many imports share it.
    pub plan: String,
    /// What the host needs to go on from another process, as JSON: local files with their hashes, identities, serve
    /// address, allow rule. No secrets.
    pub host: String,
    /// What `start` decided; it becomes generation 0.
    pub first: StoredTransition,
    /// Whether it may stand beside an unfinished import of the same files to the same server.
    pub same_inputs: SameInputs,
}

/// What becomes of an import whose files are being imported to the same server already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameInputs {
    /// It is not begun, not even when both are begun at the same moment.
    Refuse,
    /// It is begun all the same.
    Allow,
}

impl fmt::Debug for NewImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewImport")
            .field("id", &self.id)
            .field("server", &self.server)
            .field("created_ms", &self.created_ms)
            .field("plan", &Hidden(&self.plan))
            .field("host", &Hidden(&self.host))
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

/// Proof that `submit` is about to be called, written before the first byte can leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// The generation whose checkpoint `submit` is called with.
    pub generation: u64,
    /// When, in Unix milliseconds. A job that the server finished earlier is not ours.
    pub at_ms: u64,
    /// The lease under which it was written.
    pub epoch: u64,
}

/// An import as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredImport {
    /// Its name.
    pub id: ImportId,
    /// The caller's name for the request.
    pub key: Option<String>,
    /// Equal for imports of the same files to the same server.
    pub inputs_digest: String,
    /// The server's base URL, redacted.
    pub server: String,
    /// When it was asked for, in Unix milliseconds.
    pub created_ms: u64,
    /// The plan.
    pub plan: String,
    /// What the host needs to go on.
    pub host: String,
    /// How many transitions came after the first.
    pub generation: u64,
    /// The transition of this generation, with its events only.
    pub latest: StoredTransition,
    /// The intent of this generation. When there is one, `submit` may have run and nobody stored its answer: call
    /// `recover`, never `submit`.
    pub intent: Option<Intent>,
}

impl fmt::Debug for StoredImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredImport")
            .field("id", &self.id)
            .field("server", &self.server)
            .field("plan", &Hidden(&self.plan))
            .field("host", &Hidden(&self.host))
            .field("generation", &self.generation)
            .field("latest", &self.latest)
            .field("intent", &self.intent)
            .finish_non_exhaustive()
    }
}

/// One line of `jobs`.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportSummary {
    /// Its name.
    pub id: ImportId,
    /// The caller's name for the request.
    pub key: Option<String>,
    /// Equal for imports of the same files to the same server.
    pub inputs_digest: String,
    /// The server's base URL, redacted.
    pub server: String,
    /// When it was asked for, in Unix milliseconds.
    pub created_ms: u64,
    /// How many transitions came after the first.
    pub generation: u64,
    /// What comes next.
    pub next_kind: NextKind,
    /// What comes next in full, as JSON.
    pub next: String,
    /// How it ended, or what is reported if nobody resolves the pause.
    pub outcome: Option<u8>,
    /// When the latest decision was taken, in Unix milliseconds.
    pub at_ms: u64,
    /// The intent of this generation, as in [`StoredImport::intent`].
    pub intent: Option<Intent>,
}

impl fmt::Debug for ImportSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportSummary")
            .field("id", &self.id)
            .field("server", &self.server)
            .field("generation", &self.generation)
            .field("next_kind", &self.next_kind)
            .field("next", &Hidden(&self.next))
            .field("outcome", &self.outcome)
            .field("intent", &self.intent)
            .finish_non_exhaustive()
    }
}

impl From<StoredImport> for ImportSummary {
    fn from(import: StoredImport) -> Self {
        Self {
            id: import.id,
            key: import.key,
            inputs_digest: import.inputs_digest,
            server: import.server,
            created_ms: import.created_ms,
            generation: import.generation,
            next_kind: import.latest.next_kind,
            next: import.latest.next,
            outcome: import.latest.outcome,
            at_ms: import.latest.at_ms,
            intent: import.intent,
        }
    }
}

/// Where an import stands, and the rules every store applies before it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The latest generation.
    pub generation: u64,
    /// The newest lease; 0 before the first.
    pub epoch: u64,
    /// How many intents were written.
    pub intents: u64,
}

impl Head {
    /// Lets the newest lease write.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] for any other lease.
    pub fn admit(&self, lease: &Lease) -> Result<()> {
        if lease.epoch() == self.epoch {
            return Ok(());
        }
        Err(JournalError::Fenced { import: lease.import(), ours: lease.epoch(), newest: self.epoch })
    }

    /// Lets the newest lease write what follows from `expected`.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] for another lease, [`JournalError::Conflict`] for another generation.
    pub fn admit_at(&self, lease: &Lease, expected: u64) -> Result<()> {
        self.admit(lease)?;
        if expected == self.generation {
            return Ok(());
        }
        Err(JournalError::Conflict { import: lease.import(), expected, found: self.generation })
    }

    /// Lets the newest lease declare that it is about to submit.
    ///
    /// # Errors
    /// As [`admit_at`](Self::admit_at); [`JournalError::NotSubmitting`] when something else comes next;
    /// [`JournalError::AlreadyIntended`] when this generation has an intent.
    pub fn admit_intent(&self, lease: &Lease, at: u64, next: NextKind, present: Option<Intent>) -> Result<()> {
        self.admit_at(lease, at)?;
        if next != NextKind::Submit {
            return Err(JournalError::NotSubmitting { import: lease.import(), next });
        }
        present.map_or(Ok(()), |intent| Err(JournalError::AlreadyIntended { import: lease.import(), intent }))
    }
}

struct Hidden<'a>(&'a str);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}
