//! Who fetched what, when, and whether all of it arrived.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::Method;
use tokio::sync::broadcast;

use super::coverage::Coverage;
use super::{ByteRange, ServedDocument, ServedFile};
use crate::files::Change;

/// How many events a slow receiver may be behind before it misses some.
const EVENTS_KEPT: usize = 1024;

/// Something that is served, by its place in the list it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// One of `documents`.
    Document(usize),
    /// One of `files`.
    File(usize),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The file is no longer what was opened: nothing more was sent.
    Changed(Change),
    /// The operating system took every byte for the peer.
    Complete,
    /// The connection ended before.
    Cut,
}

/// One answered GET or HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What was asked for.
    pub item: Item,
    /// When.
    pub at: SystemTime,
    /// `GET`, or `HEAD`, which fetches nothing.
    pub method: Method,
    /// The part that was asked for; none for the whole.
    pub range: Option<ByteRange>,
    /// Content bytes handed to the connection.
    pub bytes: u64,
    /// How it ended.
    pub delivery: Delivery,
    /// Who asked: the FHIR server, or a proxy before it.
    pub peer: SocketAddr,
}

/// What was fetched of one item, by GET, since the server started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetches {
    /// How often it was asked for.
    pub gets: u64,
    /// When first.
    pub first: Option<SystemTime>,
    /// When last.
    pub last: Option<SystemTime>,
    /// Content bytes of all answers that ended, repeated ones too.
    pub bytes: u64,
    /// How far it got.
    pub state: FetchState,
}

/// How far fetching an item got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchState {
    /// It is no longer what was opened; it is not served any more.
    Changed(Change),
    /// Every byte of it was delivered, in one answer or several ranges.
    Complete,
    /// Some was asked for, not all was delivered, and nothing is under way.
    Cut,
    /// Nobody asked for it.
    Never,
    /// An answer is under way, and not all was delivered before.
    Running,
}

/// The log of one running server.
#[derive(Debug)]
pub(super) struct FetchLog {
    records: Mutex<Records>,
    events: broadcast::Sender<Served>,
}

#[derive(Debug)]
struct Records {
    files: Vec<Record>,
    documents: Vec<Record>,
}

#[derive(Debug, Default)]
struct Record {
    size: u64,
    gets: u64,
    running: u64,
    first: Option<SystemTime>,
    last: Option<SystemTime>,
    bytes: u64,
    delivered: Coverage,
    change: Option<Change>,
}

impl FetchLog {
    pub(super) fn new(files: &[ServedFile], documents: &[ServedDocument]) -> Self {
        let record = |size| Record { size, ..Record::default() };
        let files = files.iter().map(|file| record(file.input.size())).collect();
        let documents = documents.iter().map(|document| record(document.content.len() as u64)).collect();
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        Self { records: Mutex::new(Records { files, documents }), events }
    }

    pub(super) fn files(&self) -> Vec<Fetches> {
        self.records().files.iter().map(Record::fetches).collect()
    }

    pub(super) fn documents(&self) -> Vec<Fetches> {
        self.records().documents.iter().map(Record::fetches).collect()
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Served> {
        self.events.subscribe()
    }

    fn began(&self, served: &Served) {
        if served.method == Method::GET {
            self.records().of(served.item).began(served.at);
        }
    }

    fn ended(&self, served: &Served) {
        self.records().of(served.item).ended(served);
        // Without a receiver nobody wants to know.
        let _ = self.events.send(served.clone());
    }

    /// The counts are valid after each statement that changes them, so a panic elsewhere does not spoil them.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn of(&mut self, item: Item) -> &mut Record {
        match item {
            Item::Document(index) => &mut self.documents[index],
            Item::File(index) => &mut self.files[index],
        }
    }
}

impl Record {
    fn began(&mut self, at: SystemTime) {
        self.gets += 1;
        self.running += 1;
        self.first.get_or_insert(at);
        self.last = Some(at);
    }

    fn ended(&mut self, served: &Served) {
        if let Delivery::Changed(change) = served.delivery {
            self.change.get_or_insert(change);
        }
        if served.method != Method::GET {
            return;
        }
        self.running -= 1;
        self.bytes += served.bytes;
        if served.delivery == Delivery::Complete {
            let (start, end) = served.range.map_or((0, self.size), |range| (range.first, range.last + 1));
            self.delivered.add(start, end);
        }
    }

    fn fetches(&self) -> Fetches {
        let state = match self {
            Self { change: Some(change), .. } => FetchState::Changed(*change),
            Self { delivered, size, .. } if delivered.is_whole(*size) => FetchState::Complete,
            Self { running: 1.., .. } => FetchState::Running,
            Self { gets: 0, .. } => FetchState::Never,
            _ => FetchState::Cut,
        };
        Fetches { gets: self.gets, first: self.first, last: self.last, bytes: self.bytes, state }
    }
}

/// An answer under way. It is logged when it is dropped: as cut, unless it was said to be something else.
#[derive(Debug)]
pub(super) struct Transfer {
    log: Arc<FetchLog>,
    served: Served,
}

impl Transfer {
    pub(super) fn begin(
        log: &Arc<FetchLog>,
        item: Item,
        method: Method,
        range: Option<ByteRange>,
        peer: SocketAddr,
    ) -> Self {
        let (at, delivery) = (SystemTime::now(), Delivery::Cut);
        let served = Served { item, at, method, range, bytes: 0, delivery, peer };
        log.began(&served);
        Self { log: Arc::clone(log), served }
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        self.served.bytes += bytes;
    }

    pub(super) fn complete(mut self) {
        self.served.delivery = Delivery::Complete;
    }

    pub(super) fn changed(mut self, change: Change) {
        self.served.delivery = Delivery::Changed(change);
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.log.ended(&self.served);
    }
}
