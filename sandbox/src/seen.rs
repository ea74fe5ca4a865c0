//! The log of what reached the server: the oracle of the tests.

use crate::clock::{Clock, millis_between};
use crate::script::Endpoint;
use bytes::Bytes;
use hyper::http::request::Parts;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method, in capitals.
    pub method: String,
    /// Path and query as sent.
    pub path_and_query: String,
    /// The headers in order, names in lower case. Bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// When it had arrived completely, in milliseconds of the server's clock since the server started.
    pub at_ms: u64,
    /// What it was taken for. `None`: no endpoint of this personality.
    pub endpoint: Option<Endpoint>,
    /// The status of the answer. `None`: not answered yet, or never (the connection was closed by either side).
    pub status: Option<u16>,
}

impl Seen {
    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Where a request stands in the log; travels with the request through the router.
#[derive(Clone, Copy)]
pub(crate) struct Entry(usize);

/// Everything seen so far, in order of arrival.
pub(crate) struct Log {
    clock: Arc<dyn Clock>,
    started: SystemTime,
    seen: Mutex<Vec<Seen>>,
}

impl Log {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { started: clock.now(), clock, seen: Mutex::default() }
    }

    /// Writes a request down before anything is done with it.
    pub(crate) fn arrived(&self, head: &Parts, body: &Bytes) -> Entry {
        let mut all = self.lock();
        all.push(Seen {
            method: head.method.to_string(),
            path_and_query: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            body: body.to_vec(),
            at_ms: self.now_ms(),
            endpoint: None,
            status: None,
        });
        Entry(all.len() - 1)
    }

    /// Writes the same request down once more, as one the network delivered again.
    pub(crate) fn arrived_again(&self, first: Entry) -> Entry {
        let mut all = self.lock();
        let again = Seen { at_ms: self.now_ms(), status: None, ..all[first.0].clone() };
        all.push(again);
        Entry(all.len() - 1)
    }

    /// Notes what a request was taken for.
    pub(crate) fn taken_for(&self, entry: Entry, endpoint: Endpoint) {
        self.lock()[entry.0].endpoint = Some(endpoint);
    }

    /// Notes the status that is about to be sent.
    pub(crate) fn answered(&self, entry: Entry, status: u16) {
        self.lock()[entry.0].status = Some(status);
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    pub(crate) fn count(&self, endpoint: Endpoint) -> usize {
        self.lock().iter().filter(|seen| seen.endpoint == Some(endpoint)).count()
    }

    /// How many requests to cancel named this path and query, or the method of that name below it.
    pub(crate) fn deletes_of(&self, place: &str) -> usize {
        let named = |path: &str| path.strip_suffix(":cancel").unwrap_or(path) == place;
        let cancels = |seen: &&Seen| seen.endpoint == Some(Endpoint::Delete) && named(&seen.path_and_query);
        self.lock().iter().filter(cancels).count()
    }

    fn now_ms(&self) -> u64 {
        millis_between(self.started, self.clock.now())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
