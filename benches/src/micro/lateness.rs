//! How late things happened.
use std::time::{Duration, Instant};

use super::row::{Measurement, Stopwatch};

/// Lateness of each of a number of events.
#[derive(Clone, Debug, Default)]
pub struct Lateness(Vec<u64>);

impl Lateness {
    /// Room for so many events, so that recording one allocates nothing.
    pub fn with_capacity(events: u64) -> Self {
        Self(Vec::with_capacity(events as usize))
    }

    /// An event that was due at `due` happens now.
    pub fn happened(&mut self, due: Instant) {
        self.record(due.elapsed());
    }

    /// An event was late by so much.
    pub fn record(&mut self, late: Duration) {
        self.0.push(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The figures of [`Kind::Lateness`](super::row::Kind::Lateness): median, 99th percentile and maximum in µs, and
    /// the CPU time since `stopwatch` started, in ns per event.
    ///
    /// # Panics
    /// If nothing happened.
    pub fn measurement(mut self, stopwatch: &Stopwatch) -> Measurement {
        let events = self.0.len();
        assert!(events > 0, "nothing happened");
        let cpu_ns = stopwatch.cpu_ns() / events as f64;
        self.0.sort_unstable();
        // Nearest rank: the smallest value that so many of a hundred do not exceed.
        let percentile = |percent: usize| self.0[(events * percent).div_ceil(100).max(1) - 1] as f64 / 1000.0;
        let figures = vec![percentile(50), percentile(99), percentile(100), cpu_ns];
        Measurement { figures, operations: events as u64 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Lateness;
    use crate::micro::row::{Kind, Stopwatch};

    fn figures(late_us: impl IntoIterator<Item = u64>) -> Vec<f64> {
        let mut lateness = Lateness::default();
        late_us.into_iter().for_each(|us| lateness.record(Duration::from_micros(us)));
        lateness.measurement(&Stopwatch::start()).figures
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        assert_eq!(figures((1..=200).rev())[..3], [100.0, 198.0, 200.0]);
        assert_eq!(figures([5])[..3], [5.0, 5.0, 5.0]);
    }

    #[test]
    fn a_measurement_has_the_figures_of_its_kind() {
        assert_eq!(figures([1]).len(), Kind::Lateness.figures().len());
    }
}
