//! When a worker that has more than one task wakes another one for the rest.
//!
//! Waking a thread that sleeps costs the waker as much as some hundred short polls, so it pays only if
//! the rest takes longer than that. A worker that pushes to its own queue wakes a peer at once if the
//! queue's length times the usual length of a poll reaches what a wake costs; else it defers, and looks
//! again after each poll until the queue is empty, or some time has passed; the next push asks anew. What a wake
//! costs is measured at each of its own, and starts at [`WAKE_COST_NS`].
//!
//! A deferral lasts [`DEFER_NS_MIN`] at first. If as many peers sleep at the next deferral as before the wake that ended the last one, and
//! [`DEFER_NS_MAX`] have not passed, whoever was woken has found tasks that wait for those of this worker, took their cache lines from
//! one core to the other and back, and gained nothing: the time doubles, up to that. It starts afresh when a peer has stayed awake.
//!
//! Events come in batches. While two or more peers sleep there are cores to spare, and what a turn of the driver made ready
//! is like any push. The last sleeper is left alone for [`DEFER_BATCH_NS`], unless the batch will take [`LONG_BATCH_NS`]: on a
//! small machine that the clients share, a second worker for a burst costs more than it gains.
//!
//! A deferred wake is an optimisation and never an obligation: the worker is awake and runs the tasks
//! itself; before it parks its queue is empty; and if one of its polls does not end, the foreman wakes
//! somebody.

use crate::floor::Floor;
use crate::smoothing::smoothed;
use shopfloor_protocol::idle::Outlook;
use shopfloor_protocol::sync::LocalQueue;
use shopfloor_task::Notified;
use std::cell::Cell;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What waking a sleeping thread costs the waker, until this worker has measured it: a virtual machine's futex.
const WAKE_COST_NS: u64 = 5_000;
/// The range of what is believed: below it, the sleeper was still on its way to sleep and nobody was called; above
/// it, the waker was off its core.
const WAKE_COST_RANGE: RangeInclusive<u64> = 1_000..=50_000;
/// The shortest and the longest time for which a push that did not justify a wake is left to this worker alone.
const DEFER_NS_MIN: u64 = 50_000;
const DEFER_NS_MAX: u64 = 1_000_000;
/// The same for what a turn of the driver made ready, while only one peer sleeps.
const DEFER_BATCH_NS: u64 = 200_000;
/// A batch that will take this long does not wait for that: it would in any case.
const LONG_BATCH_NS: u64 = 2 * DEFER_BATCH_NS;
/// One in so many polls looks at the clock while a wake is deferred.
const CLOCK_INTERVAL: u32 = 4;

/// What is to be looked at again when a poll has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// A push woke nobody because somebody was searching, who may miss it and park.
    Searcher,
    /// A wake is deferred, which is mostly over before it is worth a look at the clock.
    Deferral,
    /// The deferred wake is due at that time of the runtime's clock.
    Until(u64),
    /// The same for what a turn of the driver made ready.
    Batch(u64),
}

/// A wake: when it was, and how many slept before.
#[derive(Clone, Copy, Debug)]
struct Woken {
    at: u64,
    parked_before: usize,
}

#[derive(Debug)]
pub(crate) struct WakePolicy {
    pending: Cell<Pending>,
    /// Polls that ended while a wake was deferred, since the last push that began that.
    deferred_polls: Cell<u32>,
    /// Smoothed length of a poll. Starts where one waiting task justifies a wake, so that a runtime that
    /// knows nothing yet spreads its work.
    poll_ns: Cell<u64>,
    /// Smoothed cost of a wake: the estimate of work that justifies one.
    wake_ns: Cell<u64>,
    /// For how long the next one is deferred.
    defer_ns: Cell<u64>,
    /// The last wake that had been deferred, until it is known whether anybody has stayed awake.
    last_woken: Cell<Option<Woken>>,
}

impl WakePolicy {
    pub(crate) fn new() -> Self {
        Self {
            pending: Cell::new(Pending::Nothing),
            deferred_polls: Cell::new(0),
            poll_ns: Cell::new(WAKE_COST_NS),
            wake_ns: Cell::new(WAKE_COST_NS),
            defer_ns: Cell::new(DEFER_NS_MIN),
            last_woken: Cell::new(None),
        }
    }

