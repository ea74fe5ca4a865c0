//! What only a file can do: be somebody else's, be damaged, be shared.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use tempfile::TempDir;

use super::conformance::{self, holder, id, import, transition};
use super::schema::FILE;
use super::*;

fn open(folder: &Path) -> SqliteJournal {
    SqliteJournal::open(folder).unwrap()
}

/// A folder with two imports, one of them in the middle of a submit; everything is in the main file.
fn filled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    journal.create(&import(1, Some("run-1"))).unwrap();
    journal.create(&import(2, None)).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    journal.append(&lease, 0, &transition(NextKind::Wait, "c1")).unwrap();
    journal.append(&lease, 1, &transition(NextKind::Submit, "c2")).unwrap();
    journal.intend(&lease, 2, 77).unwrap();
    folder
}

fn edit(folder: &Path, sql: &str) {
    Connection::open(folder.join(FILE)).unwrap().execute_batch(sql).unwrap();
}

/// Everything that a journal can be asked for.
fn read_all(folder: &Path) -> Result<String> {
    let journal = SqliteJournal::open(folder)?;
    let mut all = format!("{:?}", journal.list()?.iter().map(|import| (import, &import.key)).collect::<Vec<_>>());
    for id in [id(1), id(2)] {
        all += &all_of(&journal.load(&id)?);
        all.extend(journal.history(&id)?.iter().map(all_of_transition));
    }
    Ok(all)
}

fn all_of(import: &StoredImport) -> String {
    let shown = format!("{import:?} {:?} {}", import.key, import.inputs_digest);
    format!("{shown} {} {} {}", import.plan, import.host, all_of_transition(&import.latest))
}

fn all_of_transition(transition: &StoredTransition) -> String {
    format!("{transition:?} {} {} {:?}", transition.checkpoint, transition.next, transition.events)
}

#[test]
fn a_file_keeps_the_rules_of_a_journal() {
    let folders = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    conformance::run(&|| {
        number.set(number.get() + 1);
        Box::new(open(&folders.path().join(number.get().to_string())))
    });
}

#[test]
fn what_was_stored_is_there_when_opened_again() {
    let folder = filled();
    let journal = open(folder.path());
    let loaded = journal.load(&id(1)).unwrap();
    assert_eq!(loaded.intent, Some(Intent { generation: 2, at_ms: 77, epoch: 1 }));
    assert_eq!(journal.lease(&id(1), &holder()).unwrap().epoch(), 2);
}

#[test]
fn a_plan_is_kept_once() {
    let folder = filled();
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        Connection::open(folder.path().join(FILE)).unwrap().query_row(&sql, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    assert_eq!((count("plan"), count("import")), (1, 2));
}

fn overwrite(path: &Path, position: usize, byte: u8) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[byte], position as u64).unwrap();
}

#[test]
fn each_flipped_byte_is_detected_or_harmless() {
    let folder = filled();
    edit(folder.path(), "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM; PRAGMA journal_mode = WAL");
    let path = folder.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    let original = read_all(folder.path()).unwrap();
    let mut detected = 0;
    for position in 0..whole.len() {
        let flipped = whole[position] ^ (1 << (position % 8));
        overwrite(&path, position, flipped);
        match read_all(folder.path()) {
            Ok(read) => assert_eq!(read, original, "byte {position}"),
            Err(_) => detected += 1,
        }
        overwrite(&path, position, whole[position]);
        if fs::read(&path).unwrap() != whole {
            fs::write(&path, &whole).unwrap();
        }
    }
    assert!(detected > whole.len() / 4, "only {detected} of {} bytes matter", whole.len());
}

#[test]
fn a_record_that_vanished_or_moved_is_noticed() {
    for sql in [
        "DELETE FROM intent",
        "DELETE FROM import WHERE key IS NULL",
        "UPDATE import SET key = 'run-2' WHERE key IS NOT NULL",
        "DELETE FROM transition WHERE generation = 1",
        "UPDATE transition SET checkpoint = 'c0' WHERE generation = 2",
        "UPDATE head SET generation = 1 WHERE generation = 2",
        "UPDATE host SET text = text || ' '",
        "UPDATE plan SET text = ''",
        "UPDATE intent SET generation = 1",
        "UPDATE count SET imports = 3",
        "DROP TABLE intent",
        "PRAGMA user_version = 0",
    ] {
        let folder = filled();
        edit(folder.path(), &format!("PRAGMA foreign_keys = OFF; {sql}"));
        let answer = read_all(folder.path());
        assert!(matches!(answer, Err(JournalError::Damaged { .. })), "{sql}: {answer:?}");
    }
}

