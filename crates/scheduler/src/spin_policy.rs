//! When a worker that would sleep in the driver looks at it for a while first, without sleeping.
//!
//! To fall asleep and be woken costs more than to look for some time: an event that comes within that time is
//! answered sooner and with less work. One that does not come has cost the whole time. So a worker keeps a
//! score: a spin that found something after a first empty round counts [`HIT`], one that did not [`MISS`];
//! below zero no spin is made for a number of parks that doubles from [`PAUSE_MIN`] to [`PAUSE_MAX`] as long as the
//! spin that ends each pause misses, too.
//!
//! A spin whose first round finds something counts neither way: a sleep would have found it as well. A later one that
//! finds a timer due has missed: when that would be was known, and a sleep would have ended then. And a round
//! that took longer than [`ROUND_MAX`] has missed whatever it found: this thread was off its core, so the one that made
//! the event needs the core, and is better helped by sleep.
//!
//! A spin lasts at most [`PATIENCE`] times as long as it usually takes until there is an event, those that are found
//! at once included. A client that answers this thread takes about the same time each time, and is waited for. Where
//! much is found at once events come by themselves, and what is not there then may be long in coming: to look for all
//! of that time costs more than the sleeps that it saves. A pause forgets what is usual, so the spin that ends it has the
//! whole time. Other threads of the process teach no patience: two that wait for each other in turn find each
//! other at once while both look, and need the whole time to meet again after one of them has slept.
//!
//! Rejected: spinning over the queues of others, which makes contended loads slower; a fixed time without a score,
//! which costs a third where client and server share a core.

use crate::os::Instant;
use crate::smoothing::smoothed;
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
const PATIENCE: u32 = 2;

/// How one round of a spin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nothing has happened.
    Empty,
    /// Something has come from outside of the process.
    Event,
    /// There is something to do that another thread has brought.
    Call,
    /// A timer is due.
    Timer,
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
    /// How many nanoseconds it usually takes until there is an event; `None` until a spin after the last pause has hit one.
    usual: Cell<Option<u64>>,
}

impl SpinPolicy {
    pub(crate) fn new() -> Self {
        Self {
            score: Cell::new(0),
            pause: Cell::new(0),
            next_pause: Cell::new(PAUSE_MIN),
            usual: Cell::new(None),
        }
    }

    /// Spins for `time` at most, if that seems worth it; false if nothing was found.
    pub(crate) fn spin(&self, time: Duration, round: impl FnMut() -> Round) -> bool {
        if time.is_zero() || !self.is_worth_it() {
            return false;
        }
        let (found, spun, event_after) = rounds(self.patience().min(time), Instant::now, round);
        if let Some(took) = event_after {
            self.learn_patience(spun, took);
        }
        self.learn(spun);
        found
    }

    fn is_worth_it(&self) -> bool {
        let pause = self.pause.get();
        self.pause.set(pause.saturating_sub(1));
        pause == 0
    }

    fn patience(&self) -> Duration {
        self.usual.get().map_or(Duration::MAX, |usual| Duration::from_nanos(usual) * PATIENCE)
    }

    fn learn_patience(&self, spun: Spun, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let usual = match self.usual.get() {
            Some(usual) => Some(smoothed(usual, took)),
            None => (spun == Spun::Hit).then_some(took),
        };
        self.usual.set(usual);
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
            self.usual.set(None);
        }
        self.score.set(score.max(0));
    }
}

