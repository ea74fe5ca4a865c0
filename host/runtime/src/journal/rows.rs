//! Records to rows and back. Each reading verifies the digest; each function is one statement.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, ffi, params};

use super::ImportId;
use super::error::JournalError;
use super::record::{ImportRecord, Seal};
use super::types::{Head, Intent, NewImport, NextKind, StoredTransition};

/// What went wrong inside a transaction, before it is known in which file.
#[derive(Debug)]
pub(super) enum Fault {
    /// A record is not what was written.
    Damaged(String),
    /// A rule of the journal.
    Refused(JournalError),
    /// SQLite.
    Sql(rusqlite::Error),
}

impl Fault {
    pub(super) fn at(self, path: &Path, doing: &'static str) -> JournalError {
        let path = path.to_owned();
        match self {
            Self::Damaged(what) => JournalError::Damaged { path, what },
            Self::Refused(error) => error,
            Self::Sql(error) if is_damage(&error) => JournalError::Damaged { path, what: error.to_string() },
            Self::Sql(error) if is_busy(&error) => JournalError::Busy { path },
            Self::Sql(error) => JournalError::store(path, doing, error),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        // The file ends inside of a page.
        || error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHORT_READ)
        || matches!(
            error,
            Error::InvalidColumnType(..)
                | Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::Utf8Error(..)
        )
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

type Found<T> = Result<T, Fault>;

/// What never changes in an import, owned.
pub(super) struct ImportRow {
    pub(super) id: ImportId,
    pub(super) key: Option<String>,
    pub(super) inputs_digest: String,
    pub(super) server: String,
    pub(super) created_ms: u64,
    plan: Vec<u8>,
}

impl ImportRow {
    fn record(&self) -> ImportRecord<'_> {
        ImportRecord {
            id: self.id,
            key: self.key.as_deref(),
            inputs_digest: &self.inputs_digest,
            server: &self.server,
            created_ms: self.created_ms,
            plan: &self.plan,
        }
    }
}

pub(super) fn import(connection: &Connection, id: ImportId) -> Found<Option<ImportRow>> {
    let mut statement = connection.prepare_cached("SELECT * FROM import WHERE id = ?")?;
    let mut rows = statement.query([id.to_string()])?;
    rows.next()?.map(import_of).transpose()
}

/// All imports, oldest first; fails when one vanished.
pub(super) fn imports(connection: &Connection) -> Found<Vec<ImportRow>> {
    // Read in the order of the table: an index may be damaged where the table is not.
    let mut statement = connection.prepare_cached("SELECT * FROM import NOT INDEXED")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(import_of(row)?);
    }
    if all.len() as u64 != count(connection)? {
        return Err(Fault::Damaged("an import is missing".to_owned()));
    }
    all.sort_by_key(|import| (import.created_ms, import.id));
    Ok(all)
}

fn import_of(row: &Row<'_>) -> Found<ImportRow> {
    let import = ImportRow {
        id: row
            .get_ref("id")?
            .as_str()
            .ok()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| broken("the id of an import"))?,
        key: row.get("key")?,
        inputs_digest: row.get("inputs_digest")?,
        server: row.get("server")?,
        created_ms: number(row, "created_ms")?,
        plan: row.get("plan")?,
    };
    verify(row, Seal::of_import(&import.record()), || format!("import {}", import.id))?;
    Ok(import)
}

pub(super) fn insert_import(connection: &Connection, import: &NewImport) -> Found<()> {
    let plan = Seal::of_plan(&import.plan);
    connection
        .execute("INSERT INTO plan VALUES (?, ?) ON CONFLICT DO NOTHING", params![plan.as_bytes(), import.plan])?;
    let record = ImportRecord {
        id: import.id,
        key: import.key.as_deref(),
        inputs_digest: &import.inputs_digest,
        server: &import.server,
        created_ms: import.created_ms,
        plan: plan.as_bytes(),
    };
    connection.execute(
        "INSERT INTO import VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            import.id.to_string(),
            record.key,
            record.inputs_digest,
            record.server,
            record.created_ms.cast_signed(),
            record.plan,
            Seal::of_import(&record).as_bytes()
        ],
    )?;
    let imports = count(connection)? + 1;
    connection.execute(
        "UPDATE count SET imports = ?, digest = ?",
        params![imports.cast_signed(), Seal::of_count(imports).as_bytes()],
    )?;
    Ok(())
}

fn count(connection: &Connection) -> Found<u64> {
    let mut statement = connection.prepare_cached("SELECT * FROM count")?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or_else(|| broken("the number of imports"))?;
    let imports = number(row, "imports")?;
    verify(row, Seal::of_count(imports), || "the number of imports".to_owned())?;
    Ok(imports)
}

pub(super) fn plan(connection: &Connection, import: &ImportRow) -> Found<String> {
    let read: Option<String> = connection
        .prepare_cached("SELECT text FROM plan WHERE digest = ?")?
        .query_row([&import.plan], |row| row.get(0))
        .optional()?;
    read.filter(|plan| Seal::of_plan(plan).as_bytes()[..] == import.plan[..])
        .ok_or_else(|| broken(format!("the plan of import {}", import.id)))
}

pub(super) fn head(connection: &Connection, id: ImportId) -> Found<Head> {
    let what = || format!("the head of import {id}");
    let mut statement = connection.prepare_cached("SELECT * FROM head WHERE import = ?")?;
    let mut rows = statement.query([id.to_string()])?;
    let row = rows.next()?.ok_or_else(|| broken(what()))?;
    let head =
        Head { generation: number(row, "generation")?, epoch: number(row, "epoch")?, intents: number(row, "intents")? };
    verify(row, Seal::of_head(id, &head), what)?;
    Ok(head)
}

