//! What earlier versions wrote stays readable: plans, checkpoints and journals in `tests/corpus/`, a folder a released form.
//!
//! A released folder is never changed. `cargo xtask simulate --corpus tests/corpus/vN` writes the one of a new form.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhir_import::contract::Next;
use fhir_import::journal::{Journal, SqliteJournal};
use fhir_import::{SharedClock, VirtualClock, inspect, stored_next};
use tempfile::TempDir;

use crate::harness::rig::{START_MS, engine};

fn forms() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut forms: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    forms.sort();
    assert!(!forms.is_empty());
    forms
}

/// Name, plan and checkpoint of each kind.
fn kinds(form: &Path) -> Vec<(String, String, String)> {
    let read = |name: &str, what: &str| fs::read_to_string(form.join(format!("{name}.{what}.json"))).unwrap();
    let names = fs::read_dir(form).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let kinds = names.filter_map(|name| name.strip_suffix(".checkpoint.json").map(str::to_owned));
    kinds.map(|name| (name.clone(), read(&name, "plan"), read(&name, "checkpoint"))).collect()
}

#[tokio::test]
async fn every_plan_and_checkpoint_that_was_ever_released_is_understood() {
    let clock: SharedClock = Arc::new(VirtualClock::at(START_MS));
    for form in forms() {
        let kinds = kinds(&form);
        assert!(kinds.len() >= 12, "{}: {} kinds", form.display(), kinds.len());
        for (name, plan, checkpoint) in kinds {
            let status = inspect(&engine(), &clock, &plan, &checkpoint).await;
            let status = status.unwrap_or_else(|error| panic!("{} {name}: {error}", form.display()));
            assert_eq!(matches!(status.next, Next::Paused(_)), name.starts_with("paused"), "{name}");
            assert_eq!(matches!(status.next, Next::Done(_)), name == "finished", "{name}");
        }
    }
}

#[test]
fn every_journal_that_was_ever_released_is_read() {
    for form in forms() {
        let folder = TempDir::new().unwrap();
        fs::copy(form.join("journal.sqlite"), folder.path().join("journal.sqlite")).unwrap();
        let journal = SqliteJournal::open(folder.path()).unwrap();
        let [import] = &journal.list().unwrap()[..] else { panic!("one import is in it") };
        assert_eq!(import.key.as_deref(), Some("nightly"));
        let history = journal.history(&import.id).unwrap();
        assert!(history.len() > 5);
        for stored in &history {
            stored_next(stored).unwrap();
        }
        assert!(matches!(stored_next(history.last().unwrap()).unwrap(), Next::Done(_)));
    }
}
