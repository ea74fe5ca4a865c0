//! The journal in a file of the state folder.
//!
//! `journal.sqlite` (mode 0600, write-ahead log, `synchronous = FULL`: a commit that returned survives a power cut)
//! and `locks/` with a lock file an import, in a folder of mode 0700.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::error::{JournalError, Result};
use super::lease::{Holder, Lease, LockFile, Mark};
use super::rows::{self, Fault, ImportRow};
use super::types::{Head, ImportSummary, Intent, NewImport, NextKind, SameInputs, StoredImport, StoredTransition};
use super::{ImportId, Journal, schema};

/// A journal in a folder. Any number of processes may have the same one open.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    locks: PathBuf,
    /// None after the disk failed: what a handle remembers is not trusted after that.
    connection: Mutex<Option<Connection>>,
}

impl SqliteJournal {
    /// Opens the journal of a state folder; makes both when there are none.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], [`JournalError::Foreign`] or [`JournalError::Newer`] when the file there is not one
    /// that this version can use (it is left as it is), [`JournalError::Busy`], [`JournalError::Store`].
    pub fn open(folder: &Path) -> Result<Self> {
        let path = schema::prepare(folder)?;
        let connection = Mutex::new(Some(schema::open(&path)?));
        Ok(Self { path, locks: folder.join(schema::LOCKS), connection })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read<T>(&self, doing: &'static str, act: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T> {
        self.run(doing, |connection| act(&connection.transaction()?))
    }

    fn write<T>(&self, doing: &'static str, act: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T> {
        self.run(doing, |connection| {
            // The right to write is taken before the first read, so that what was read still holds at the commit.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = act(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    fn run<T>(&self, doing: &'static str, act: impl FnOnce(&mut Connection) -> Result<T, Fault>) -> Result<T> {
        // A panic inside a transaction rolls it back when it is dropped.
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(schema::open(&self.path).and_then(|connection| self.settled(connection))?),
        };
        let done = act(connection);
        if let Err(Fault::Sql(error)) = &done
            && error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
        {
            *slot = None;
        }
        done.map_err(|fault| fault.at(&self.path, doing))
    }

    fn settled(&self, connection: Connection) -> Result<Connection> {
        schema::settle(&connection).map_err(|error| Fault::from(error).at(&self.path, "open the journal"))?;
        Ok(connection)
    }

    /// Raises the epoch, unless the lock file remembers more than the store does.
    fn raise_epoch(&self, id: ImportId, lock: &LockFile) -> Result<Head> {
        let mark = lock.mark();
        self.write("store a lease", |tx| {
            let head = rows::head(tx, id)?;
            if mark.is_some_and(|mark| mark.epoch > head.epoch || mark.intents > head.intents) {
                let (path, lock) = (self.path.clone(), lock.path().to_owned());
                return Err(JournalError::OlderCopy { path, lock }.into());
            }
            let head = Head { epoch: head.epoch + 1, ..head };
            rows::put_head(tx, id, head)?;
            Ok(head)
        })
    }
}

#[cfg(test)]
impl SqliteJournal {
    /// Acts as if the disk had failed.
    pub(super) fn fail_once(&self) -> JournalError {
        let failure =
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC), None);
        self.write("fail", |_| Err::<(), _>(Fault::Sql(failure))).expect_err("a failure was asked for")
    }
}

impl Journal for SqliteJournal {
    fn create(&self, import: &NewImport) -> Result<()> {
        self.write("store an import", |tx| {
            refuse_taken(tx, import)?;
            rows::insert_import(tx, import)?;
            // The plan may have been there before: a damaged one must not be built on.
            rows::plan(tx, &self::import(tx, import.id)?)?;
            let head = Head { generation: 0, epoch: 0, intents: 0 };
            rows::put_head(tx, import.id, head)?;
            rows::put_host(tx, import.id, &import.host)?;
            rows::insert_transition(tx, import.id, &head, &import.first)
        })
    }

    fn load(&self, id: &ImportId) -> Result<StoredImport> {
        self.read("read an import", |tx| {
            let import = import(tx, *id)?;
            let head = rows::head(tx, *id)?;
            Ok(StoredImport {
                plan: rows::plan(tx, &import)?,
                host: rows::host(tx, *id)?,
                generation: head.generation,
                latest: rows::transition(tx, *id, head.generation)?,
                intent: rows::intent(tx, *id, &head)?,
                id: *id,
                key: import.key,
                inputs_digest: import.inputs_digest,
                server: import.server,
                created_ms: import.created_ms,
            })
        })
    }

