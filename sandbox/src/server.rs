//! What every endpoint of a running server shares.

use crate::script::{Action, Endpoint, Script};
use crate::seen::Log;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The state behind the endpoints that does not depend on the personality.
pub(crate) struct Server {
    /// The FHIR base URL, without a slash at the end.
    pub(crate) base: String,
    pub(crate) store: Store,
    pub(crate) log: Log,
    accepted: Mutex<Vec<String>>,
    playing: Mutex<Playing>,
}

/// The script, and how many requests each endpoint has had under it.
#[derive(Default)]
struct Playing {
    script: Arc<Script>,
    requests: BTreeMap<Endpoint, u32>,
}

impl Server {
    pub(crate) fn new(base: String, script: Script) -> Self {
        let playing = Mutex::new(Playing { script: Arc::new(script), ..Playing::default() });
        Self { base, store: Store::default(), log: Log::new(), accepted: Mutex::default(), playing }
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

    /// Notes that a job was really started, and where it is asked for.
    pub(crate) fn accept(&self, status_url: &str) {
        self.accepted_urls().push(status_url.to_owned());
    }

    pub(crate) fn accepted(&self) -> Vec<String> {
        self.accepted_urls().clone()
    }

    fn accepted_urls(&self) -> MutexGuard<'_, Vec<String>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Playing> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
