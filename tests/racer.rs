//! One of the processes of `all/races.rs`: races for one import after another, is killed and stopped at any time.
//!
//! What it does goes line by line into a file that all share; a line is one write, so no two are mixed. `posted` lines
//! are what a server would have seen.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use fhir_import::journal::{
    Holder, ImportId, Journal, JournalError, Lease, NextKind, SqliteJournal, StoredImport, StoredTransition,
};

/// How many kick-offs an import has.
const KICK_OFFS: u32 = 2;
/// What there is for others to do while one has the lease.
const A_MOMENT: Duration = Duration::from_micros(500);

struct Racer {
    journal: SqliteJournal,
    path: PathBuf,
    seen: File,
    pid: u32,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("racer FOLDER FILE FROM TO");
    let (folder, path) = (PathBuf::from(next()), PathBuf::from(next()));
    let mut number = || next().parse::<u128>().expect("a number of an import");
    let (from, to) = (number(), number());
    let racer = Racer::new(&folder, path);
    for import in from..to {
        let import = ImportId::from_bytes(import.to_be_bytes());
        while !racer.is_over(import) {
            racer.take_part(import);
        }
    }
}

impl Racer {
    fn new(folder: &Path, path: PathBuf) -> Self {
        let journal = SqliteJournal::open(folder).expect("the journal opens whoever was killed before");
        let seen = OpenOptions::new().append(true).open(&path).expect("the test made the file");
        Self { journal, path, seen, pid: std::process::id() }
    }

    fn is_over(&self, import: ImportId) -> bool {
        let load = || self.journal.load(&import);
        patiently(load).expect("it is there").latest.next_kind == NextKind::Done
    }

    /// Tries to take the lease and to go one generation further.
    fn take_part(&self, import: ImportId) {
        let lease = match patiently(|| self.journal.lease(&import, &Holder::this_process(0))) {
            Ok(lease) => lease,
            Err(JournalError::Locked { .. }) => return thread::sleep(A_MOMENT),
            Err(error) => panic!("lease: {error:?}"),
        };
        self.tell("leased", &lease, "-");
        let stored = patiently(|| self.journal.load(&import)).expect("it is there");
        if stored.latest.next_kind == NextKind::Done {
            return;
        }
        if let Err(error) = self.go_on(&lease, &stored) {
            self.stop_for(&lease, &stored, &error);
        }
    }

    fn go_on(&self, lease: &Lease, stored: &StoredImport) -> Result<(), JournalError> {
        let generation = stored.generation;
        let posted = if stored.intent.is_some() {
            // Somebody may have sent it: this server can be asked, and a kick-off that is not there is a new one.
            self.was_posted(lease.import(), generation)
        } else {
            patiently(|| self.journal.intend(lease, generation, 1))?;
            self.tell("posted", lease, generation);
            true
        };
        let next = transition(&stored.latest.checkpoint, posted, self.pid, lease.epoch());
        patiently(|| self.journal.append(lease, generation, &next))?;
        self.tell("stored", lease, generation + 1);
        Ok(())
    }

    /// A runner that was fenced can write nothing any more.
    fn stop_for(&self, lease: &Lease, stored: &StoredImport, error: &JournalError) {
        assert!(matches!(error, JournalError::Fenced { .. }), "{error:?}");
        self.tell("fenced", lease, stored.generation);
        let latest = patiently(|| self.journal.load(&stored.id)).expect("it is there");
        let writes = [
            patiently(|| self.journal.append(lease, latest.generation, &latest.latest)).map(drop),
            patiently(|| self.journal.intend(lease, latest.generation, 1)).map(drop),
            patiently(|| self.journal.append_host(lease, "")),
        ];
        for write in writes {
            assert!(matches!(write, Err(JournalError::Fenced { .. })), "{write:?}");
        }
    }

    fn was_posted(&self, import: ImportId, generation: u64) -> bool {
        let seen = std::fs::read_to_string(&self.path).expect("the test made the file");
        let start = format!("posted {import} {generation} ");
        seen.lines().any(|line| line.starts_with(&start))
    }

    fn tell(&self, what: &str, lease: &Lease, generation: impl Display) {
        let line = format!("{what} {} {generation} {} {}\n", lease.import(), lease.epoch(), self.pid);
        (&self.seen).write_all(line.as_bytes()).expect("the file is there");
    }
}

/// Asks again while a process that was stopped inside of a write keeps others from writing.
fn patiently<T>(act: impl Fn() -> Result<T, JournalError>) -> Result<T, JournalError> {
    loop {
        match act() {
            Err(JournalError::Busy { .. }) => {}
            other => return other,
        }
    }
}

/// Its checkpoint says how many kick-offs there were, and who wrote it.
fn transition(before: &str, posted: bool, pid: u32, epoch: u64) -> StoredTransition {
    let kick_offs: u32 =
        before.split(' ').next().and_then(|number| number.parse().ok()).expect("it begins with a number");
    let kick_offs = kick_offs + u32::from(posted);
    StoredTransition {
        checkpoint: format!("{kick_offs} {epoch} {pid}"),
        next_kind: if kick_offs < KICK_OFFS { NextKind::Submit } else { NextKind::Done },
        next: "{}".to_owned(),
        outcome: None,
        events: Vec::new(),
        at_ms: 1,
    }
}