    /// Some polls are timed: reading the clock twice costs as much as a short poll.
    pub(crate) fn learn_poll_length(&self, sample: u64) {
        self.poll_ns.set(smoothed(self.poll_ns.get(), sample));
    }

    /// How long the tasks of a queue take, if their polls are as long as usual.
    pub(crate) fn time_of(&self, queue: &LocalQueue<Notified>) -> Duration {
        Duration::from_nanos(self.poll_ns.get().saturating_mul(queue.len() as u64))
    }

    /// How many polls take about as long as `time`, if they take as long as usual, or `lately` nanoseconds if that is longer.
    pub(crate) fn polls_in(&self, time: Duration, lately: u64) -> u32 {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        u32::try_from(nanos / self.poll_ns.get().max(lately).max(1)).unwrap_or(u32::MAX)
    }

    /// A task was pushed to the own queue, by a worker of `group`.
    #[inline]
    pub(crate) fn pushed(&self, floor: &Floor, group: usize, queue: &LocalQueue<Notified>) {
        match floor.idle.outlook(group) {
            Outlook::AllActive => {}
            Outlook::Searched => self.pending.set(Pending::Searcher),
            Outlook::Wakeable => self.decide(floor, group, queue),
        }
    }

    /// A turn of the driver or the wheels has pushed what it found.
    pub(crate) fn batch_pushed(&self, floor: &Floor, group: usize, queue: &LocalQueue<Notified>) {
        let len = queue.len() as u64;
        if len < 2 || !floor.idle.could_wake(group) {
            return;
        }
        if floor.idle.parked() > 1 {
            self.decide(floor, group, queue);
        } else if self.poll_ns.get().saturating_mul(len) >= LONG_BATCH_NS {
            self.wake(floor, group);
        } else {
            let due = floor.clock.now() + DEFER_BATCH_NS;
            let is_due_before =
                matches!(self.pending.get(), Pending::Until(at) | Pending::Batch(at) if at <= due);
            if !is_due_before {
                self.pending.set(Pending::Batch(due));
            }
        }
    }

    /// A poll has ended: a deferred wake may be due, or not be needed any more.
    #[inline]
    pub(crate) fn look_again(&self, floor: &Floor, group: usize, queue: &LocalQueue<Notified>) {
        if self.pending.get() != Pending::Nothing {
            self.look_at_pending(floor, group, queue);
        }
    }

    /// Not inlined: the work loop is shorter without it.
    #[inline(never)]
    fn look_at_pending(&self, floor: &Floor, group: usize, queue: &LocalQueue<Notified>) {
        if queue.is_empty() {
            return self.pending.set(Pending::Nothing);
        }
        match floor.idle.outlook(group) {
            Outlook::AllActive => self.pending.set(Pending::Nothing),
            Outlook::Searched => self.pending.set(Pending::Searcher),
            Outlook::Wakeable if !self.is_deferred() => self.decide(floor, group, queue),
            Outlook::Wakeable if self.is_worth_a_look() => self.look_at_clock(floor, group),
            Outlook::Wakeable => {}
        }
    }

    fn look_at_clock(&self, floor: &Floor, group: usize) {
        let now = floor.clock.now();
        match self.pending.get() {
            Pending::Until(due) | Pending::Batch(due) if now < due => {}
            Pending::Batch(_) => {
                self.wake(floor, group);
            }
            Pending::Until(_) => {
                let parked_before = floor.idle.parked();
                let has_woken = self.wake(floor, group);
                self.last_woken.set(has_woken.then_some(Woken { at: now, parked_before }));
            }
            _ => {
                self.learn_whether_somebody_stayed(now, floor.idle.parked());
                self.pending.set(Pending::Until(now + self.defer_ns.get()));
            }
        }
    }

    fn decide(&self, floor: &Floor, group: usize, queue: &LocalQueue<Notified>) {
        if self.poll_ns.get().saturating_mul(queue.len() as u64) >= self.wake_ns.get() {
            self.wake(floor, group);
        } else if !self.is_deferred() {
            self.pending.set(Pending::Deferral);
            self.deferred_polls.set(0);
        }
    }

