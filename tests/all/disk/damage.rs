//! Files that are cut short, changed, swapped or somebody else's: it is noticed, or it is harmless.
//!
//! Harmless is also what SQLite takes for a write that was cut short: the journal is as it was some time before. Unless
//! a lease or an intent was lost by it: then the lock file knows more, and nobody gets the lease.

use std::fs;
use std::path::{Path, PathBuf};

use fhir_import::journal::{Journal, JournalError, NextKind, SqliteJournal};
use rusqlite::Connection;
use tempfile::TempDir;

use super::requests::{holder, id, import, look_through, memory, transition, try_to_look};
use crate::harness::disk::{Death, Disk};

const MAIN: &str = "journal.sqlite";
const LOG: &str = "journal.sqlite-wal";

/// How a journal looked at some time, and how often somebody had declared to submit by then.
struct Moment {
    looks: String,
    leases_and_intents: (u64, u64),
}

/// The files of a journal whose process was killed, in small pages so that every byte can be tried.
struct Store {
    main: Vec<u8>,
    log: Vec<u8>,
    lock: Vec<u8>,
    past: Vec<Moment>,
}

impl Store {
    fn new(first: u8) -> Self {
        let folder = memory();
        let journal = SqliteJournal::open(folder.path()).unwrap();
        journal.create(&import(first)).unwrap();
        drop(journal);
        let sql = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM; PRAGMA journal_mode = WAL";
        Connection::open(folder.path().join(MAIN)).unwrap().execute_batch(sql).unwrap();
        let disk = Disk::under(folder.path(), 1);
        let past = live(folder.path(), first, &disk);
        disk.crash(Death::Killed);
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let lock = read(&format!("locks/{}.lock", id(first)));
        Self { main: read(MAIN), log: read(LOG), lock, past }
    }

    /// Puts the files into a folder, with these two for the journal.
    fn put(&self, folder: &Path, main: &[u8], log: &[u8], first: u8) {
        fs::create_dir_all(folder.join("locks")).unwrap();
        fs::write(folder.join(MAIN), main).unwrap();
        fs::write(folder.join(LOG), log).unwrap();
        fs::remove_file(folder.join("journal.sqlite-shm")).ok();
        fs::write(folder.join(format!("locks/{}.lock", id(first))), &self.lock).unwrap();
    }

    /// Looks through the journal after this damage, and takes the lease if it can be had.
    fn check(&self, folder: &Path, first: u8, what: &str) -> Effect {
        let seen = match try_to_look(folder) {
            Ok(seen) => seen,
            Err(JournalError::Damaged { .. } | JournalError::Foreign { .. } | JournalError::Newer { .. }) => {
                return Effect::Noticed;
            }
            Err(error) => panic!("{what}: {error:?}"),
        };
        let latest = self.past.last().unwrap();
        let moments: Vec<_> = self.past.iter().filter(|moment| moment.looks == seen).collect();
        assert!(!moments.is_empty(), "{what}: it never looked like this:\n{seen}");
        let known = moments.iter().any(|moment| moment.leases_and_intents == latest.leases_and_intents);
        match SqliteJournal::open(folder).unwrap().lease(&id(first), &holder()) {
            Ok(_) => assert!(known, "{what}: a lost intent is not noticed"),
            Err(JournalError::OlderCopy { .. }) => return Effect::Noticed,
            Err(error) => panic!("{what}: {error:?}"),
        }
        if seen == latest.looks { Effect::None } else { Effect::Older }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Older,
    Noticed,
}

/// Works with the journal until the process is killed, and tells how it looked after each step.
fn live(folder: &Path, first: u8, disk: &Disk) -> Vec<Moment> {
    let journal = SqliteJournal::open(folder).unwrap();
    let moment = |leases_and_intents| Moment { looks: look_through(&journal).unwrap(), leases_and_intents };
    let mut past = vec![moment((0, 0))];
    let lease = journal.lease(&id(first), &holder()).unwrap();
    past.push(moment((1, 0)));
    journal.append(&lease, 0, &transition(NextKind::Submit, "c1")).unwrap();
    past.push(moment((1, 0)));
    journal.intend(&lease, 1, 77).unwrap();
    past.push(moment((1, 1)));
    journal.append(&lease, 1, &transition(NextKind::Wait, "c2")).unwrap();
    past.push(moment((1, 1)));
    disk.halt();
    past
}

#[test]
fn each_flipped_byte_of_the_log_is_noticed_or_harmless() {
    let store = Store::new(1);
    let counts = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let store = &store;
            scope.spawn(move || {
                let folder = memory();
                let mut counts = [0; 3];
                for position in (half..store.log.len()).step_by(2) {
                    let mut log = store.log.clone();
                    log[position] ^= 1 << (position / 2 % 8);
                    store.put(folder.path(), &store.main, &log, 1);
                    counts[store.check(folder.path(), 1, &format!("byte {position}")) as usize] += 1;
                }
                counts
            })
        });
        halves.map(|half| half.join().unwrap())
    });
    let [none, older, noticed] = [0, 1, 2].map(|effect| counts.iter().map(|half| half[effect]).sum::<usize>());
    println!("{none} without effect, {older} took the last transition, {noticed} noticed, of {}", store.log.len());
    assert!(noticed > store.log.len() / 4, "only {noticed} of {} are noticed", store.log.len());
}