pub(super) fn put_head(connection: &Connection, id: ImportId, head: Head) -> Found<()> {
    connection.execute(
        "INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?, ?)",
        params![
            id.to_string(),
            head.generation.cast_signed(),
            head.epoch.cast_signed(),
            head.intents.cast_signed(),
            Seal::of_head(id, &head).as_bytes()
        ],
    )?;
    Ok(())
}

pub(super) fn host(connection: &Connection, id: ImportId) -> Found<String> {
    let what = || format!("the host's notes of import {id}");
    let mut statement = connection.prepare_cached("SELECT * FROM host WHERE import = ?")?;
    let mut rows = statement.query([id.to_string()])?;
    let row = rows.next()?.ok_or_else(|| broken(what()))?;
    let text: String = row.get("text")?;
    verify(row, Seal::of_host(id, &text), what)?;
    Ok(text)
}

pub(super) fn put_host(connection: &Connection, id: ImportId, host: &str) -> Found<()> {
    connection.execute(
        "INSERT OR REPLACE INTO host VALUES (?, ?, ?)",
        params![id.to_string(), host, Seal::of_host(id, host).as_bytes()],
    )?;
    Ok(())
}

pub(super) fn transition(connection: &Connection, id: ImportId, generation: u64) -> Found<StoredTransition> {
    let mut statement = connection.prepare_cached("SELECT * FROM transition WHERE import = ? AND generation = ?")?;
    let mut rows = statement.query(params![id.to_string(), generation.cast_signed()])?;
    let row = rows.next()?.ok_or_else(|| broken(transition_name(id, generation)))?;
    transition_of(row, id, generation)
}

/// All transitions; fails when one vanished.
pub(super) fn transitions(connection: &Connection, id: ImportId, head: &Head) -> Found<Vec<StoredTransition>> {
    let mut statement = connection.prepare_cached("SELECT * FROM transition WHERE import = ? ORDER BY generation")?;
    let mut rows = statement.query([id.to_string()])?;
    let read = (0..=head.generation).map(|generation| {
        let row = rows.next()?.ok_or_else(|| broken(transition_name(id, generation)))?;
        transition_of(row, id, generation)
    });
    read.collect()
}

fn transition_of(row: &Row<'_>, id: ImportId, generation: u64) -> Found<StoredTransition> {
    let what = || transition_name(id, generation);
    let events: String = row.get("events")?;
    let transition = StoredTransition {
        checkpoint: row.get("checkpoint")?,
        next_kind: row
            .get_ref("next_kind")?
            .as_str()
            .ok()
            .and_then(NextKind::from_word)
            .ok_or_else(|| broken(what()))?,
        next: row.get("next")?,
        outcome: row.get("outcome")?,
        events: serde_json::from_str(&events).map_err(|_| broken(what()))?,
        at_ms: number(row, "at_ms")?,
    };
    verify(row, Seal::of_transition(id, generation, number(row, "epoch")?, &transition), what)?;
    Ok(transition)
}

pub(super) fn insert_transition(
    connection: &Connection,
    id: ImportId,
    head: &Head,
    transition: &StoredTransition,
) -> Found<()> {
    let events = serde_json::to_string(&transition.events).expect("numbers and text are always JSON");
    connection.execute(
        "INSERT INTO transition VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id.to_string(),
            head.generation.cast_signed(),
            head.epoch.cast_signed(),
            transition.at_ms.cast_signed(),
            transition.checkpoint,
            transition.next_kind.word(),
            transition.next,
            transition.outcome,
            events,
            Seal::of_transition(id, head.generation, head.epoch, transition).as_bytes()
        ],
    )?;
    Ok(())
}

/// The intent of the latest generation; fails when any intent vanished.
pub(super) fn intent(connection: &Connection, id: ImportId, head: &Head) -> Found<Option<Intent>> {
    let mut statement = connection.prepare_cached("SELECT * FROM intent WHERE import = ? ORDER BY generation")?;
    let mut rows = statement.query([id.to_string()])?;
    let (mut seen, mut latest) = (0, None);
    while let Some(row) = rows.next()? {
        latest = Some(intent_of(row, id)?);
        seen += 1;
    }
    if seen != head.intents {
        return Err(broken(format!("the intents of import {id}")));
    }
    Ok(latest.filter(|intent| intent.generation == head.generation))
}

fn intent_of(row: &Row<'_>, id: ImportId) -> Found<Intent> {
    let intent =
        Intent { generation: number(row, "generation")?, at_ms: number(row, "at_ms")?, epoch: number(row, "epoch")? };
    verify(row, Seal::of_intent(id, &intent), || format!("an intent of import {id}"))?;
    Ok(intent)
}

pub(super) fn insert_intent(connection: &Connection, id: ImportId, intent: &Intent) -> Found<()> {
    connection.execute(
        "INSERT INTO intent VALUES (?, ?, ?, ?, ?)",
        params![
            id.to_string(),
            intent.generation.cast_signed(),
            intent.at_ms.cast_signed(),
            intent.epoch.cast_signed(),
            Seal::of_intent(id, intent).as_bytes()
        ],
    )?;
    Ok(())
}

fn verify(row: &Row<'_>, seal: Seal, what: impl FnOnce() -> String) -> Found<()> {
    match row.get_ref("digest")?.as_blob() {
        Ok(stored) if stored == seal.as_bytes() => Ok(()),
        _ => Err(broken(what())),
    }
}

/// SQLite has signed numbers only; the bits are kept.
fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

fn transition_name(id: ImportId, generation: u64) -> String {
    format!("transition {generation} of import {id}")
}

fn broken(what: impl Into<String>) -> Fault {
    Fault::Damaged(what.into())
}
