//! Random numbers that a seed decides, and the distributions of what happens.

/// A generator: xorshift with a multiplication (Vigna 2016).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Seeds that are close to each other give sequences that are not.
    pub fn new(seed: u64) -> Self {
        // One step of a mixing function: a state of zero would stay one.
        let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((x ^ (x >> 31)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to less than 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.uniform() * end as f64) as usize
    }

    /// The gap to the next of independent events that come every `mean` on average.
    pub fn gap(&mut self, mean: f64) -> f64 {
        -(1.0 - self.uniform()).ln() * mean
    }
}

/// How long polls take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PollLength {
    /// All the same, ns.
    Fixed(u64),
    /// Most are short and a few are very long: bounded Pareto.
    HeavyTailed {
        /// The shortest, ns.
        min: f64,
        /// The longest, ns.
        max: f64,
        /// The smaller, the heavier the tail.
        shape: f64,
    },
}

impl PollLength {
    /// Mean, ns.
    pub fn mean(self) -> f64 {
        match self {
            Self::Fixed(length) => length as f64,
            Self::HeavyTailed { min, max, shape } => {
                let head = min.powf(shape) / (1.0 - (min / max).powf(shape));
                head * shape / (shape - 1.0) * (min.powf(1.0 - shape) - max.powf(1.0 - shape))
            }
        }
    }

    /// The longest, ns.
    pub fn longest(self) -> u64 {
        match self {
            Self::Fixed(length) => length,
            Self::HeavyTailed { max, .. } => max as u64,
        }
    }

    /// The next one, ns.
    pub fn draw(self, random: &mut Random) -> u64 {
        match self {
            Self::Fixed(length) => length,
            Self::HeavyTailed { min, max, shape } => {
                let share = random.uniform() * (1.0 - (min / max).powf(shape));
                (min / (1.0 - share).powf(1.0 / shape)) as u64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PollLength, Random};

    #[test]
    fn a_seed_decides_the_sequence() {
        let sequence = |seed| {
            let mut random = Random::new(seed);
            [(); 4].map(|()| random.next())
        };
        assert_eq!(sequence(1), sequence(1));
        assert_ne!(sequence(1), sequence(2));
    }

    #[test]
    fn what_is_drawn_has_its_mean() {
        let mut random = Random::new(7);
        let draws = 400_000;
        let gaps: f64 = (0..draws).map(|_| random.gap(100.0)).sum();
        assert!((gaps / f64::from(draws) - 100.0).abs() < 1.0, "{}", gaps / f64::from(draws));
        let poll = PollLength::HeavyTailed { min: 2_000.0, max: 100_000.0, shape: 1.5 };
        let sum: f64 = (0..draws).map(|_| poll.draw(&mut random) as f64).sum();
        let mean = sum / f64::from(draws);
        assert!((mean / poll.mean() - 1.0).abs() < 0.02, "{mean} instead of {}", poll.mean());
    }

    #[test]
    fn heavy_tails_are_bounded_and_reach_far() {
        let mut random = Random::new(3);
        let poll = PollLength::HeavyTailed { min: 2_000.0, max: 2_000_000.0, shape: 1.2 };
        let draws: Vec<u64> = (0..100_000).map(|_| poll.draw(&mut random)).collect();
        assert!(draws.iter().all(|&length| (1_999..=poll.longest()).contains(&length)));
        assert!(draws.iter().any(|&length| length > 1_000_000));
    }
}
