//! A journal whose disk fails and whose process dies, where the seed says so.

use std::sync::{Mutex, PoisonError};

use fhir_import::journal::{
    Holder, ImportId, ImportSummary, Intent, Journal, JournalError, Lease, MemoryJournal, NewImport, StoredImport,
    StoredTransition,
};

use crate::chance::Chance;
use crate::death::Death;

/// What can happen to a write.
#[derive(Clone, Copy)]
enum Fate {
    Fine,
    /// An error, and nothing is stored.
    LostWithError,
    /// An error, and all the same it is stored.
    StoredWithError,
    /// The process dies before it.
    DiesBefore,
    /// The process dies after it.
    DiesAfter,
}

/// A journal that outlives the processes that write it.
pub struct Disk {
    stored: MemoryJournal,
    chance: Mutex<Chance>,
    death: Death,
}

impl Disk {
    /// An empty journal.
    #[must_use]
    pub fn new(chance: Chance, death: Death) -> Self {
        Self { stored: MemoryJournal::new(), chance: Mutex::new(chance), death }
    }

    /// What is really stored.
    #[must_use]
    pub fn stored(&self) -> &MemoryJournal {
        &self.stored
    }

    fn fate(&self) -> Fate {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        if !chance.strikes() {
            return Fate::Fine;
        }
        match chance.pick(4) {
            0 => Fate::LostWithError,
            1 => Fate::StoredWithError,
            2 => Fate::DiesBefore,
            _ => Fate::DiesAfter,
        }
    }

    fn write<T>(&self, write: impl FnOnce() -> Result<T, JournalError>) -> Result<T, JournalError> {
        match self.fate() {
            Fate::Fine => write(),
            Fate::LostWithError => Err(failed()),
            Fate::StoredWithError => write().and(Err(failed())),
            Fate::DiesBefore => {
                self.death.comes();
                Err(failed())
            }
            Fate::DiesAfter => {
                let written = write();
                self.death.comes();
                written.and(Err(failed()))
            }
        }
    }
}

fn failed() -> JournalError {
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    JournalError::Store { path: "simulated".into(), doing: "store a record", source: Box::new(source) }
}

impl Journal for Disk {
    fn create(&self, import: &NewImport) -> Result<(), JournalError> {
        self.write(|| self.stored.create(import))
    }

    fn load(&self, id: &ImportId) -> Result<StoredImport, JournalError> {
        self.stored.load(id)
    }

    fn list(&self) -> Result<Vec<ImportSummary>, JournalError> {
        self.stored.list()
    }

    fn history(&self, id: &ImportId) -> Result<Vec<StoredTransition>, JournalError> {
        self.stored.history(id)
    }

    fn lease(&self, id: &ImportId, holder: &Holder) -> Result<Lease, JournalError> {
        self.write(|| self.stored.lease(id, holder))
    }

    fn append(&self, lease: &Lease, expected: u64, transition: &StoredTransition) -> Result<u64, JournalError> {
        self.write(|| self.stored.append(lease, expected, transition))
    }

    fn intend(&self, lease: &Lease, generation: u64, at_ms: u64) -> Result<Intent, JournalError> {
        self.write(|| self.stored.intend(lease, generation, at_ms))
    }

    fn append_host(&self, lease: &Lease, host: &str) -> Result<(), JournalError> {
        self.write(|| self.stored.append_host(lease, host))
    }
}
