//! Choosing which resources to read back.

use crate::fingerprint::fingerprint;
use crate::hash::siphash;
use std::collections::BTreeMap;

/// A resource to read back after the import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Type and id, as in `Patient/123`.
    pub reference: String,
    /// The file of its last occurrence, counted from 0.
    pub file: u32,
    /// The line of its last occurrence, counted from 1.
    pub line: u64,
    /// What [`fingerprint`](crate::fingerprint()) says of its last occurrence.
    pub fingerprint: String,
}

/// A line that may become a sample.
pub(crate) struct Candidate<'a> {
    pub(crate) resource_type: &'a str,
    pub(crate) reference: &'a str,
    pub(crate) file: u32,
    pub(crate) line: u64,
    pub(crate) text: &'a [u8],
}

/// Keeps, of every type, the resources with the smallest seeded hashes of `Type/id`. So the choice depends on the
/// seed and on which resources there are, and neither on their order nor on how the bytes arrived; a repeated id is
/// one resource.
pub(crate) struct Sampler {
    size: usize,
    seed: u64,
    by_type: BTreeMap<String, BTreeMap<u64, Sample>>,
}

impl Sampler {
    pub(crate) fn new(size: u32, seed: u64) -> Self {
        Self { size: size as usize, seed, by_type: BTreeMap::new() }
    }

    /// Considers a line. Only one that enters the sample is parsed.
    pub(crate) fn offer(&mut self, candidate: &Candidate<'_>) {
        let rank = siphash((self.seed, 0), candidate.reference.as_bytes());
        if !self.wants(candidate.resource_type, rank) {
            return;
        }
        let kept = self.by_type.entry(candidate.resource_type.to_owned()).or_default();
        match serde_json::from_slice(candidate.text) {
            Ok(resource) => _ = kept.insert(rank, sample(candidate, fingerprint(&resource))),
            // Valid JSON that no program can hold, such as 1e999: nothing to compare with.
            Err(_) => _ = kept.remove(&rank),
        }
        if kept.len() > self.size {
            kept.pop_last();
        }
    }

    /// The final choice, by reference: types take turns, so each has one while there is room. When there are more types
    /// than samples, the hash decides whose turn comes first.
    pub(crate) fn finish(self) -> Vec<Sample> {
        let mut turns: Vec<(usize, u64, Sample)> = Vec::new();
        for kept in self.by_type.into_values() {
            turns.extend(kept.into_iter().enumerate().map(|(turn, (rank, sample))| (turn, rank, sample)));
        }
        turns.sort_unstable_by_key(|(turn, rank, _)| (*turn, *rank));
        let mut samples: Vec<_> = turns.into_iter().take(self.size).map(|(_, _, sample)| sample).collect();
        samples.sort_unstable_by(|a, b| a.reference.cmp(&b.reference));
        samples
    }

    fn wants(&self, resource_type: &str, rank: u64) -> bool {
        let Some(kept) = self.by_type.get(resource_type) else { return self.size > 0 };
        kept.len() < self.size || kept.last_key_value().is_some_and(|(last, _)| rank <= *last)
    }
}

fn sample(candidate: &Candidate<'_>, fingerprint: String) -> Sample {
    Sample { reference: candidate.reference.to_owned(), file: candidate.file, line: candidate.line, fingerprint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(size: u32, seed: u64, references: &[String]) -> Vec<String> {
        let mut sampler = Sampler::new(size, seed);
        for reference in references {
            let (resource_type, id) = reference.split_once('/').unwrap();
            let text = format!(r#"{{"resourceType":"{resource_type}","id":"{id}"}}"#);
            let text = text.as_bytes();
            sampler.offer(&Candidate { resource_type, reference, file: 0, line: 1, text });
        }
        sampler.finish().into_iter().map(|sample| sample.reference).collect()
    }

    fn references() -> Vec<String> {
        let many = |name: &str, count: u32| (0..count).map(|n| format!("{name}/{n}")).collect::<Vec<_>>();
        [many("Observation", 500), many("Patient", 20), many("Group", 1)].concat()
    }

    #[test]
    fn every_type_has_a_sample_and_large_types_fill_the_rest() {
        let chosen = choose(12, 1, &references());
        let count = |name: &str| chosen.iter().filter(|reference| reference.starts_with(name)).count();
        assert_eq!((chosen.len(), count("Group"), count("Patient"), count("Observation")), (12, 1, 5, 6));
    }

    #[test]
    fn order_and_repetition_do_not_matter_but_the_seed_does() {
        let mut all = references();
        let chosen = choose(7, 1, &all);
        all.reverse();
        assert_eq!(choose(7, 1, &all), chosen);
        assert_eq!(choose(7, 1, &[all.clone(), all.clone()].concat()), chosen);
        assert_ne!(choose(7, 2, &all), chosen);
    }

    #[test]
    fn few_resources_are_all_taken_and_none_when_none_is_asked_for() {
        assert_eq!(choose(1000, 1, &references()).len(), 521);
        assert_eq!(choose(0, 1, &references()).len(), 0);
        assert_eq!(choose(2, 1, &references()).len(), 2);
    }

    #[test]
    fn the_last_occurrence_wins() {
        let mut sampler = Sampler::new(1, 1);
        let mut offer = |line, text: &str| {
            let (resource_type, reference, text) = ("Basic", "Basic/1", text.as_bytes());
            sampler.offer(&Candidate { resource_type, reference, file: 0, line, text });
        };
        offer(1, r#"{"a":1}"#);
        offer(2, r#"{"a":1e999}"#);
        offer(3, r#"{"a":2}"#);
        let expected = fingerprint(&serde_json::json!({"a": 2}));
        let [sample] = sampler.finish().try_into().unwrap();
        assert_eq!((sample.line, sample.fingerprint), (3, expected));
    }
}