/// All lengths in steps of 64, and all of the last page.
fn lengths(whole: usize, page: usize) -> impl Iterator<Item = usize> {
    (0..whole).step_by(64).chain(whole - page..whole)
}

#[test]
fn a_journal_cut_short_anywhere_is_noticed_and_left_as_it_is() {
    let store = Store::new(1);
    let folder = memory();
    for length in lengths(store.main.len(), 512) {
        let short = &store.main[..length];
        store.put(folder.path(), short, &[], 1);
        assert_eq!(store.check(folder.path(), 1, &format!("{length} bytes")), Effect::Noticed, "{length} bytes");
        assert!(fs::read(folder.path().join(MAIN)).unwrap() == short, "{length} bytes were changed");
    }
}

#[test]
fn a_log_cut_short_anywhere_is_noticed_or_takes_whole_steps_back() {
    let store = Store::new(1);
    let folder = memory();
    let mut effects = Vec::new();
    for length in lengths(store.log.len(), 536).chain([store.log.len()]) {
        store.put(folder.path(), &store.main, &store.log[..length], 1);
        effects.push(store.check(folder.path(), 1, &format!("{length} bytes of the log")));
    }
    assert_eq!((effects.first(), effects.last()), (Some(&Effect::Noticed), Some(&Effect::None)));
    assert!(effects.contains(&Effect::Older));
}

#[test]
fn files_of_two_journals_do_not_make_one() {
    let (one, other) = (Store::new(1), Store::new(2));
    for (main, log) in [(&one, &other), (&other, &one)] {
        let folder = memory();
        main.put(folder.path(), &main.main, &log.log, 1);
        log.put(folder.path(), &main.main, &log.log, 2);
        let seen = try_to_look(folder.path());
        let whole = |store: &Store, seen: &str| store.past.iter().any(|moment| moment.looks == seen);
        assert!(
            matches!(&seen, Err(JournalError::Damaged { .. }))
                || seen.as_ref().is_ok_and(|seen| whole(&one, seen) || whole(&other, seen)),
            "{seen:?}"
        );
    }
}

/// Every column of every table, as `table, column`.
fn columns(path: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// A journal of two imports, one a step further than the other.
fn two_imports() -> (TempDir, PathBuf) {
    let folder = memory();
    let journal = SqliteJournal::open(folder.path()).unwrap();
    for first in [1, 2] {
        journal.create(&import(first)).unwrap();
        let lease = journal.lease(&id(first), &holder()).unwrap();
        journal.intend(&lease, 0, u64::from(first)).unwrap();
        journal.append(&lease, 0, &transition(NextKind::Submit, &format!("c{first}"))).unwrap();
    }
    let path = journal.path().to_owned();
    drop(journal);
    (folder, path)
}

/// Swaps a column of the first and the last row of a table. Answers whether that changed anything; a unique column
/// cannot be swapped by SQL.
fn swap(path: &Path, table: &str, column: &str) -> bool {
    let connection = Connection::open(path).unwrap();
    let sql = format!(
        "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; BEGIN;
         CREATE TEMP TABLE held AS SELECT rowid AS row, {column} AS value FROM {table}
           WHERE rowid IN ((SELECT min(rowid) FROM {table}), (SELECT max(rowid) FROM {table}));
         UPDATE {table} SET {column} = (SELECT value FROM held WHERE row <> {table}.rowid)
           WHERE rowid IN (SELECT row FROM held) AND (SELECT count(DISTINCT value) FROM held) = 2;
         COMMIT"
    );
    let two = "SELECT count(DISTINCT value) = 2 FROM held";
    connection.execute_batch(&sql).is_ok() && connection.query_row(two, [], |row| row.get(0)).unwrap()
}

#[test]
fn values_of_two_records_that_are_swapped_are_noticed() {
    let (folder, path) = two_imports();
    let whole = fs::read(&path).unwrap();
    let mut swapped = Vec::new();
    for (table, column) in columns(&path) {
        if swap(&path, &format!("\"{table}\""), &format!("\"{column}\"")) {
            let seen = try_to_look(folder.path());
            assert!(matches!(seen, Err(JournalError::Damaged { .. })), "{table}.{column}: {seen:?}");
            swapped.push(format!("{table}.{column}"));
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(swapped.len() >= 12, "{swapped:?}");
}

#[test]
fn what_else_may_lie_in_the_place_of_a_journal_is_left_alone() {
    let folder = memory();
    fs::create_dir(folder.path().join(MAIN)).unwrap();
    let error = try_to_look(folder.path()).unwrap_err();
    assert!(error.to_string().contains(';'), "{error}");

    let store = Store::new(1);
    let folder = memory();
    store.put(folder.path(), &store.main, b"{\"resourceType\":\"Patient\",\"id\":\"a log of something else\"}\n", 1);
    assert_eq!(store.check(folder.path(), 1, "another log"), Effect::Noticed);
}
