//! The journal: what is durable before what.
//!
//! An import is a row of transitions, numbered from 0 (its *generations*). The journal keeps them so that an import
//! goes on from any process after any crash, and so that one kick-off is never sent twice. The rules, which follow
//! those of `wit/importer.wit` and the crash matrix of the tests (K0 to K13):
//!
//! 1. **Plan and first transition before anything is sent.** [`Journal::create`] makes both, the host's notes (files
//!    with their hashes, serve address, allow rule) and the key durable at once. Of two processes that begin the same
//!    request at the same moment, by key or by files, one does.
//! 2. **A lease before any call.** [`Journal::lease`] gives one process the right to drive an import, and an epoch
//!    higher than any before. Whoever holds an older one can write nothing more.
//! 3. **A transition before its `next` is acted on.** [`Journal::append`] stores checkpoint, next and events together,
//!    only when the generation is the one the caller built on, and is durable when it returns.
//! 4. **The intent before `submit`.** [`Journal::intend`] is a durable test-and-set, once a generation. No intent:
//!    `submit` has not run. An intent and no later generation: it may have, so call `recover`.
//! 5. **The accepted handle is told before it is stored**: the owner of the loop prints the events of a transition of
//!    `submit`, then appends it, so that a person can adopt the job when the disk fails in between.
//! 6. **The last transition before the report.** A report is made from the journal, so that making it again gives the
//!    same bytes.
//! 7. **What changed in the host's notes before it is relied on**: [`Journal::append_host`], for example a new serve
//!    address before the transition that lets the server fetch from it.
//!
//! A call that fails with [`JournalError::Store`] may or may not have stored its record: [`Journal::load`] tells.
//!
//! Reading needs no lease and sees one moment: `jobs`, `status` and `report` work while another process drives.
//!
//! Every record carries a digest over its values ([`Seal`]), verified at each reading, and what counts records (the
//! head of an import, the store itself) carries one too: a record that changed or vanished is
//! [`JournalError::Damaged`]. A store that is damaged, foreign or newer is never written to.
//!
//! [`SqliteJournal`] keeps it in a file; [`MemoryJournal`] for as long as the process lives. Another store implements
//! the eight required methods of [`Journal`] with the rules of [`Head`], and passes [`conformance`].

pub mod conformance;
mod error;
mod id;
mod lease;
mod memory;
mod private;
mod record;
mod rows;
mod schema;
mod sqlite;
#[cfg(test)]
mod sqlite_tests;
mod types;

pub use error::{JournalError, Result};
pub use id::{ImportId, InvalidImportId};
pub use lease::{Holder, Lease, utc};
pub use memory::MemoryJournal;
pub(crate) use private::{create_folder as create_private_folder, open_private, sync_folder};
pub use record::{ImportRecord, Seal};
pub use sqlite::SqliteJournal;
pub use types::{
    Head, ImportSummary, Intent, NewImport, NextKind, SameInputs, StoredEvent, StoredImport, StoredTransition,
};

/// Where imports are kept. Calls block while the disk works; async callers move them to a blocking thread.
pub trait Journal: Send + Sync {
    /// Begins an import: plan, host's notes and first transition (generation 0), durable together.
    ///
    /// # Errors
    /// [`JournalError::Exists`], [`JournalError::KeyTaken`], [`JournalError::Unfinished`], or a failing store.
    fn create(&self, import: &NewImport) -> Result<()>;

    /// An import as it stands.
    ///
    /// # Errors
    /// [`JournalError::NotFound`], [`JournalError::Damaged`], or a failing store.
    fn load(&self, id: &ImportId) -> Result<StoredImport>;

    /// All imports, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], or a failing store.
    fn list(&self) -> Result<Vec<ImportSummary>>;

    /// All transitions of an import from generation 0 on, for replay.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn history(&self, id: &ImportId) -> Result<Vec<StoredTransition>>;

    /// Takes the right to drive an import, until the lease is dropped.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another process, or another lease of this one, has it;
    /// [`JournalError::OlderCopy`] when the store forgot the last lease or intent; else as [`load`](Self::load).
    fn lease(&self, id: &ImportId, holder: &Holder) -> Result<Lease>;

    /// Stores what followed from generation `expected` and returns the new generation. Durable when it returns.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::Conflict`], else as [`load`](Self::load).
    fn append(&self, lease: &Lease, expected: u64, transition: &StoredTransition) -> Result<u64>;

    /// Stores that `submit` is about to be called with the checkpoint of `generation`. Durable when it returns; the
    /// caller submits only then.
    ///
    /// # Errors
    /// [`JournalError::AlreadyIntended`] the second time, [`JournalError::NotSubmitting`], else as
    /// [`append`](Self::append).
    fn intend(&self, lease: &Lease, generation: u64, at_ms: u64) -> Result<Intent>;

    /// Replaces the host's notes. Durable when it returns.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], else as [`load`](Self::load).
    fn append_host(&self, lease: &Lease, host: &str) -> Result<()>;

    /// The import whose id starts with these digits.
    ///
    /// # Errors
    /// [`JournalError::NotFound`], [`JournalError::Ambiguous`], else as [`list`](Self::list).
    fn find(&self, prefix: &str) -> Result<ImportId> {
        // A whole id is taken as it is, so that one damaged import does not hide the others.
        if let Ok(id) = prefix.parse() {
            return self.load(&id).map(|import| import.id);
        }
        let fits = |id: &ImportId| !prefix.is_empty() && id.to_string().starts_with(prefix);
        let found: Vec<ImportId> = self.list()?.into_iter().map(|import| import.id).filter(fits).collect();
        match found[..] {
            [] => Err(JournalError::NotFound { wanted: prefix.to_owned() }),
            [id] => Ok(id),
            _ => Err(JournalError::Ambiguous { prefix: prefix.to_owned(), found }),
        }
    }

    /// The import with this key. All records are read rather than an index: a damaged one must not look like none.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn by_key(&self, key: &str) -> Result<Option<ImportSummary>> {
        Ok(self.list()?.into_iter().find(|import| import.key.as_deref() == Some(key)))
    }

    /// The newest import of the same files to the same server that is not over.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn unfinished_by_inputs(&self, inputs_digest: &str) -> Result<Option<ImportSummary>> {
        let unfinished =
            |import: &ImportSummary| import.inputs_digest == inputs_digest && import.next_kind != NextKind::Done;
        Ok(self.list()?.into_iter().rfind(unfinished))
    }

    /// What happened in an import so far, oldest first.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn events(&self, id: &ImportId) -> Result<Vec<StoredEvent>> {
        Ok(self.history(id)?.into_iter().flat_map(|transition| transition.events).collect())
    }
}
