//! What every endpoint of a running server shares.

use crate::clock::Clock;
use crate::fetch::Reader;
use crate::identity::Ids;
use crate::ledger::{JobRecord, Ledger};
use crate::script::{Action, Endpoint, Script};
use crate::seen::Log;
use crate::store::Store;
use crate::world::{Pace, Surroundings};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::Notify;

/// The state behind the endpoints that does not depend on the personality.
pub(crate) struct Server {
    /// Scheme, host and port.
    pub(crate) origin: String,
    /// The FHIR base URL, without a slash at the end.
    pub(crate) base: String,
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) ledger: Ledger,
    pub(crate) reader: Reader,
    pub(crate) ids: Ids,
    pub(crate) pace: Pace,
    /// Told when the server restarts, which closes its connections.
    pub(crate) restarted: Notify,
    clock: Arc<dyn Clock>,
    playing: Mutex<Playing>,
}

/// The script, and how many requests each endpoint has had under it.
#[derive(Default)]
struct Playing {
    script: Arc<Script>,
    requests: BTreeMap<Endpoint, u32>,
}

impl Server {
    /// A server at this origin, with its FHIR base at this path.
    pub(crate) fn new(origin: String, root: &str, script: Script, surroundings: Surroundings) -> Self {
        let Surroundings { clock, reader, ids, pace } = surroundings;
        Self {
            base: format!("{origin}{root}"),
            origin,
            store: Store::new(Arc::clone(&clock)),
            log: Log::new(Arc::clone(&clock)),
            ledger: Ledger::default(),
            reader,
            ids,
            pace,
            restarted: Notify::new(),
            clock,
            playing: Mutex::new(Playing { script: Arc::new(script), ..Playing::default() }),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(crate) fn script(&self) -> Arc<Script> {
        Arc::clone(&self.lock().script)
    }

    /// Replaces the script and counts requests from one again.
    pub(crate) fn set_script(&self, script: Script) {
        *self.lock() = Playing { script: Arc::new(script), ..Playing::default() };
    }

    /// Counts a request and says what is to go wrong with it.
    pub(crate) fn fault(&self, endpoint: Endpoint) -> Option<Action> {
        let mut playing = self.lock();
        let number = playing.requests.entry(endpoint).or_default();
        *number += 1;
        let number = *number;
        let fault = playing.script.faults.iter().find(|fault| fault.applies(endpoint, number))?;
        Some(fault.action.clone())
    }

    /// Every job in the books.
    pub(crate) fn job_records(&self) -> Vec<JobRecord> {
        let deletes = |url: &str| self.log.deletes_of(url.strip_prefix(&self.origin).unwrap_or(url));
        self.ledger.records(&self.script(), self.now(), deletes)
    }

    fn lock(&self) -> MutexGuard<'_, Playing> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
