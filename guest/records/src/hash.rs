//! SipHash-2-4 (Aumasson and Bernstein, 2012): a small keyed hash with published test vectors.
//!
//! It serves three purposes here, each with its own key: remembering ids, choosing samples and comparing resources. The
//! standard library's hasher is the same family but may change between releases; these values are stored in plans.

/// A 128-bit key as two words.
pub(crate) type Key = (u64, u64);

/// The 64-bit SipHash-2-4 of `bytes`.
pub(crate) fn siphash(key: Key, bytes: &[u8]) -> u64 {
    let mut state = State::new(key);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        state.absorb(u64::from_le_bytes(*word));
    }
    state.absorb(last_word(tail, bytes.len()));
    state.finish()
}

/// The tail of fewer than eight bytes, with the length (modulo 256) in the highest byte.
fn last_word(tail: &[u8], length: usize) -> u64 {
    let length = (length as u64) << 56;
    tail.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte)) | length
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    /// The constants spell "somepseudorandomlygeneratedbytes".
    fn new((k0, k1): Key) -> Self {
        Self {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        }
    }

    fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.round();
        self.v0 ^= word;
    }

    fn finish(mut self) -> u64 {
        self.v2 ^= 0xff;
        for _ in 0..4 {
            self.round();
        }
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher;

    const PAPER_KEY: Key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);

    #[test]
    fn the_vector_of_the_paper_is_met() {
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(siphash(PAPER_KEY, &input), 0xa129_ca61_49be_45e5);
    }

    #[test]
    #[expect(deprecated, reason = "the old hasher of std is SipHash-2-4: a second opinion")]
    fn every_length_agrees_with_std() {
        let input: Vec<u8> = (0..=255).cycle().take(600).collect();
        for length in 0..input.len() {
            let mut std = std::hash::SipHasher::new_with_keys(7, u64::MAX);
            std.write(&input[..length]);
            assert_eq!(siphash((7, u64::MAX), &input[..length]), std.finish(), "length {length}");
        }
    }
}
