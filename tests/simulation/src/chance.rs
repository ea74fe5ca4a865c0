//! Chance from a seed, each part of a simulation with its own, so that one does not disturb another.

use fastrand::Rng;

/// A source of chance.
#[derive(Debug, Clone)]
pub struct Chance {
    rng: Rng,
    /// How often trouble strikes, of 10,000 times.
    odds: u32,
}

impl Chance {
    /// Chance for one part of the simulation of a seed.
    #[must_use]
    pub fn of(seed: u64, part: u64) -> Self {
        // Fastrand's seeds are spread by its own mixing; two parts only have to differ.
        Self { rng: Rng::with_seed(seed.wrapping_mul(31).wrapping_add(part)), odds: 0 }
    }

    /// The same, with trouble so many of 10,000 times.
    #[must_use]
    pub fn with_odds(mut self, odds: u32) -> Self {
        self.odds = odds;
        self
    }

    /// Whether trouble strikes now.
    pub fn strikes(&mut self) -> bool {
        self.rng.u32(..10_000) < self.odds
    }

    /// Whether something happens that does so many of 100 times.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// One of so many.
    pub fn pick(&mut self, of: u32) -> u32 {
        self.rng.u32(..of)
    }

    /// A number between two, each order of magnitude equally likely.
    pub fn span(&mut self, from: u64, to: u64) -> u64 {
        let (low, high) = (from.max(1).ilog2(), to.max(1).ilog2());
        let scale = 1_u64 << self.rng.u32(low..=high);
        (scale + self.rng.u64(..scale)).clamp(from, to)
    }

    /// One of a list.
    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(..of.len())]
    }
}