/// Opens a folder with this file in it, and checks that the file was left as it is.
fn refused(content: &[u8]) -> JournalError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    fs::write(&path, content).unwrap();
    let error = read_all(folder.path()).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), content);
    assert!(error.to_string().contains("left as it is"), "{error}");
    error
}

fn file_after(sql: &str) -> Vec<u8> {
    let folder = filled();
    edit(folder.path(), sql);
    fs::read(folder.path().join(FILE)).unwrap()
}

#[test]
fn a_file_that_is_not_a_journal_is_left_alone() {
    assert!(matches!(refused(b"Patient/1 is not a journal\n"), JournalError::Foreign { .. }));
    assert!(matches!(refused(&[0; 8192]), JournalError::Foreign { .. }));
    assert!(matches!(refused(&file_after("PRAGMA application_id = 7")), JournalError::Foreign { .. }));
    let folder = tempfile::tempdir().unwrap();
    edit(folder.path(), "CREATE TABLE wards (name TEXT)");
    let other = fs::read(folder.path().join(FILE)).unwrap();
    assert!(matches!(refused(&other), JournalError::Foreign { .. }));
}

#[test]
fn a_newer_journal_is_left_alone() {
    let error = refused(&file_after("PRAGMA user_version = 2"));
    assert!(matches!(error, JournalError::Newer { found: 2, known: 1, .. }));
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[test]
fn a_journal_cut_short_is_damaged() {
    let whole = file_after("");
    for length in [0, 1, 50, 100, 512, 4095, 4096, 4097, 8192, whole.len() - 4096, whole.len() - 1] {
        let error = refused(&whole[..length]);
        assert!(matches!(error, JournalError::Damaged { .. } | JournalError::Foreign { .. }), "{length}: {error:?}");
    }
}

#[test]
fn a_journal_that_lost_its_main_file_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("{FILE}-wal")), "what was committed last").unwrap();
    assert!(matches!(SqliteJournal::open(folder.path()), Err(JournalError::Damaged { .. })));
}

#[test]
fn a_plan_that_was_damaged_is_not_shared() {
    let folder = filled();
    edit(folder.path(), "UPDATE plan SET text = ''");
    assert!(matches!(open(folder.path()).create(&import(3, None)), Err(JournalError::Damaged { .. })));
}

#[test]
fn a_creation_that_was_cut_short_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("{FILE}.new")), "SQLite for").unwrap();
    assert_eq!(open(folder.path()).list().unwrap(), []);
}

#[test]
fn only_the_owner_may_read() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    let journal = open(&folder);
    journal.create(&import(1, None)).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.clone()), mode(folder.join("locks"))), (0o700, 0o700));
    for file in [FILE, "journal.sqlite-wal", "journal.sqlite-shm", &format!("locks/{}.lock", lease.import())] {
        assert_eq!(mode(folder.join(file)), 0o600, "{file}");
    }
    fs::set_permissions(journal.path(), fs::Permissions::from_mode(0o644)).unwrap();
    open(&folder);
    assert_eq!(mode(folder.join(FILE)), 0o600);
}

#[test]
fn two_processes_are_kept_apart_and_the_second_is_told_who_is_first() {
    let folder = filled();
    let (first, second) = (open(folder.path()), open(folder.path()));
    let lease = first.lease(&id(2), &holder()).unwrap();
    let error = second.lease(&id(2), &Holder::this_process(1)).unwrap_err();
    assert!(error.to_string().contains("process 42 on ward-7 since 2023-11-14T22:13:20Z"), "{error}");
    assert_eq!(second.load(&id(2)).unwrap().generation, 0);
    drop(lease);
    assert_eq!(second.lease(&id(2), &Holder::this_process(1)).unwrap().epoch(), 2);
}