/// Looks until something is found or the time is over: whether it was, how that counts, and after which time there was
/// an event.
fn rounds(
    time: Duration,
    mut now: impl FnMut() -> Instant,
    mut round: impl FnMut() -> Round,
) -> (bool, Spun, Option<Duration>) {
    let start = now();
    let mut before = start;
    let mut spun = Spun::AtOnce;
    loop {
        let found = round();
        let after = now();
        if after - before > ROUND_MAX {
            return (found != Round::Empty, Spun::Miss, None);
        }
        match found {
            Round::Event => return (true, spun, Some(after - start)),
            Round::Call => return (true, spun, None),
            Round::Timer if spun == Spun::Hit => return (true, Spun::Miss, None),
            Round::Timer => return (true, spun, None),
            Round::Empty if after - start >= time => return (false, Spun::Miss, None),
            Round::Empty => {}
        }
        before = after;
        spun = Spun::Hit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    /// A clock that advances by the given steps.
    fn clock(steps_us: &[u64]) -> impl FnMut() -> Instant {
        let mut now = Instant::now();
        let mut steps: Vec<u64> = steps_us.iter().rev().copied().collect();
        move || {
            now += Duration::from_micros(steps.pop().expect("the spin has ended by then"));
            now
        }
    }

    fn finds_in_round(number: usize, what: Round) -> impl FnMut() -> Round {
        let mut rounds = 0;
        move || {
            rounds += 1;
            if rounds == number { what } else { Round::Empty }
        }
    }

    #[test]
    fn only_what_is_found_after_an_empty_round_is_a_hit() {
        assert_eq!(rounds(SPIN, clock(&[0, 1]), finds_in_round(1, Round::Call)), (true, Spun::AtOnce, None));
        assert_eq!(rounds(SPIN, clock(&[0, 1, 1]), finds_in_round(2, Round::Call)), (true, Spun::Hit, None));
    }

    #[test]
    fn a_timer_that_becomes_due_during_a_spin_is_a_miss() {
        assert_eq!(rounds(SPIN, clock(&[0, 1]), finds_in_round(1, Round::Timer)), (true, Spun::AtOnce, None));
        assert_eq!(
            rounds(SPIN, clock(&[0, 1, 1]), finds_in_round(2, Round::Timer)),
            (true, Spun::Miss, None)
        );
    }

    #[test]
    fn of_an_event_the_time_is_known() {
        let events = |steps: &[u64], number| rounds(SPIN, clock(steps), finds_in_round(number, Round::Event));
        assert_eq!(events(&[0, 1], 1), (true, Spun::AtOnce, Some(us(1))));
        assert_eq!(events(&[0, 1, 2], 2), (true, Spun::Hit, Some(us(3))));
    }

    #[test]
    fn a_spin_ends_after_its_time() {
        let time = Duration::from_micros(5);
        let spun = rounds(time, clock(&[0, 2, 2, 2]), finds_in_round(9, Round::Event));
        assert_eq!(spun, (false, Spun::Miss, None));
    }

    #[test]
    fn a_spin_that_lost_its_core_has_missed_whatever_it_found() {
        let spun = rounds(SPIN, clock(&[0, 1, 4]), finds_in_round(2, Round::Event));
        assert_eq!(spun, (true, Spun::Miss, None));
        let spun = rounds(SPIN, clock(&[0, 4]), finds_in_round(9, Round::Event));
        assert_eq!(spun, (false, Spun::Miss, None));
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
    fn the_patience_is_twice_what_is_usual_once_there_was_a_hit() {
        let policy = SpinPolicy::new();
        policy.learn_patience(Spun::AtOnce, us(1));
        assert_eq!(policy.patience(), Duration::MAX);
        policy.learn_patience(Spun::Hit, us(10));
        assert_eq!(policy.patience(), us(20));
        policy.learn_patience(Spun::Hit, us(18));
        assert_eq!(policy.patience(), us(22));
    }

    #[test]
    fn what_is_found_at_once_shortens_the_patience() {
        let policy = SpinPolicy::new();
        policy.learn_patience(Spun::Hit, us(10));
        (0..100).for_each(|_| policy.learn_patience(Spun::AtOnce, us(1)));
        assert!(policy.patience() < us(3), "{:?}", policy.patience());
    }

    #[test]
    fn a_pause_forgets_what_is_usual_and_a_miss_before_it_does_not() {
        let policy = SpinPolicy::new();
        policy.learn_patience(Spun::Hit, us(10));
        (0..2).for_each(|_| policy.learn(Spun::Hit));
        policy.learn(Spun::Miss);
        assert_eq!(policy.patience(), us(20));
        policy.learn(Spun::Miss);
        assert_eq!(policy.patience(), Duration::MAX);
    }

    #[test]
    fn a_spin_ends_when_the_patience_does() {
        let policy = SpinPolicy::new();
        policy.learn_patience(Spun::Hit, Duration::from_nanos(1));
        assert!(!policy.spin(Duration::MAX, || Round::Empty));
    }

    #[test]
    fn without_time_there_is_no_spin() {
        assert!(!SpinPolicy::new().spin(Duration::ZERO, || unreachable!("no round is made")));
    }
}
