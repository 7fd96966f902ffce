//! The runtime's clock: nanoseconds since it was started, on the monotonic clock of the system.

use crate::os::Instant;
use std::time::Duration;

/// Deadlines of timers are counted on it. Steps of the wall clock do not touch it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// The latest deadline that can be expressed: 584 years after the start. A timer filed there never
    /// fires.
    pub const HORIZON_NS: u64 = u64::MAX - 1;

    /// A clock that starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub fn now(&self) -> u64 {
        self.nanos_at(Instant::now())
    }

    /// The reading at `instant`: 0 before the start, at most [`HORIZON_NS`](Self::HORIZON_NS).
    pub fn nanos_at(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since).unwrap_or(Self::HORIZON_NS).min(Self::HORIZON_NS)
    }

    /// The instant at which the clock reads `nanos`; `None` where the system cannot express it.
    pub fn instant_at(&self, nanos: u64) -> Option<Instant> {
        self.start.checked_add(Duration::from_nanos(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use std::time::Duration;

    #[test]
    fn converts_there_and_back() {
        let clock = Clock::new();
        let instant = clock.instant_at(1_234_567).expect("close to now");
        assert_eq!(clock.nanos_at(instant), 1_234_567);
    }

    #[test]
    fn saturates_at_both_ends() {
        let clock = Clock::new();
        let before = clock.start.checked_sub(Duration::from_secs(1)).expect("the machine is up for a second");
        assert_eq!(clock.nanos_at(before), 0);
        let far = clock.start.checked_add(Duration::from_secs(700 * 365 * 24 * 3600));
        assert_eq!(clock.nanos_at(far.expect("700 years fit")), Clock::HORIZON_NS);
    }
}
