//! Files for the practice server, without sockets.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fhir_import_sandbox::Files;

/// Files by their names, which may be URLs of any scheme.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<BTreeMap<String, Bytes>>);

impl Shelf {
    /// Puts a file there, or another one in its place.
    pub fn put(&self, name: &str, content: impl Into<Bytes>) {
        self.lock().insert(name.to_owned(), content.into());
    }

    /// Takes a file away.
    ///
    /// # Panics
    /// When it is not there.
    pub fn remove(&self, name: &str) {
        self.lock().remove(name).expect("it was put there");
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for Shelf {
    fn read(&self, name: &str) -> Option<Bytes> {
        self.lock().get(name).cloned()
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        self.lock().keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }
}
