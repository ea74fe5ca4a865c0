//! The file of [`SqliteJournal`](super::SqliteJournal): made once, and recognised before it is written to.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, config::DbConfig, ffi};

use super::error::{JournalError, Result};
use super::lease::LockFile;
use super::private;
use super::record::Seal;
use super::rows::Fault;

/// The name of the file in the state folder.
pub(super) const FILE: &str = "journal.sqlite";
/// The folder of the lock files in the state folder.
pub(super) const LOCKS: &str = "locks";

/// Marks a SQLite file as ours: `FHIJ`.
const APPLICATION_ID: i64 = 0x4648_494A;
/// The format of the tables. A released one stays readable: a newer version migrates it, an older one refuses.
const FORMAT: i64 = 1;
/// How long to wait for another writer; each write takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// The tables, word for word as SQLite keeps them.
const TABLES: [&str; 7] = [
    "CREATE TABLE count (one INTEGER PRIMARY KEY CHECK (one = 1), imports INTEGER NOT NULL, digest BLOB NOT NULL) STRICT",
    "CREATE TABLE head (import TEXT PRIMARY KEY REFERENCES import, generation INTEGER NOT NULL, epoch INTEGER NOT NULL, \
     intents INTEGER NOT NULL, digest BLOB NOT NULL) STRICT",
    "CREATE TABLE host (import TEXT PRIMARY KEY REFERENCES import, text TEXT NOT NULL, digest BLOB NOT NULL) STRICT",
    "CREATE TABLE import (id TEXT PRIMARY KEY, key TEXT UNIQUE, inputs_digest TEXT NOT NULL, server TEXT NOT NULL, \
     created_ms INTEGER NOT NULL, plan BLOB NOT NULL REFERENCES plan, digest BLOB NOT NULL) STRICT",
    "CREATE TABLE intent (import TEXT NOT NULL REFERENCES import, generation INTEGER NOT NULL, at_ms INTEGER NOT NULL, \
     epoch INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (import, generation)) STRICT",
    "CREATE TABLE plan (digest BLOB PRIMARY KEY, text TEXT NOT NULL) STRICT",
    "CREATE TABLE transition (import TEXT NOT NULL REFERENCES import, generation INTEGER NOT NULL, epoch INTEGER NOT NULL, \
     at_ms INTEGER NOT NULL, checkpoint TEXT NOT NULL, next_kind TEXT NOT NULL, next TEXT NOT NULL, outcome INTEGER, \
     events TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (import, generation)) STRICT",
];

/// Makes the folder and the file when there are none.
pub(super) fn prepare(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(FILE);
    let failed = |source: io::Error| JournalError::store(folder, "make a journal", source);
    private::create_folder(&folder.join(LOCKS)).map_err(failed)?;
    if !path.try_exists().map_err(failed)? {
        let _creating = LockFile::wait_for(&folder.join(LOCKS), "creating.lock").map_err(failed)?;
        create(folder, &path)?;
    }
    Ok(path)
}

/// Makes the file under another name first: one that is there is whole, and an empty one is damage.
fn create(folder: &Path, path: &Path) -> Result<()> {
    let failed = |source: io::Error| JournalError::store(folder, "make a journal", source);
    if path.try_exists().map_err(failed)? {
        return Ok(());
    }
    if beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return Err(damaged(path, "the file is missing, and its -wal is there"));
    }
    let staging = beside(path, ".new");
    for leftover in [&staging, &beside(&staging, "-journal"), &beside(&staging, "-wal"), &beside(&staging, "-shm")] {
        remove_if_present(leftover).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private::owner_only(&mut options);
    options.open(&staging).map_err(failed)?;
    fill(&staging).map_err(|source| JournalError::store(folder, "make a journal", source))?;
    std::fs::rename(&staging, path).and_then(|()| private::sync_folder(folder)).map_err(failed)
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fill(staging: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open_with_flags(staging, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction()?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    for table in TABLES {
        transaction.execute(table, [])?;
    }
    transaction.execute("INSERT INTO count VALUES (1, 0, ?)", [Seal::of_count(0).as_bytes()])?;
    transaction.commit()?;
    write_ahead(&connection)
}

/// Opens a file for reading and writing, once it is known to be a journal of this format.
pub(super) fn open(path: &Path) -> Result<Connection> {
    recognise(path)?;
    private::tighten(path).map_err(|source| JournalError::store(path, "keep others from reading", source))?;
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| write_ahead(&connection).map(|()| connection))
        .map_err(|error| Fault::from(error).at(path, "open the journal"))
}

/// Makes all that is read durable, before anybody builds on it. A process that died may have left a commit in the log
/// whose sync failed; Linux shows it to readers, and no later sync writes it. So the log is moved into the file and
/// begun anew: what is committed after this rests on nothing that a power cut takes.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let frames: i64 = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
    if frames <= 0 {
        return Ok(());
    }
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None));
    }
    connection.pragma_update(None, "user_version", FORMAT)
}

/// Looks at a file without changing it: a read-only connection neither repairs nor checkpoints. (Reading the first
/// bytes ourselves would drop the locks of other connections of this process: sqlite.org/howtocorrupt.html §2.2.)
fn recognise(path: &Path) -> Result<()> {
    let size = path.metadata().map_err(|source| JournalError::store(path, "open the journal", source))?.len();
    if size == 0 {
        return Err(damaged(path, "the file is empty"));
    }
    let read = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let marks = (number("application_id")?, number("user_version")?);
        Ok((marks, if marks == (APPLICATION_ID, FORMAT) { tables(&connection)? } else { Vec::new() }))
    });
    match read {
        Ok(((APPLICATION_ID, FORMAT), tables)) if tables == TABLES => Ok(()),
        Ok(((APPLICATION_ID, FORMAT), _)) => Err(damaged(path, "the tables are not those of a journal")),
        Ok(((APPLICATION_ID, found), _)) if found > FORMAT => {
            Err(JournalError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        Ok(((APPLICATION_ID, _), _)) => Err(damaged(path, "the number of its format is gone")),
        Ok(_) => Err(JournalError::Foreign { path: path.to_owned() }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(JournalError::Foreign { path: path.to_owned() })
        }
        Err(error) => Err(Fault::from(error).at(path, "open the journal")),
    }
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// SQLite keeps the mode it has when it cannot change it, and says so only in its answer. The change is committed after
/// the answer was read, so the statement is run to its end.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let answers: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if answers == ["wal"] {
        return Ok(());
    }
    let refused = format!("no write-ahead log can be kept here: {answers:?}");
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR), Some(refused)))
}

fn damaged(path: &Path, what: &str) -> JournalError {
    JournalError::Damaged { path: path.to_owned(), what: what.to_owned() }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
