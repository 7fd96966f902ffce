//! Ticks at regular times.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Duration, Instant, Sleep, sleep_until};

/// A tick that is received no later than this is in time: it is the scheduler that was late, not the caller.
const IN_TIME: Duration = Duration::from_millis(1);

/// Ticks every `period`, the first time at once.
///
/// # Panics
/// If `period` is zero. Outside a runtime.
///
/// ```
/// use shopfloor::time::{Duration, Instant, interval};
///
/// # shopfloor::runtime::Runtime::new()?.block_on(async {
/// let mut every = interval(Duration::from_millis(2));
/// let start = every.tick().await;
/// every.tick().await;
/// assert_eq!(every.tick().await, start + Duration::from_millis(4));
/// assert!(Instant::now() >= start + Duration::from_millis(4));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks every `period`, the first time at `start`.
///
/// # Panics
/// If `period` is zero. Outside a runtime.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "`period` must be non-zero");
    Interval { delay: sleep_until(start), period, missed_tick_behavior: MissedTickBehavior::Burst }
}

/// What an [`Interval`] does when a tick is received after the next one was due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Ticks without waiting until it has caught up; no tick is lost.
    #[default]
    Burst,
    /// Starts anew: the next tick is one period after the late one was received.
    Delay,
    /// Leaves out what was missed: the next tick is the next multiple of the period after the first tick.
    Skip,
}

impl MissedTickBehavior {
    /// The tick after the one that was due at `due` and received at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        let next = due.saturating_add(period);
        if now <= due.saturating_add(IN_TIME) {
            return next;
        }
        match self {
            Self::Burst => next,
            Self::Delay => now.saturating_add(period),
            Self::Skip => {
                let past_multiple = (now - due).as_nanos() % period.as_nanos();
                let to_next = period - nanoseconds(past_multiple);
                now.saturating_add(to_next)
            }
        }
    }
}

/// A duration of less than one period, which is a `Duration` itself.
fn nanoseconds(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    // Lossless: the seconds of a `Duration` are a `u64`, and the remainder is below 10^9.
    Duration::new((nanos / PER_SECOND) as u64, (nanos % PER_SECOND) as u32)
}

/// The ticks of [`interval`] and [`interval_at`].
#[derive(Debug)]
pub struct Interval {
    delay: Sleep,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
}

impl Interval {
    /// Waits for the next tick and says when it was due.
    ///
    /// # Cancel safety
    /// No tick is lost when the future is dropped before it is ready.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick; if it is pending, the task is woken when the tick is due.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.delay).poll(cx));
        let due = self.delay.deadline();
        let next = self.missed_tick_behavior.next(due, Instant::now(), self.period);
        self.restart(next);
        Poll::Ready(due)
    }

    /// The next tick is one period from now.
    pub fn reset(&mut self) {
        self.restart(Instant::now().saturating_add(self.period));
    }

    /// The next tick is at once.
    pub fn reset_immediately(&mut self) {
        self.restart(Instant::now());
    }

    /// The next tick is so much later than now.
    pub fn reset_after(&mut self, after: Duration) {
        self.restart(Instant::now().saturating_add(after));
    }

    /// The next tick is at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.restart(deadline);
    }

    fn restart(&mut self, next: Instant) {
        Pin::new(&mut self.delay).reset(next);
    }

    /// What happens when a tick is missed.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Sets what happens when a tick is missed, from the next one on.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::MissedTickBehavior::{Burst, Delay, Skip};
    use super::{Duration, IN_TIME, Instant};

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_late_tick_is_followed_as_the_behaviour_says() {
        let start = Instant::now();
        // (behaviour, tick received so long after it was due, next tick so long after it was due)
        let table = [
            (Burst, ms(0), ms(50)),
            (Burst, ms(30), ms(50)),
            (Burst, ms(170), ms(50)),
            (Delay, ms(0), ms(50)),
            (Delay, IN_TIME, ms(50)),
            (Delay, ms(30), ms(80)),
            (Delay, ms(170), ms(220)),
            (Skip, ms(0), ms(50)),
            (Skip, ms(30), ms(50)),
            (Skip, ms(50), ms(100)),
            (Skip, ms(170), ms(200)),
        ];
        for (behaviour, late, next) in table {
            assert_eq!(behaviour.next(start, start + late, ms(50)), start + next, "{behaviour:?} {late:?}");
        }
    }

    #[test]
    fn a_period_of_centuries_does_not_overflow() {
        let start = Instant::now();
        for behaviour in [Burst, Delay, Skip] {
            assert!(behaviour.next(start, start + ms(30), Duration::MAX) > start + ms(1000), "{behaviour:?}");
        }
    }
}
