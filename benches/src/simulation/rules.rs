//! Who wakes whom, and when: the two sets of rules that are compared.
//!
//! | | shopfloor | tokio |
//! |---|---|---|
//! | a push to the own queue | wakes if queue length × usual poll is worth a wake, else after 50 µs | wakes |
//! | what a turn of the driver made ready | as a push if two workers or more sleep; else wakes after 200 µs, or at once if it will take 400 µs; shared: always as a push; kept: never | wakes if it is more than one task |
//! | before a sleep in the driver | looks at it for 50 µs while that pays | sleeps |
//! | a poll that does not end | the foreman wakes somebody if tasks wait or nobody is in a driver | - |
//! | the last pass of a search | takes from LIFO slots, too | leaves them |
//!
//! Common to both: nobody is woken while somebody searches; the last searcher that finds something wakes the next; at
//! most half of the workers search; a steal takes half of a queue; one worker at a time is in a driver, and looks at it
//! every 61 polls besides; with more than one driver, a worker that finds its own taken sits in one that is free; the LIFO slot is run three times in a row at most.

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rules {
    /// Ours.
    Shopfloor,
    /// Ours, but what a turn of the driver made ready is always shared as what is pushed.
    SharedBatches,
    /// Ours, but that is never done.
    KeptBatches,
    /// The rival's.
    Tokio,
}

impl Rules {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shopfloor => "shopfloor",
            Self::SharedBatches => "shopfloor, batches shared",
            Self::KeptBatches => "shopfloor, batches kept",
            Self::Tokio => "tokio",
        }
    }
}

/// Polls between two looks at the driver of a busy worker.
pub(super) const EVENT_INTERVAL: u32 = 61;
/// Polls from the LIFO slot in a row.
pub(super) const LIFO_STREAK_MAX: u32 = 3;
/// Events that a turn of the driver brings at most.
pub(super) const TURN_MAX: usize = 1024;
/// Tasks that a steal takes at most.
pub(super) const STEAL_MAX: usize = 32;
/// The foreman looks this often, ns.
pub(super) const TICK: u64 = 2_000_000;

/// Estimate of work that justifies a wake, ns.
const WAKE_COST: u64 = 5_000;
const DEFER: u64 = 50_000;
pub(super) const DEFER_BATCH: u64 = 200_000;
const LONG_BATCH: u64 = 2 * DEFER_BATCH;
const SAMPLE_INTERVAL: u32 = 32;
pub(super) const LOOK_INTERVAL: u32 = 4;
const SMOOTHING: u64 = 8;

/// When a worker wakes another one for what is in its queue.
#[derive(Clone, Debug)]
pub(super) struct Waking {
    rules: Rules,
    polls: u32,
    poll_estimate: u64,
    due: Option<u64>,
    relied_on_searcher: bool,
}

impl Waking {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, polls: 0, poll_estimate: WAKE_COST, due: None, relied_on_searcher: false }
    }

    pub(super) fn polled(&mut self, length: u64) {
        self.polls += 1;
        if self.polls.is_multiple_of(SAMPLE_INTERVAL) {
            self.poll_estimate += length / SMOOTHING;
            self.poll_estimate -= self.poll_estimate.min(self.poll_estimate / SMOOTHING);
        }
    }

    /// After a push; true: wake somebody.
    pub(super) fn pushed(&mut self, now: u64, queue: usize, could_wake: bool) -> bool {
        match self.rules {
            Rules::Tokio => could_wake,
            _ if could_wake => self.decide(now, queue),
            _ => {
                self.relied_on_searcher = true;
                false
            }
        }
    }

    /// After a turn of the driver has brought something; `queue` tasks are there now, `parked` workers sleep, and nobody
    /// searches.
    pub(super) fn batch_pushed(&mut self, now: u64, queue: usize, parked: usize) -> bool {
        match self.rules {
            _ if queue < 2 || parked == 0 => false,
            Rules::Tokio => true,
            Rules::SharedBatches => self.decide(now, queue),
            Rules::Shopfloor if parked > 1 => self.decide(now, queue),
            _ if self.poll_estimate * queue as u64 >= LONG_BATCH => {
                self.due = None;
                true
            }
            _ => {
                self.due.get_or_insert(now + DEFER_BATCH);
                false
            }
        }
    }

    /// After each poll.
    pub(super) fn look_again(&mut self, now: u64, queue: usize, could_wake: bool) -> bool {
        if self.rules == Rules::Tokio {
            return false;
        }
        let Some(due) = self.due else { return self.look_after_searcher(now, queue, could_wake) };
        if queue == 0 || !could_wake {
            self.due = None;
            return false;
        }
        let is_worth_a_look = self.poll_estimate > WAKE_COST || self.polls.is_multiple_of(LOOK_INTERVAL);
        let wakes = is_worth_a_look && now >= due;
        if wakes {
            self.due = None;
        }
        wakes
    }

    fn look_after_searcher(&mut self, now: u64, queue: usize, could_wake: bool) -> bool {
        if !self.relied_on_searcher || (queue > 0 && !could_wake) {
            return false;
        }
        self.relied_on_searcher = false;
        queue > 0 && self.decide(now, queue)
    }

    fn decide(&mut self, now: u64, queue: usize) -> bool {
        if self.poll_estimate * queue as u64 >= WAKE_COST {
            self.due = None;
            return true;
        }
        self.due.get_or_insert(now + DEFER);
        false
    }
}