    fn is_deferred(&self) -> bool {
        matches!(self.pending.get(), Pending::Deferral | Pending::Until(_) | Pending::Batch(_))
    }

    fn learn_whether_somebody_stayed(&self, now: u64, parked: usize) {
        if let Some(Woken { at, parked_before }) = self.last_woken.take() {
            let has_stayed = parked < parked_before || now.saturating_sub(at) >= DEFER_NS_MAX;
            self.defer_ns.set(if has_stayed {
                DEFER_NS_MIN
            } else {
                (2 * self.defer_ns.get()).min(DEFER_NS_MAX)
            });
        }
    }

    /// Short polls need not read the clock after each.
    fn is_worth_a_look(&self) -> bool {
        let polls = self.deferred_polls.get().wrapping_add(1);
        self.deferred_polls.set(polls);
        self.poll_ns.get() > self.wake_ns.get() || polls.is_multiple_of(CLOCK_INTERVAL)
    }

    /// Wakes somebody, and takes the time if anybody was woken. Whether it was.
    fn wake(&self, floor: &Floor, group: usize) -> bool {
        self.pending.set(Pending::Nothing);
        let start = floor.clock.now();
        let has_woken = floor.wake_one(group);
        if has_woken {
            self.learn_wake_cost(floor.clock.now().saturating_sub(start));
        }
        has_woken
    }