    fn list(&self) -> Result<Vec<ImportSummary>> {
        self.read("read the imports", |tx| rows::imports(tx)?.into_iter().map(|import| summary(tx, import)).collect())
    }

    fn history(&self, id: &ImportId) -> Result<Vec<StoredTransition>> {
        self.read("read the history of an import", |tx| {
            import(tx, *id)?;
            rows::transitions(tx, *id, &rows::head(tx, *id)?)
        })
    }

    fn lease(&self, id: &ImportId, holder: &Holder) -> Result<Lease> {
        self.read("read an import", |tx| import(tx, *id))?;
        let lock = LockFile::take(&self.locks, *id)?;
        self.run("store a lease", |connection| Ok(schema::settle(connection)?))?;
        let head = self.raise_epoch(*id, &lock)?;
        lock.write_mark(&Mark { holder: holder.clone(), epoch: head.epoch, intents: head.intents })?;
        Ok(Lease::new(*id, head.epoch, lock))
    }

    fn append(&self, lease: &Lease, expected: u64, transition: &StoredTransition) -> Result<u64> {
        let id = lease.import();
        self.write("store a transition", |tx| {
            import(tx, id)?;
            let head = rows::head(tx, id)?;
            head.admit_at(lease, expected)?;
            let head = Head { generation: head.generation + 1, ..head };
            rows::insert_transition(tx, id, &head, transition)?;
            rows::put_head(tx, id, head)?;
            Ok(head.generation)
        })
    }

    fn intend(&self, lease: &Lease, generation: u64, at_ms: u64) -> Result<Intent> {
        let intents = self.write("store an intent", |tx| insert_intent(tx, lease, generation, at_ms))?;
        if let Some(lock) = lease.lock::<LockFile>()
            && let Some(mark) = lock.mark()
        {
            lock.write_mark(&Mark { intents, ..mark })?;
        }
        Ok(Intent { generation, at_ms, epoch: lease.epoch() })
    }

    fn append_host(&self, lease: &Lease, host: &str) -> Result<()> {
        let id = lease.import();
        self.write("store the host's notes", |tx| {
            import(tx, id)?;
            rows::head(tx, id)?.admit(lease)?;
            rows::put_host(tx, id, host)
        })
    }
}

/// The import, or why there is none: all records are read before it is said not to be there.
fn import(tx: &Transaction<'_>, id: ImportId) -> Result<ImportRow, Fault> {
    if let Some(import) = rows::import(tx, id)? {
        return Ok(import);
    }
    let found = rows::imports(tx)?.into_iter().find(|import| import.id == id);
    found.ok_or_else(|| JournalError::NotFound { wanted: id.to_string() }.into())
}

fn refuse_taken(tx: &Transaction<'_>, new: &NewImport) -> Result<(), Fault> {
    for present in rows::imports(tx)? {
        if present.id == new.id {
            return Err(JournalError::Exists { import: new.id }.into());
        }
        if let Some(key) = new.key.as_ref().filter(|key| present.key.as_ref() == Some(key)) {
            return Err(JournalError::KeyTaken { key: key.clone(), by: present.id }.into());
        }
        let same = new.same_inputs == SameInputs::Refuse && present.inputs_digest == new.inputs_digest;
        let by = present.id;
        if same && summary(tx, present)?.next_kind != NextKind::Done {
            return Err(JournalError::Unfinished { by }.into());
        }
    }
    Ok(())
}

/// Stores an intent and returns how many there are now.
fn insert_intent(tx: &Transaction<'_>, lease: &Lease, generation: u64, at_ms: u64) -> Result<u64, Fault> {
    let id = lease.import();
    import(tx, id)?;
    let head = rows::head(tx, id)?;
    let next = rows::transition(tx, id, head.generation)?.next_kind;
    head.admit_intent(lease, generation, next, rows::intent(tx, id, &head)?)?;
    let head = Head { intents: head.intents + 1, ..head };
    rows::insert_intent(tx, id, &Intent { generation, at_ms, epoch: head.epoch })?;
    rows::put_head(tx, id, head)?;
    Ok(head.intents)
}

fn summary(tx: &Transaction<'_>, import: ImportRow) -> Result<ImportSummary, Fault> {
    let head = rows::head(tx, import.id)?;
    let latest = rows::transition(tx, import.id, head.generation)?;
    Ok(ImportSummary {
        intent: rows::intent(tx, import.id, &head)?,
        id: import.id,
        key: import.key,
        inputs_digest: import.inputs_digest,
        server: import.server,
        created_ms: import.created_ms,
        generation: head.generation,
        next_kind: latest.next_kind,
        next: latest.next,
        outcome: latest.outcome,
        at_ms: latest.at_ms,
    })
}