/// Whether a worker looks at its driver before it sleeps in it.
#[derive(Clone, Debug)]
pub(super) struct Spinning {
    longest: u64,
    score: i32,
    pause: u32,
    next_pause: u32,
}

const PAUSE_MIN: u32 = 64;
const PAUSE_MAX: u32 = 4096;

impl Spinning {
    pub(super) fn new(rules: Rules, longest: u64) -> Self {
        let longest = if rules == Rules::Tokio { 0 } else { longest };
        Self { longest, score: 0, pause: 0, next_pause: PAUSE_MIN }
    }

    /// How long to look, at a park in the driver.
    pub(super) fn begin(&mut self) -> u64 {
        let is_paused = self.pause > 0;
        self.pause = self.pause.saturating_sub(1);
        if is_paused { 0 } else { self.longest }
    }

    pub(super) fn learn(&mut self, was_hit: bool) {
        if was_hit {
            self.next_pause = PAUSE_MIN;
            self.score = (self.score + 1).min(8);
            return;
        }
        self.score -= 2;
        if self.score < 0 {
            self.pause = self.next_pause;
            self.next_pause = (2 * self.pause).min(PAUSE_MAX);
            self.score = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rules, Spinning, Waking};

    #[test]
    fn short_work_is_kept_and_long_work_is_shared() {
        let mut ours = Waking::new(Rules::Shopfloor);
        (0..1000).for_each(|_| ours.polled(100));
        assert!(!ours.pushed(0, 10, true));
        assert!(!ours.look_again(49_000, 10, true));
        assert!((0..4).any(|_| {
            ours.polled(100);
            ours.look_again(50_000, 10, true)
        }));
        (0..1000).for_each(|_| ours.polled(5_000));
        assert!(ours.pushed(0, 2, true));
        assert!(Waking::new(Rules::Tokio).pushed(0, 1, true));
    }

    #[test]
    fn a_batch_is_left_to_one_worker_for_a_while_unless_it_is_long() {
        let mut ours = Waking::new(Rules::Shopfloor);
        (0..1000).for_each(|_| ours.polled(50_000));
        assert!(!ours.batch_pushed(0, 2, 1));
        assert!(!ours.look_again(100_000, 1, true));
        assert!(ours.look_again(200_000, 1, true));
        assert!(ours.batch_pushed(0, 10, 1));
        assert!(Waking::new(Rules::Tokio).batch_pushed(0, 2, 1));
        assert!(!Waking::new(Rules::Tokio).batch_pushed(0, 1, 1));
    }

    #[test]
    fn a_batch_is_shared_while_two_workers_sleep() {
        assert!(Waking::new(Rules::Shopfloor).batch_pushed(0, 2, 2));
        assert!(!Waking::new(Rules::KeptBatches).batch_pushed(0, 2, 2));
        assert!(Waking::new(Rules::SharedBatches).batch_pushed(0, 2, 1));
    }

    #[test]
    fn a_look_that_never_pays_becomes_rare() {
        let mut spinning = Spinning::new(Rules::Shopfloor, 50_000);
        let looks = (0..10_000).filter(|_| {
            let looks = spinning.begin() > 0;
            if looks {
                spinning.learn(false);
            }
            looks
        });
        assert!(looks.count() < 12);
        assert_eq!(Spinning::new(Rules::Tokio, 50_000).begin(), 0);
    }
}
