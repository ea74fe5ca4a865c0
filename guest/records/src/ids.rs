//! Which ids have been seen, over all files, in bounded memory.

use crate::hash::{Key, siphash};
use std::collections::{BTreeMap, BTreeSet};

/// How many ids are remembered: about 16 MB at most.
const CAPACITY: usize = 1_000_000;

const KEY: Key = (0x6964_7320_7365_656e, 0);

/// What is known about an id that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// Not seen before, and remembered from now on.
    First,
    /// Seen before.
    Again,
    /// Perhaps seen before: the memory is full.
    Unknown,
}

/// The memory of ids: 64-bit hashes of `Type/id`. With a million of them, the chance that any two differing ids are
/// mistaken for each other is below one in ten million.
pub(crate) struct Ids {
    capacity: usize,
    seen: BTreeSet<u64>,
    /// Distinct ids by type; `None` once an id of the type could not be remembered.
    distinct: BTreeMap<String, Option<u64>>,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { capacity, seen: BTreeSet::new(), distinct: BTreeMap::new() }
    }

    /// Takes note of `reference`, which is `Type/id` of the given type.
    pub(crate) fn note(&mut self, resource_type: &str, reference: &str) -> Sighting {
        let sighting = self.look(siphash(KEY, reference.as_bytes()));
        match (sighting, self.distinct.get_mut(resource_type)) {
            (Sighting::Again, _) => {}
            (Sighting::First, Some(count)) => *count = count.map(|count| count + 1),
            (Sighting::First, None) => self.set(resource_type, Some(1)),
            (Sighting::Unknown, Some(count)) => *count = None,
            (Sighting::Unknown, None) => self.set(resource_type, None),
        }
        sighting
    }

    /// How many different ids the type has, `None` when there were too many to tell.
    pub(crate) fn distinct(&self, resource_type: &str) -> Option<u64> {
        self.distinct.get(resource_type).copied().unwrap_or(Some(0))
    }

    fn look(&mut self, hash: u64) -> Sighting {
        if self.seen.contains(&hash) {
            Sighting::Again
        } else if self.seen.len() < self.capacity {
            self.seen.insert(hash);
            Sighting::First
        } else {
            Sighting::Unknown
        }
    }

    fn set(&mut self, resource_type: &str, count: Option<u64>) {
        self.distinct.insert(resource_type.to_owned(), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_by_type_until_the_memory_is_full() {
        let mut ids = Ids::with_capacity(3);
        let notes = [
            ("Patient", "Patient/1", Sighting::First),
            ("Patient", "Patient/1", Sighting::Again),
            ("Group", "Group/1", Sighting::First),
            ("Patient", "Patient/2", Sighting::First),
            ("Patient", "Patient/3", Sighting::Unknown),
            ("Basic", "Basic/1", Sighting::Unknown),
            ("Patient", "Patient/2", Sighting::Again),
        ];
        for (resource_type, reference, expected) in notes {
            assert_eq!(ids.note(resource_type, reference), expected, "{reference}");
        }
        let distinct = ["Patient", "Group", "Basic", "Goal"].map(|name| ids.distinct(name));
        assert_eq!(distinct, [None, Some(1), None, Some(0)]);
    }
}
