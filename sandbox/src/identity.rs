//! Names the server makes up.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The odd number nearest to 2^64 divided by the golden ratio: the step of `SplitMix64` (Steele, Lea, Flood 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where ids come from.
pub(crate) enum Ids {
    /// The standard library's hash keys, which is plenty of entropy for a practice server.
    Random,
    /// A seed: the same ids in the same order, always.
    Seeded(AtomicU64),
}

impl Ids {
    pub(crate) fn random() -> Self {
        Self::Random
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self::Seeded(AtomicU64::new(seed))
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&self) -> String {
        let (high, low) = (self.half(), self.half());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    fn half(&self) -> u64 {
        match self {
            Self::Random => RandomState::new().hash_one(()),
            Self::Seeded(state) => split_mix(state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP)),
        }
    }
}

fn split_mix(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn uuids_have_their_form_and_differ() {
        for ids in [Ids::random(), Ids::seeded(0)] {
            let (one, other) = (ids.uuid(), ids.uuid());
            assert_ne!(one, other);
            assert_eq!(one.len(), 36);
            assert_eq!(one.as_bytes()[14], b'4');
            assert!(matches!(one.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        }
    }

    #[test]
    fn a_seed_says_which_ids_there_will_be() {
        let ids = |seed| [(); 3].map(|()| Ids::uuid(&seed));
        assert_eq!(ids(Ids::seeded(7)), ids(Ids::seeded(7)));
        assert_ne!(ids(Ids::seeded(7)), ids(Ids::seeded(8)));
    }
}
