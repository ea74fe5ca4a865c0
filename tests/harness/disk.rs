//! A disk that can be crashed: it stands under the real `SqliteJournal`, as the SQLite VFS of this test process.
//!
//! The product has no interface for it. The first [`Disk`] registers a VFS as the default of the process; it passes
//! everything on to the unix one, and what lies under the folder of a [`Disk`] is watched on the way: the disk
//! remembers what was synced and what was only written, and fails where it is told to.
//!
//! How a crash inside a commit is made:
//!
//! ```ignore
//! let disk = Disk::under(folder, seed);
//! let journal = SqliteJournal::open(folder)?;
//! disk.halt_at(2);                       // the second change from here on never reaches the disk, nor does any later one
//! let answer = journal.create(&import);  // an error: the process is dead as far as the disk is concerned
//! drop(journal);                         // closes the files; nothing is written any more
//! disk.crash(Death::UnsyncedLost);       // rewrites the real files; the disk works again
//! let journal = SqliteJournal::open(folder)?;
//! ```
//!
//! Without a halt, closing the last connection is an orderly end: SQLite moves the log into the main file. Use
//! [`Disk::halt`] before dropping to leave it as it is.
//!
//! What it does not see: files that are written without SQLite (the lock files, the folder, the rename of a new
//! journal). They are taken as durable at once, which is what the product asks of the system by syncing them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

mod content;
mod faults;
mod files;
#[expect(unsafe_code, reason = "a VFS is a table of C functions")]
mod vfs;

pub(crate) use content::Random;
pub(crate) use faults::{Fault, Lasts};

use faults::Plan;
use files::Files;

/// What a crash leaves of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// The process is killed and the system goes on: everything written stays. What was not synced stays unsynced, so
    /// a later power cut still takes it.
    Killed,
    /// The power is cut: each file is as at its last sync. One that was never synced is gone or empty (the seed
    /// decides), one that was deleted without a sync of the folder is back.
    UnsyncedLost,
    /// The power is cut in the middle of a write: of the unsynced changes, in their order, all but the last are there,
    /// and of the last a prefix, which ends between two sectors or anywhere (the seed decides).
    TornWrite,
}

impl Death {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Killed, Self::UnsyncedLost, Self::TornWrite];
}

/// The disk under one folder. Numbers of operations count from 1, beginning at the call that takes them.
#[derive(Debug)]
pub(crate) struct Disk {
    state: Arc<State>,
}

impl Disk {
    /// Watches the SQLite files of a folder and of those below it, which are opened from now on. The folder is made
    /// when there is none. What is in it already is durable. The seed decides where writes are torn.
    ///
    /// # Panics
    /// When another disk has the folder.
    pub(crate) fn under(folder: &Path, seed: u64) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let folder = folder.canonicalize().unwrap();
        vfs::register();
        assert!(State::of(&folder).is_none(), "two disks under {}", folder.display());
        let state = Arc::new(State { folder, inner: Mutex::new(Inner::new(seed)) });
        DISKS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&state));
        Self { state }
    }

    /// How many operations were asked for so far, failed ones included: open, create, read, write, sync, truncate,
    /// delete, look for a file, its size, take a lock, map or lock shared memory.
    pub(crate) fn operations(&self) -> u64 {
        self.state.inner().plan.operations
    }

    /// How many of them would change what is durable: create, write, sync, truncate, delete.
    pub(crate) fn changes(&self) -> u64 {
        self.state.inner().plan.changes
    }

    /// How many operations were made to fail by [`fail_at`](Self::fail_at), [`halt_at`](Self::halt_at) or
    /// [`halt`](Self::halt) since the last [`mend`](Self::mend).
    pub(crate) fn struck(&self) -> u64 {
        self.state.inner().plan.struck
    }

    /// Makes the `nth` operation from now on fail. For [`Fault::Full`] only those are counted that take space. A write
    /// that fails leaves a prefix behind; a sync that fails loses what was to be synced, as on Linux.
    pub(crate) fn fail_at(&self, nth: u64, fault: Fault, lasts: Lasts) {
        self.state.inner().plan.fail_at(nth, fault, lasts);
    }

    /// Lets `nth - 1` changes from now on happen. From the `nth` on every operation fails, reads as well: as far as the
    /// disk is concerned, the process is dead.
    pub(crate) fn halt_at(&self, nth: u64) {
        self.state.inner().plan.halt_at(nth);
    }

    /// Makes every operation fail from now on.
    pub(crate) fn halt(&self) {
        self.halt_at(0);
    }

    /// Ends all faults and the halt.
    pub(crate) fn mend(&self) {
        self.state.inner().plan.mend();
    }

    /// Rewrites the files as this death leaves them, and mends the disk.
    ///
    /// # Panics
    /// When a connection to a file of this disk is open, or a file is not what was written through SQLite.
    pub(crate) fn crash(&self, death: Death) {
        let mut inner = self.state.inner();
        let Inner { files, random, plan } = &mut *inner;
        files.crash(death, random);
        plan.mend();
        if death != Death::Killed {
            files::forget_shared_memory(&self.state.folder);
        }
    }
}

/// The disks of this process.
static DISKS: Mutex<Vec<Weak<State>>> = Mutex::new(Vec::new());

/// A disk, as its open files see it.
#[derive(Debug)]
struct State {
    folder: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    plan: Plan,
    files: Files,
    random: Random,
}

impl Inner {
    fn new(seed: u64) -> Self {
        Self { plan: Plan::default(), files: Files::default(), random: Random::new(seed) }
    }
}

impl State {
    /// The disk that a file lies on.
    fn of(path: &Path) -> Option<Arc<Self>> {
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.retain(|disk| disk.strong_count() > 0);
        disks.iter().filter_map(Weak::upgrade).find(|disk| path.starts_with(&disk.folder))
    }

    /// A test that panicked in `crash` must not make C code panic after it.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
