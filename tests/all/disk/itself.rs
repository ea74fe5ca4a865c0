//! The disk itself: what the tests beside this one rely on.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::harness::disk::{Death, Disk, Fault, Lasts};

fn open(folder: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(folder.join("wards.sqlite"))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS ward (name TEXT)")?;
    Ok(connection)
}

fn add(connection: &Connection, name: &str) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO ward VALUES (?)", [name])
}

fn names(folder: &Path) -> Vec<String> {
    let connection = open(folder).unwrap();
    let mut rows = connection.prepare("SELECT name FROM ward").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_was_committed_survives_every_death() {
    for death in Death::ALL {
        let folder = TempDir::new().unwrap();
        let disk = Disk::under(folder.path(), 1);
        let connection = open(folder.path()).unwrap();
        add(&connection, "3 East").unwrap();
        disk.halt();
        assert!(add(&connection, "4 West").is_err());
        drop(connection);
        assert!(folder.path().join("wards.sqlite-wal").metadata().unwrap().len() > 0, "nothing tidied up after it");
        disk.crash(death);
        assert_eq!(names(folder.path()), ["3 East"], "{death:?}");
    }
}

#[test]
fn without_a_sync_a_power_cut_takes_the_commit_and_a_kill_does_not() {
    for (death, left) in [(Death::Killed, vec!["3 East", "4 West"]), (Death::UnsyncedLost, vec!["3 East"])] {
        let folder = TempDir::new().unwrap();
        let disk = Disk::under(folder.path(), 1);
        let connection = open(folder.path()).unwrap();
        add(&connection, "3 East").unwrap();
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        add(&connection, "4 West").unwrap();
        disk.halt();
        drop(connection);
        disk.crash(death);
        assert_eq!(names(folder.path()), left, "{death:?}");
    }
}

#[test]
fn what_a_kill_left_unsynced_a_later_power_cut_takes() {
    let folder = TempDir::new().unwrap();
    let disk = Disk::under(folder.path(), 1);
    let connection = open(folder.path()).unwrap();
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    add(&connection, "3 East").unwrap();
    disk.halt();
    drop(connection);
    disk.crash(Death::Killed);
    disk.crash(Death::UnsyncedLost);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_torn_write_leaves_other_bytes_with_other_seeds() {
    let mut left = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let folder = TempDir::new().unwrap();
        let disk = Disk::under(folder.path(), seed);
        let connection = open(folder.path()).unwrap();
        add(&connection, "3 East").unwrap();
        disk.halt_at(2);
        assert!(add(&connection, "4 West").is_err());
        drop(connection);
        disk.crash(Death::TornWrite);
        left.insert(fs::metadata(folder.path().join("wards.sqlite-wal")).unwrap().len());
        assert_eq!(names(folder.path()), ["3 East"], "{seed}");
    }
    assert!(left.len() > 3, "{left:?}");
}

#[test]
fn a_full_disk_and_a_broken_one_are_told_apart() {
    for (fault, code) in
        [(Fault::Full, rusqlite::ErrorCode::DiskFull), (Fault::Io, rusqlite::ErrorCode::SystemIoFailure)]
    {
        let folder = TempDir::new().unwrap();
        let disk = Disk::under(folder.path(), 1);
        let connection = open(folder.path()).unwrap();
        disk.fail_at(1, fault, Lasts::FromThenOn);
        assert_eq!(add(&connection, "3 East").unwrap_err().sqlite_error_code(), Some(code));
        assert!(disk.struck() > 0);
        disk.mend();
        add(&connection, "3 East").unwrap();
        drop(connection);
        assert_eq!(names(folder.path()), ["3 East"]);
    }
}

#[test]
fn a_file_outside_of_a_disk_is_not_watched() {
    let (inside, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let disk = Disk::under(inside.path(), 1);
    drop(open(inside.path()).unwrap());
    assert!(disk.changes() > 0 && disk.operations() > disk.changes());
    disk.halt();
    assert!(open(inside.path()).is_err());
    let asked = disk.operations();
    add(&open(outside.path()).unwrap(), "3 East").unwrap();
    assert_eq!((names(outside.path()), disk.operations()), (vec!["3 East".to_owned()], asked));
}
