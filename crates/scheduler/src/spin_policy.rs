//! When a worker that would sleep in the driver looks at it for a while first, without sleeping.
//!
//! To fall asleep and be woken costs more than to look for some time: an event that comes within that time is
//! answered sooner and with less work. One that does not come has cost the whole time. So a worker keeps a
//! score: a spin that found something after a first empty round counts [`HIT`], one that did not [`MISS`];
//! below zero no spin is made for a number of parks that doubles from [`PAUSE_MIN`] to [`PAUSE_MAX`] as long as the
//! spin that ends each pause misses, too.
//!
//! A spin whose first round finds something says nothing: a sleep would have found it as well. And a round
//! that took longer than [`ROUND_MAX`] has missed whatever it found: this thread was off its core, so the one that made
//! the event needs the core, and is better helped by sleep.
//!
//! Rejected: spinning over the queues of others, which makes contended loads slower; a fixed time without a score,
//! which costs a third where client and server share a core.

use crate::os::Instant;
use std::cell::Cell;
use std::time::Duration;

/// How long a spin lasts unless told otherwise: a little more than one round trip of a client on another core.
pub(crate) const SPIN: Duration = Duration::from_micros(50);
/// One round takes a few hundred nanoseconds.
const ROUND_MAX: Duration = Duration::from_micros(3);
const HIT: i32 = 1;
const MISS: i32 = -2;
const SCORE_MAX: i32 = 8;
const PAUSE_MIN: u32 = 64;
const PAUSE_MAX: u32 = 4096;

/// How one round of a spin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nothing has happened.
    Empty,
    /// There is something to do.
    Found,
}

/// How a whole spin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spun {
    AtOnce,
    Hit,
    Miss,
}

#[derive(Debug)]
pub(crate) struct SpinPolicy {
    score: Cell<i32>,
    /// Parks to come without a spin.
    pause: Cell<u32>,
    next_pause: Cell<u32>,
}

impl SpinPolicy {
    pub(crate) fn new() -> Self {
        Self { score: Cell::new(0), pause: Cell::new(0), next_pause: Cell::new(PAUSE_MIN) }
    }

    /// Spins for `time` at most, if that seems worth it; false if nothing was found.
    pub(crate) fn spin(&self, time: Duration, round: impl FnMut() -> Round) -> bool {
        if time.is_zero() || !self.is_worth_it() {
            return false;
        }
        let (found, spun) = rounds(time, Instant::now, round);
        self.learn(spun);
        found
    }

    fn is_worth_it(&self) -> bool {
        let pause = self.pause.get();
        self.pause.set(pause.saturating_sub(1));
        pause == 0
    }

    fn learn(&self, spun: Spun) {
        let score = match spun {
            Spun::AtOnce => return,
            Spun::Hit => {
                self.next_pause.set(PAUSE_MIN);
                (self.score.get() + HIT).min(SCORE_MAX)
            }
            Spun::Miss => self.score.get() + MISS,
        };
        if score < 0 {
            let pause = self.next_pause.get();
            self.pause.set(pause);
            self.next_pause.set((2 * pause).min(PAUSE_MAX));
        }
        self.score.set(score.max(0));
    }
}

/// Looks until something is found or the time is over.
fn rounds(
    time: Duration,
    mut now: impl FnMut() -> Instant,
    mut round: impl FnMut() -> Round,
) -> (bool, Spun) {
    let start = now();
    let mut before = start;
    let mut spun = Spun::AtOnce;
    loop {
        let found = round() == Round::Found;
        let after = now();
        if after - before > ROUND_MAX {
            return (found, Spun::Miss);
        }
        if found {
            return (true, spun);
        }
        if after - start >= time {
            return (false, Spun::Miss);
        }
        before = after;
        spun = Spun::Hit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that advances by the given steps.
    fn clock(steps_us: &[u64]) -> impl FnMut() -> Instant {
        let mut now = Instant::now();
        let mut steps: Vec<u64> = steps_us.iter().rev().copied().collect();
        move || {
            now += Duration::from_micros(steps.pop().expect("the spin has ended by then"));
            now
        }
    }

    fn finds_in_round(number: usize) -> impl FnMut() -> Round {
        let mut rounds = 0;
        move || {
            rounds += 1;
            if rounds == number { Round::Found } else { Round::Empty }
        }
    }

    #[test]
    fn only_what_is_found_after_an_empty_round_is_a_hit() {
        assert_eq!(rounds(SPIN, clock(&[0, 1]), finds_in_round(1)), (true, Spun::AtOnce));
        assert_eq!(rounds(SPIN, clock(&[0, 1, 1]), finds_in_round(2)), (true, Spun::Hit));
    }

    #[test]
    fn a_spin_ends_after_its_time() {
        let time = Duration::from_micros(5);
        assert_eq!(rounds(time, clock(&[0, 2, 2, 2]), finds_in_round(9)), (false, Spun::Miss));
    }

    #[test]
    fn a_spin_that_lost_its_core_has_missed_whatever_it_found() {
        assert_eq!(rounds(SPIN, clock(&[0, 1, 4]), finds_in_round(2)), (true, Spun::Miss));
        assert_eq!(rounds(SPIN, clock(&[0, 4]), finds_in_round(9)), (false, Spun::Miss));
    }

    #[test]
    fn misses_pause_the_spin_for_longer_and_longer_and_a_hit_ends_that() {
        let policy = SpinPolicy::new();
        let pause_after_miss = || {
            policy.learn(Spun::Miss);
            std::iter::repeat_with(|| policy.is_worth_it()).take_while(|worth_it| !worth_it).count()
        };
        assert_eq!([(); 8].map(|()| pause_after_miss()), [64, 128, 256, 512, 1024, 2048, 4096, 4096]);
        policy.learn(Spun::Hit);
        assert_eq!(pause_after_miss(), 64);
    }

    #[test]
    fn a_high_score_outlives_a_few_misses() {
        let policy = SpinPolicy::new();
        (0..20).for_each(|_| policy.learn(Spun::Hit));
        for _ in 0..4 {
            policy.learn(Spun::Miss);
            assert!(policy.is_worth_it());
        }
        policy.learn(Spun::Miss);
        assert!(!policy.is_worth_it());
    }

    #[test]
    fn without_time_there_is_no_spin() {
        assert!(!SpinPolicy::new().spin(Duration::ZERO, || unreachable!("no round is made")));
    }
}
