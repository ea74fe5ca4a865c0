//! What the server really holds, in memory.

use crate::clock::Clock;
use crate::moment;
use crate::resource::Resource;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The newest version of a resource.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) version: u32,
    pub(crate) updated: SystemTime,
    content: String,
}

impl Stored {
    /// The resource with `meta.versionId` and `meta.lastUpdated`.
    pub(crate) fn to_json(&self) -> Value {
        let mut resource: Value = serde_json::from_str(&self.content).expect("the store wrote this JSON itself");
        if !resource["meta"].is_object() {
            resource["meta"] = Value::Object(Map::new());
        }
        resource["meta"]["versionId"] = self.version.to_string().into();
        resource["meta"]["lastUpdated"] = moment::instant(self.updated).into();
        resource
    }
}

/// What storing a resource amounts to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Change {
    /// It is the first version under this id.
    Created,
    /// It is one more version.
    Updated,
    /// It says what is stored already; no version is added.
    Unchanged,
}

type Shelves = BTreeMap<String, BTreeMap<String, Stored>>;

/// Resources by type and id.
pub(crate) struct Store {
    clock: Arc<dyn Clock>,
    shelves: Mutex<Shelves>,
}

impl Store {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, shelves: Mutex::default() }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().values().map(BTreeMap::len).sum()
    }

    pub(crate) fn count_of(&self, kind: &str) -> usize {
        self.lock().get(kind).map_or(0, BTreeMap::len)
    }

    pub(crate) fn find(&self, kind: &str, id: &str) -> Option<Stored> {
        self.lock().get(kind)?.get(id).cloned()
    }

    pub(crate) fn has(&self, kind: &str, id: &str) -> bool {
        self.lock().get(kind).is_some_and(|shelf| shelf.contains_key(id))
    }

    /// The resources of a type in the order of their ids, all or those named.
    pub(crate) fn select(&self, kind: &str, ids: Option<&[&str]>) -> Vec<Stored> {
        let shelves = self.lock();
        let Some(shelf) = shelves.get(kind) else { return Vec::new() };
        let wanted = |id: &str| ids.is_none_or(|ids| ids.contains(&id));
        shelf.iter().filter(|(id, _)| wanted(id)).map(|(_, stored)| stored.clone()).collect()
    }

    /// What [`Store::put`] would do.
    pub(crate) fn judge(&self, resource: &Resource, id: &str) -> Change {
        judge(&self.lock(), resource, id, &text(resource))
    }

    /// Stores a resource under its id: the last one wins, and each that says something new is a version.
    pub(crate) fn put(&self, resource: &Resource, id: &str) -> Change {
        let (mut shelves, content) = (self.lock(), text(resource));
        let change = judge(&shelves, resource, id, &content);
        if change != Change::Unchanged {
            let shelf = shelves.entry(resource.kind.clone()).or_default();
            let version = shelf.get(id).map_or(1, |old| old.version + 1);
            shelf.insert(id.to_owned(), Stored { version, updated: self.clock.now(), content });
        }
        change
    }

    /// Forgets a resource with all its versions.
    pub(crate) fn remove(&self, kind: &str, id: &str) {
        if let Some(shelf) = self.lock().get_mut(kind) {
            shelf.remove(id);
        }
    }

    /// Forgets every resource of a type.
    pub(crate) fn clear(&self, kind: &str) {
        self.lock().remove(kind);
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judge(shelves: &Shelves, resource: &Resource, id: &str, content: &str) -> Change {
    match shelves.get(&resource.kind).and_then(|shelf| shelf.get(id)) {
        None => Change::Created,
        Some(old) if old.content == content => Change::Unchanged,
        Some(_) => Change::Updated,
    }
}

fn text(resource: &Resource) -> String {
    serde_json::to_string(&resource.content).expect("a JSON value always has a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MachineClock;

    fn patient(extra: &str) -> Resource {
        Resource::parse(format!(r#"{{"resourceType":"Patient","id":"a"{extra}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn the_last_one_wins_and_is_a_new_version() {
        let store = Store::new(Arc::new(MachineClock));
        assert_eq!(store.put(&patient(""), "a"), Change::Created);
        assert_eq!(store.put(&patient(""), "a"), Change::Unchanged);
        assert_eq!(store.judge(&patient(r#","active":true"#), "a"), Change::Updated);
        assert_eq!(store.put(&patient(r#","active":true"#), "a"), Change::Updated);
        let stored = store.find("Patient", "a").unwrap().to_json();
        assert_eq!((&stored["meta"]["versionId"], &stored["active"]), (&"2".into(), &true.into()));
        assert_eq!((store.count(), store.count_of("Patient"), store.count_of("Group")), (1, 1, 0));
    }
}