    fn learn_wake_cost(&self, sample: u64) {
        if WAKE_COST_RANGE.contains(&sample) {
            self.wake_ns.set(smoothed(self.wake_ns.get(), sample));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::testing::{close, floor, run, spawn, spawned, take};
    use std::sync::Arc;

    fn queue_of(tasks: usize, floor: &Arc<Floor>) -> LocalQueue<Notified> {
        let queue = LocalQueue::new_fifo();
        (0..tasks).for_each(|_| queue.push(spawned(floor)));
        queue
    }

    fn finish(queue: &LocalQueue<Notified>, floor: &Floor) {
        std::iter::from_fn(|| queue.pop()).for_each(run);
        close(floor);
    }

    #[test]
    fn a_push_that_relied_on_a_searcher_wakes_it_at_the_next_end_of_a_poll_if_it_missed_the_task() {
        let floor = floor(2, 1);
        let queue = queue_of(1, &floor);
        let policy = WakePolicy::new();
        assert!(floor.idle.start_searching(0, 2));
        policy.pushed(&floor, 0, &queue);
        // It has looked at this queue before, finds nothing and parks.
        let woken = floor.idle.park(1, true, || false, || policy.look_again(&floor, 0, &queue));
        assert!(woken && floor.slots[1].parker.take_token());
        finish(&queue, &floor);
    }

    #[test]
    fn a_batch_is_left_to_one_worker_while_one_peer_sleeps_and_shared_while_more_do() {
        let floor = floor(3, 1);
        let queue = queue_of(2, &floor);
        let pushed = || WakePolicy::new().batch_pushed(&floor, 0, &queue);
        let asleep = |slot, meanwhile: &dyn Fn()| floor.idle.park(slot, false, || false, meanwhile);
        assert!(!asleep(1, &pushed));
        let second = std::cell::Cell::new(false);
        let first = asleep(1, &|| second.set(asleep(2, &pushed)));
        assert!(first ^ second.get(), "one of the two is woken");
        finish(&queue, &floor);
    }

    #[test]
    fn a_push_from_outside_wakes_the_one_group_that_sleeps_whichever_is_asked_first() {
        let floor = floor(2, 2);
        for _ in 0..2 {
            // Nobody of group 0 parks or searches.
            assert!(floor.idle.park(1, false, || false, || spawn(&floor)), "nobody wakes it");
            floor.stop_searching(1);
            assert!(floor.slots[1].parker.take_token());
            run(take(&floor));
        }
        close(&floor);
    }

    #[test]
    fn a_wake_is_deferred_for_longer_while_whoever_is_woken_soon_sleeps_again() {
        let policy = WakePolicy::new();
        let deferred_after = |stay: u64, parked: usize| {
            policy.last_woken.set(Some(Woken { at: 7, parked_before: 2 }));
            policy.learn_whether_somebody_stayed(7 + stay, parked);
            policy.defer_ns.get()
        };
        let short = DEFER_NS_MAX - 1;
        let longer = [100, 200, 400, 800, 1000, 1000].map(|us| us * 1000);
        assert_eq!([(); 6].map(|()| deferred_after(short, 2)), longer);
        policy.learn_whether_somebody_stayed(u64::MAX, 0);
        assert_eq!(policy.defer_ns.get(), DEFER_NS_MAX, "nobody was woken since");
        assert_eq!(deferred_after(DEFER_NS_MAX, 2), DEFER_NS_MIN);
        assert_eq!(deferred_after(short, 3), 2 * DEFER_NS_MIN);
        assert_eq!(deferred_after(0, 1), DEFER_NS_MIN, "the other one is still awake");
    }

    #[test]
    fn a_wake_is_deferred_from_the_fourth_poll_on_for_the_time_that_was_learned_and_then_made() {
        let floor = floor(2, 1);
        let queue = queue_of(1, &floor);
        let policy = WakePolicy::new();
        policy.poll_ns.set(1);
        let poll_ends = || policy.look_again(&floor, 0, &queue);
        policy.defer_ns.set(DEFER_NS_MAX);
        let deferred = || {
            policy.pushed(&floor, 0, &queue);
            (1..CLOCK_INTERVAL).for_each(|_| poll_ends());
            assert_eq!(policy.pending.get(), Pending::Deferral);
            let before = floor.clock.now();
            poll_ends();
            let Pending::Until(due) = policy.pending.get() else { panic!("{:?}", policy.pending.get()) };
            assert!((before..=floor.clock.now()).contains(&(due - DEFER_NS_MAX)));
        };
        assert!(!floor.idle.park(1, false, || false, deferred), "nobody wakes it yet");
        let made = || {
            policy.pending.set(Pending::Until(floor.clock.now()));
            (0..CLOCK_INTERVAL).for_each(|_| poll_ends());
        };
        assert!(floor.idle.park(1, false, || false, made));
        assert_eq!(policy.last_woken.get().map(|woken| woken.parked_before), Some(1));
        assert_eq!(policy.pending.get(), Pending::Nothing);
        finish(&queue, &floor);
    }

    #[test]
    fn a_batch_is_not_kept_for_longer_because_a_wake_was_deferred_before() {
        let floor = floor(2, 1);
        let queue = queue_of(2, &floor);
        let policy = WakePolicy::new();
        let batches = || {
            for before in [Pending::Nothing, Pending::Searcher, Pending::Deferral, Pending::Until(u64::MAX)] {
                policy.pending.set(before);
                policy.batch_pushed(&floor, 0, &queue);
                let Pending::Batch(due) = policy.pending.get() else { panic!("{:?}", policy.pending.get()) };
                assert!(due <= floor.clock.now() + DEFER_BATCH_NS, "after {before:?}");
            }
            policy.pending.set(Pending::Until(1));
            policy.batch_pushed(&floor, 0, &queue);
            assert_eq!(policy.pending.get(), Pending::Until(1));
        };
        assert!(!floor.idle.park(1, false, || false, batches));
        finish(&queue, &floor);
    }

    #[test]
    fn the_cost_of_a_wake_follows_what_is_measured_and_nothing_absurd() {
        let policy = WakePolicy::new();
        for absurd in [0, 40, 999, 50_001, u64::MAX] {
            policy.learn_wake_cost(absurd);
            assert_eq!(policy.wake_ns.get(), WAKE_COST_NS);
        }
        (0..100).for_each(|_| policy.learn_wake_cost(16_000));
        assert!((15_900..=16_000).contains(&policy.wake_ns.get()));
        (0..100).for_each(|_| policy.learn_wake_cost(1_600));
        assert!((1_600..=1_700).contains(&policy.wake_ns.get()));
    }
}
