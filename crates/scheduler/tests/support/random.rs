//! Repeatable randomness for tests: the seed is printed, and the same seed makes the same choices.

use std::time::{SystemTime, UNIX_EPOCH};

/// xorshift64* (Vigna 2016).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The choices that belong to `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        // Zero is the one state that stays zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    /// Whether something happens that happens once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Another generator, with choices of its own.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.below(u64::MAX))
    }
}

/// The seed in `SHOPFLOOR_SEED`, or one from the clock; printed, so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("SHOPFLOOR_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seed = given.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_nanos() as u64
    });
    eprintln!("SHOPFLOOR_SEED={seed}");
    seed
}
