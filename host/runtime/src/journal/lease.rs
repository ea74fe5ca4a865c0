//! The right to drive an import: an operating-system lock, and an epoch for when locks fail.
//!
//! The lock (`flock` on Unix) ends with the process, however it ends, so no lock is ever stale. What a lock cannot see
//! (a network file system, a lock file deleted by hand, a copied state folder) is caught by the epoch: each lease has
//! a higher one, and the store refuses to be written under an older.

use std::any::Any;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ImportId;
use super::error::{JournalError, Result};

/// Who drives an import, for the message that others get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The machine's name.
    pub host: String,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
}

impl Holder {
    /// This process.
    #[must_use]
    pub fn this_process(since_ms: u64) -> Self {
        Self { pid: std::process::id(), host: host_name(), since_ms }
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .map_or_else(|_| "an unnamed machine".to_owned(), |name| name.trim().to_owned())
}

/// The right to drive one import, given back when dropped.
pub struct Lease {
    import: ImportId,
    epoch: u64,
    lock: Box<dyn Any + Send + Sync>,
}

impl Lease {
    /// For implementers of [`Journal`](super::Journal): `lock` keeps others out until it is dropped.
    #[must_use]
    pub fn new(import: ImportId, epoch: u64, lock: impl Send + Sync + 'static) -> Self {
        Self { import, epoch, lock: Box::new(lock) }
    }

    /// The import.
    #[must_use]
    pub const fn import(&self) -> ImportId {
        self.import
    }

    /// Higher than that of any earlier lease of this import; the first is 1.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What keeps others out, for the store that gave the lease.
    #[must_use]
    pub fn lock<T: 'static>(&self) -> Option<&T> {
        self.lock.downcast_ref()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("import", &self.import).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// What is written in a lock file. It outlives the lease, to tell when a store lost what it once knew: an older copy
/// was put back, or SQLite took a damaged end of its log for a write that was cut short.
#[derive(Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) holder: Holder,
    pub(super) epoch: u64,
    pub(super) intents: u64,
}

/// A locked lock file.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
    path: PathBuf,
}

impl LockFile {
    /// Locks the file of an import, or says who holds it.
    pub(super) fn take(folder: &Path, import: ImportId) -> Result<Self> {
        let path = folder.join(format!("{import}.lock"));
        let failed = |source| JournalError::store(&path, "lock the import", source);
        let lock = Self { file: open(&path).map_err(failed)?, path: path.clone() };
        match lock.file.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => {
                Err(JournalError::Locked { import, holder: lock.mark().map(|mark| mark.holder) })
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Locks a file by name, after waiting for whoever holds it.
    pub(super) fn wait_for(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        let file = open(&path)?;
        file.lock()?;
        Ok(Self { file, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the last holder left; none in a new file, or when that holder died while writing.
    pub(super) fn mark(&self) -> Option<Mark> {
        let mut text = String::new();
        (&self.file).rewind().ok()?;
        (&self.file).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Leaves a mark, durable when it returns.
    pub(super) fn write_mark(&self, mark: &Mark) -> Result<()> {
        let text = serde_json::to_vec(mark).expect("numbers and text are always JSON");
        let mut file = &self.file;
        let written = file
            .rewind()
            .and_then(|()| file.write_all(&text))
            .and_then(|()| file.set_len(text.len() as u64))
            .and_then(|()| file.sync_all());
        written.map_err(|source| JournalError::store(&self.path, "write down who drives the import", source))
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    super::private::owner_only(&mut options);
    options.open(path)
}

/// A time for people, as in RFC 3339. The calendar is Howard Hinnant's `civil_from_days`.
#[must_use]
pub fn utc(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(unix_ms), text);
        }
    }
}
