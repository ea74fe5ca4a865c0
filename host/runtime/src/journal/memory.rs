//! A journal that lives as long as its process: for embedders that keep checkpoints themselves, and for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::error::{JournalError, Result};
use super::lease::{Holder, Lease};
use super::types::{Head, ImportSummary, Intent, NewImport, NextKind, SameInputs, StoredImport, StoredTransition};
use super::{ImportId, Journal};

/// A journal in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    imports: Mutex<BTreeMap<ImportId, Entry>>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn imports(&self) -> MutexGuard<'_, BTreeMap<ImportId, Entry>> {
        // Each change is made after the last check that can fail, so a panic elsewhere leaves nothing half done.
        self.imports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &ImportId, act: impl FnOnce(&mut Entry) -> Result<T>) -> Result<T> {
        match self.imports().get_mut(id) {
            Some(entry) => act(entry),
            None => Err(JournalError::NotFound { wanted: id.to_string() }),
        }
    }
}

#[derive(Debug)]
struct Entry {
    import: NewImport,
    later: Vec<StoredTransition>,
    intents: Vec<Intent>,
    epoch: u64,
    holder: Option<(Holder, Weak<()>)>,
}

impl Entry {
    fn new(import: NewImport) -> Self {
        Self { import, later: Vec::new(), intents: Vec::new(), epoch: 0, holder: None }
    }

    fn head(&self) -> Head {
        Head { generation: self.later.len() as u64, epoch: self.epoch, intents: self.intents.len() as u64 }
    }

    fn latest(&self) -> &StoredTransition {
        self.later.last().unwrap_or(&self.import.first)
    }

    fn intent(&self) -> Option<Intent> {
        self.intents.last().copied().filter(|intent| intent.generation == self.head().generation)
    }

    fn stored(&self) -> StoredImport {
        let import = self.import.clone();
        StoredImport {
            id: import.id,
            key: import.key,
            inputs_digest: import.inputs_digest,
            server: import.server,
            created_ms: import.created_ms,
            plan: import.plan,
            host: import.host,
            generation: self.head().generation,
            latest: self.latest().clone(),
            intent: self.intent(),
        }
    }

    fn lease(&mut self, holder: &Holder) -> Result<Lease> {
        let import = self.import.id;
        if let Some((holder, lock)) = &self.holder
            && lock.strong_count() > 0
        {
            return Err(JournalError::Locked { import, holder: Some(holder.clone()) });
        }
        let lock = Arc::new(());
        self.holder = Some((holder.clone(), Arc::downgrade(&lock)));
        self.epoch += 1;
        Ok(Lease::new(import, self.epoch, lock))
    }

    fn intend(&mut self, lease: &Lease, generation: u64, at_ms: u64) -> Result<Intent> {
        self.head().admit_intent(lease, generation, self.latest().next_kind, self.intent())?;
        let intent = Intent { generation, at_ms, epoch: lease.epoch() };
        self.intents.push(intent);
        Ok(intent)
    }
}

impl Journal for MemoryJournal {
    fn create(&self, import: &NewImport) -> Result<()> {
        let mut imports = self.imports();
        if imports.contains_key(&import.id) {
            return Err(JournalError::Exists { import: import.id });
        }
        if let Some(key) = &import.key
            && let Some(other) = imports.values().find(|other| other.import.key.as_ref() == Some(key))
        {
            return Err(JournalError::KeyTaken { key: key.clone(), by: other.import.id });
        }
        let same = |other: &&Entry| {
            other.import.inputs_digest == import.inputs_digest && other.latest().next_kind != NextKind::Done
        };
        if import.same_inputs == SameInputs::Refuse
            && let Some(other) = imports.values().find(same)
        {
            return Err(JournalError::Unfinished { by: other.import.id });
        }
        imports.insert(import.id, Entry::new(import.clone()));
        Ok(())
    }

    fn load(&self, id: &ImportId) -> Result<StoredImport> {
        self.with(id, |entry| Ok(entry.stored()))
    }

    fn list(&self) -> Result<Vec<ImportSummary>> {
        let mut all: Vec<ImportSummary> = self.imports().values().map(|entry| entry.stored().into()).collect();
        all.sort_by_key(|import| (import.created_ms, import.id));
        Ok(all)
    }

    fn history(&self, id: &ImportId) -> Result<Vec<StoredTransition>> {
        self.with(id, |entry| {
            let first = std::iter::once(&entry.import.first);
            Ok(first.chain(&entry.later).cloned().collect())
        })
    }

    fn lease(&self, id: &ImportId, holder: &Holder) -> Result<Lease> {
        self.with(id, |entry| entry.lease(holder))
    }

    fn append(&self, lease: &Lease, expected: u64, transition: &StoredTransition) -> Result<u64> {
        self.with(&lease.import(), |entry| {
            entry.head().admit_at(lease, expected)?;
            entry.later.push(transition.clone());
            Ok(entry.head().generation)
        })
    }

    fn intend(&self, lease: &Lease, generation: u64, at_ms: u64) -> Result<Intent> {
        self.with(&lease.import(), |entry| entry.intend(lease, generation, at_ms))
    }

    fn append_host(&self, lease: &Lease, host: &str) -> Result<()> {
        self.with(&lease.import(), |entry| {
            entry.head().admit(lease)?;
            host.clone_into(&mut entry.import.host);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_keeps_the_rules_of_a_journal() {
        super::super::conformance::run(&|| Box::new(MemoryJournal::new()));
    }
}