#[test]
fn a_runner_that_lost_its_lock_file_is_fenced() {
    let folder = filled();
    let (first, second) = (open(folder.path()), open(folder.path()));
    let lost = first.lease(&id(2), &holder()).unwrap();
    fs::remove_file(folder.path().join(format!("locks/{}.lock", id(2)))).unwrap();
    let taken = second.lease(&id(2), &holder()).unwrap();
    assert!(matches!(first.intend(&lost, 0, 5), Err(JournalError::Fenced { ours: 1, newest: 2, .. })));
    second.intend(&taken, 0, 5).unwrap();
}

#[test]
fn an_older_copy_that_was_put_back_is_noticed() {
    let folder = filled();
    let path = folder.path().join(FILE);
    let copy = fs::read(&path).unwrap();
    drop(open(folder.path()).lease(&id(2), &holder()).unwrap());
    fs::write(&path, copy).unwrap();
    let answer = open(folder.path()).lease(&id(2), &holder());
    let Err(JournalError::OlderCopy { lock, .. }) = answer else { panic!("{answer:?}") };
    fs::remove_file(lock).unwrap();
    assert_eq!(open(folder.path()).lease(&id(2), &holder()).unwrap().epoch(), 1);
}

#[test]
fn an_intent_that_was_lost_with_the_end_of_the_log_is_noticed() {
    let folder = filled();
    let path = |suffix: &str| folder.path().join(format!("{FILE}{suffix}"));
    let journal = open(folder.path());
    journal.intend(&journal.lease(&id(2), &holder()).unwrap(), 0, 5).unwrap();
    let (main, log) = (fs::read(path("")).unwrap(), fs::read(path("-wal")).unwrap());
    drop(journal);
    for (damage, lost) in [(0, false), (1, true)] {
        let mut log = log.clone();
        *log.last_mut().unwrap() ^= damage;
        fs::write(path(""), &main).unwrap();
        fs::write(path("-wal"), log).unwrap();
        let journal = open(folder.path());
        assert_eq!(journal.load(&id(2)).unwrap().intent.is_none(), lost);
        let leased = journal.lease(&id(2), &holder());
        assert_eq!(matches!(leased, Err(JournalError::OlderCopy { .. })), lost, "{leased:?}");
    }
}

#[test]
fn others_read_whole_transitions_while_one_writes() {
    let folder = filled();
    let writer = open(folder.path());
    let lease = writer.lease(&id(2), &holder()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let reader = open(folder.path());
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                let seen = reader.load(&id(2)).unwrap();
                assert!(seen.generation >= last);
                assert_eq!(seen.latest.checkpoint, format!("c{}", seen.generation));
                assert_eq!(reader.history(&id(2)).unwrap()[last as usize].checkpoint, format!("c{last}"));
                assert_eq!(reader.list().unwrap().len(), 2);
                last = seen.generation;
            }
        });
        for generation in 0..60 {
            let next = transition(NextKind::Submit, &format!("c{}", generation + 1));
            writer.intend(&lease, generation, 5).unwrap();
            writer.append(&lease, generation, &next).unwrap();
        }
        done.store(true, Ordering::Release);
    });
}

#[test]
fn many_may_make_the_same_journal() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for first in 0..6 {
            let folder = folder.path();
            scope.spawn(move || open(folder).create(&import(first, Some("one"))).is_ok());
        }
    });
    assert_eq!(open(folder.path()).list().unwrap().len(), 1);
}

#[test]
fn a_disk_that_fails_is_opened_again() {
    let folder = filled();
    let journal = open(folder.path());
    let failed = journal.fail_once();
    assert!(matches!(failed, JournalError::Store { .. }));
    assert_eq!(journal.load(&id(1)).unwrap().generation, 2);
}

#[test]
fn what_is_stored_is_not_shown_in_debug_output() {
    let folder = filled();
    let journal = open(folder.path());
    let new = NewImport { plan: "CANARY".to_owned(), host: "CANARY".to_owned(), ..import(3, None) };
    let first = StoredTransition { next: "CANARY".to_owned(), ..transition(NextKind::Wait, "CANARY") };
    let new = NewImport { first, ..new };
    journal.create(&new).unwrap();
    let shown = format!("{new:?} {:?} {:?}", journal.load(&id(3)).unwrap(), journal.list().unwrap());
    assert!(!shown.contains("CANARY"), "{shown}");
}
