//! Plans and checkpoints of every kind, and a journal, as this version writes them: kept when a version is released, so
//! that every later one is tried on them (`tests/corpus`).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use fhir_import::journal::{Holder, Journal, JournalError, NewImport, SameInputs, SqliteJournal};
use serde_json::Value;

use crate::many::native;
use crate::world::Ended;

/// Seeds that are looked through for checkpoints.
const SEEDS: u64 = 4_000;

/// Writes a corpus into a folder: `NAME.plan.json` and `NAME.checkpoint.json` for each kind of checkpoint that the first
/// seeds lead to, and `journal.sqlite` with one import from its beginning to its end.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(folder: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let mut kinds = BTreeMap::new();
    for ended in (1..=SEEDS).map(native) {
        for stored in &ended.history {
            kinds.entry(kind(&stored.checkpoint)).or_insert_with(|| (ended.plan.clone(), stored.checkpoint.clone()));
        }
    }
    for (name, (plan, checkpoint)) in &kinds {
        std::fs::write(folder.join(format!("{name}.plan.json")), plan)?;
        std::fs::write(folder.join(format!("{name}.checkpoint.json")), checkpoint)?;
    }
    journal(folder, &native(1)).map_err(io::Error::other)?;
    Ok(kinds.len())
}

/// The state, and the reason of a pause.
fn kind(checkpoint: &str) -> String {
    let value: Value = serde_json::from_str(checkpoint).unwrap_or_default();
    let state = value["state"].as_object().and_then(|state| state.iter().next());
    let Some((name, state)) = state else { return "unknown".to_owned() };
    match state["reason"].as_str() {
        Some(reason) => format!("{name}-{reason}"),
        None => name.clone(),
    }
}

fn journal(folder: &Path, ended: &Ended) -> Result<(), JournalError> {
    let state = folder.join("state");
    let journal = SqliteJournal::open(&state)?;
    let (first, later) = ended.history.split_first().expect("an import begins with a transition");
    let id = fhir_import::journal::ImportId::from_bytes([1; 16]);
    journal.create(&NewImport {
        id,
        key: Some("nightly".to_owned()),
        inputs_digest: "digest".to_owned(),
        server: ended.base.clone(),
        created_ms: first.at_ms,
        plan: ended.plan.clone(),
        host: "{}".to_owned(),
        first: first.clone(),
        same_inputs: SameInputs::Refuse,
    })?;
    let lease = journal.lease(&id, &Holder { pid: 1, host: "corpus".to_owned(), since_ms: first.at_ms })?;
    for (generation, transition) in (0..).zip(later) {
        journal.append(&lease, generation, transition)?;
    }
    drop(lease);
    drop(journal);
    let stored = state.join("journal.sqlite");
    std::fs::rename(&stored, folder.join("journal.sqlite"))
        .and_then(|()| std::fs::remove_dir_all(&state))
        .map_err(|source| JournalError::Store { path: stored, doing: "move the journal", source: Box::new(source) })
}
