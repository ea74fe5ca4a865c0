//! What a journal is asked for, one operation of the journal each, and how it looks before and after.

use std::fmt::Write;
use std::path::Path;
use std::sync::OnceLock;

use fhir_import::journal::{
    Holder, ImportId, Intent, Journal, JournalError, Lease, NewImport, NextKind, Result, SameInputs, SqliteJournal,
    StoredEvent, StoredTransition,
};
use tempfile::TempDir;

/// One operation of the journal, with what it takes to get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// Make the journal, then store the first import.
    Begin,
    /// Open the journal that is there, then store another import.
    Create,
    Load,
    List,
    History,
    Lease,
    Intend,
    Append,
    AppendHost,
    /// Drop the last handle: the log is moved into the main file.
    Close,
}

impl Request {
    pub(super) const ALL: [Self; 10] = [
        Self::Begin,
        Self::Create,
        Self::Load,
        Self::List,
        Self::History,
        Self::Lease,
        Self::Intend,
        Self::Append,
        Self::AppendHost,
        Self::Close,
    ];
}

/// A process that is about to ask: a state folder with a journal, open and leased as far as the request needs it.
#[derive(Debug)]
pub(super) struct Process {
    request: Request,
    journal: Option<SqliteJournal>,
    lease: Option<Lease>,
}

pub(super) fn id(first: u8) -> ImportId {
    ImportId::from_bytes([first; 16])
}

pub(super) fn transition(next_kind: NextKind, checkpoint: &str) -> StoredTransition {
    StoredTransition {
        checkpoint: checkpoint.to_owned(),
        next_kind,
        next: format!("{{\"for\":\"{checkpoint}\"}}"),
        outcome: None,
        events: vec![StoredEvent { at_ms: 5, kind: "kick-off".to_owned(), text: checkpoint.repeat(900) }],
        at_ms: 1_767_225_600_000,
    }
}

pub(super) fn import(first: u8) -> NewImport {
    NewImport {
        id: id(first),
        key: Some(format!("ward-{first}")),
        inputs_digest: format!("inputs {first}"),
        server: "https://fhir.example.org/fhir".to_owned(),
        created_ms: u64::from(first),
        plan: format!("{{\"plan\":{first}}}"),
        host: "{\"files\":[]}".to_owned(),
        first: transition(NextKind::Submit, "c0"),
        same_inputs: SameInputs::Allow,
    }
}

pub(super) fn holder() -> Holder {
    Holder { pid: 42, host: "ward-7".to_owned(), since_ms: 1_767_225_600_000 }
}

/// A folder in memory where the system has it: the disk decides what is durable, and thousands of real syncs cost minutes.
pub(super) fn memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// A journal with one import that is about to be submitted.
fn template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let journal = SqliteJournal::open(folder.path()).unwrap();
        journal.create(&import(1)).unwrap();
        let path = journal.path().to_owned();
        drop(journal);
        std::fs::read(path).unwrap()
    })
}

impl Request {
    /// The state folder before the request.
    pub(super) fn folder(self) -> TempDir {
        let folder = memory();
        if self != Self::Begin {
            std::fs::write(folder.path().join("journal.sqlite"), template()).unwrap();
        }
        folder
    }

    /// Everything up to the request itself.
    pub(super) fn prepare(self, folder: &Path) -> Process {
        let open = !matches!(self, Self::Begin | Self::Create);
        let journal = open.then(|| SqliteJournal::open(folder).unwrap());
        let leased = matches!(self, Self::Intend | Self::Append | Self::AppendHost | Self::Close);
        let lease = leased.then(|| journal.as_ref().unwrap().lease(&id(1), &holder()).unwrap());
        Process { request: self, journal, lease }
    }

    /// How the journal looks before and after the request, on a disk without faults.
    pub(super) fn looks(self) -> (String, String) {
        let folder = self.folder();
        let mut process = self.prepare(folder.path());
        let before = look(folder.path());
        process.ask(folder.path()).unwrap();
        drop(process);
        (before, look(folder.path()))
    }
}

impl Process {
    /// Makes the request.
    pub(super) fn ask(&mut self, folder: &Path) -> Result<()> {
        let lease = self.lease.as_ref();
        let journal = match &self.journal {
            Some(journal) => journal,
            None => self.journal.insert(SqliteJournal::open(folder)?),
        };
        match self.request {
            Request::Begin => journal.create(&import(1)),
            Request::Create => journal.create(&import(2)),
            Request::Load => journal.load(&id(1)).map(drop),
            Request::List => journal.list().map(drop),
            Request::History => journal.history(&id(1)).map(drop),
            Request::Lease => journal.lease(&id(1), &holder()).map(|lease| self.lease = Some(lease)),
            Request::Intend => journal.intend(lease.unwrap(), 0, 77).map(drop),
            Request::Append => journal.append(lease.unwrap(), 0, &transition(NextKind::Wait, "c1")).map(drop),
            Request::AppendHost => journal.append_host(lease.unwrap(), "{\"serve\":\"[::1]:80\"}"),
            Request::Close => {
                journal.append(lease.unwrap(), 0, &transition(NextKind::Wait, "c1")).map(drop)?;
                self.journal = None;
                Ok(())
            }
        }
    }

    /// Asks once more, after a request that failed. That it was stored after all is as good.
    pub(super) fn ask_again(&mut self, folder: &Path) -> Result<()> {
        if self.request == Request::Lease {
            self.lease = None;
        }
        match self.ask(folder) {
            Err(JournalError::Exists { .. } | JournalError::Conflict { .. } | JournalError::AlreadyIntended { .. }) => {
                Ok(())
            }
            other => other,
        }
    }

    /// How the journal looks to this process; none when it has not got it open.
    pub(super) fn look(&self) -> Option<String> {
        self.journal.as_ref().map(|journal| look_through(journal).unwrap())
    }
}

/// Opens the journal and reads everything that it can be asked for.
pub(super) fn look(folder: &Path) -> String {
    try_to_look(folder).unwrap()
}

/// The same of a journal that may be damaged.
pub(super) fn try_to_look(folder: &Path) -> Result<String> {
    look_through(&SqliteJournal::open(folder)?)
}

pub(super) fn look_through(journal: &SqliteJournal) -> Result<String> {
    let mut seen = String::new();
    for import in journal.list()? {
        let loaded = journal.load(&import.id)?;
        // The epoch of an intent depends on how often somebody tried.
        let intent = |intent: Option<Intent>| intent.map(|intent| (intent.generation, intent.at_ms));
        assert_eq!(intent(loaded.intent), intent(import.intent));
        let (key, plan, host) = (import.key, loaded.plan, loaded.host);
        writeln!(seen, "{} {key:?} {plan} {host} {:?}", import.id, intent(import.intent)).unwrap();
        for past in journal.history(&import.id)? {
            let told: Vec<usize> = past.events.iter().map(|event| event.text.len()).collect();
            writeln!(seen, "  {} {} {} {told:?}", past.checkpoint, past.next_kind.word(), past.next).unwrap();
        }
    }
    Ok(seen)
}

/// Takes the lease of the first import, when there is one; it must be newer than the last one that was given.
pub(super) fn lease_again(folder: &Path, last: Option<u64>, what: &dyn std::fmt::Display) {
    let journal = SqliteJournal::open(folder).unwrap();
    if !journal.list().unwrap().is_empty() {
        let lease = journal.lease(&id(1), &holder()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!(Some(lease.epoch()) > last, "{what}: an epoch was given twice");
    }
}

impl Process {
    /// The epoch of the lease that this process was given.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.lease.as_ref().map(Lease::epoch)
    }
}
