//! Who wakes whom, and when: the two sets of rules that are compared.
//!
//! | | shopfloor | tokio |
//! |---|---|---|
//! | a push to the own queue | wakes if queue length × usual poll is worth a wake, else after 50 µs, or up to 1 ms while whoever is woken soon sleeps again | wakes |
//! | what a turn of the driver made ready | as a push if two workers or more sleep; else wakes after 200 µs, or at once if it will take 400 µs; shared: always as a push; kept: never | wakes if it is more than one task |
//! | a busy worker looks at its driver | after 61 polls and 20 µs, or 400 µs | after 61 polls |
//! | a turn of the driver brings | 128 events for each worker of the group less what is in the queue, one for each two polls since the last at least, 1024 at most | 1024 |
//! | one with nothing to run | looks at its driver if there are several groups, then at all queues | looks at all queues |
//! | before a sleep in the driver | looks at it for 50 µs while that pays | sleeps |
//! | a poll that does not end | the foreman wakes one of each group if tasks wait or nobody is in its driver | - |
//! | the last pass of a search | takes from LIFO slots, too | leaves them |
//!
//! Common to both: nobody is woken while somebody searches; the last searcher that finds something wakes the next; at
//! most half of the workers search; a steal takes half of a queue; one worker at a time is in a driver; the LIFO slot is
//! run three times in a row at most. All that holds in each group of workers, if there are several: they share a driver,
//! and nobody goes to another group's. Who wants to wake somebody asks the groups from its own on; thieves look
//! everywhere.

use std::ops::RangeInclusive;

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

    /// Events that a turn of the driver brings to a worker with so many tasks in its queue and so many polls since its last turn.
    pub(super) fn events_max(self, workers: usize, queued: usize, polls: usize) -> usize {
        const TURN_MAX: usize = 1024;
        const PER_WORKER: usize = 128;
        const POLLS_PER_EVENT: usize = 2;
        if self == Self::Tokio {
            return TURN_MAX;
        }
        let room = (PER_WORKER * workers).saturating_sub(queued);
        room.max(polls / POLLS_PER_EVENT).clamp(1, TURN_MAX)
    }

    /// Tasks that a steal takes at most: crossbeam-deque's batch, and half of tokio's queue.
    pub(super) fn steal_max(self) -> usize {
        if self == Self::Tokio { 128 } else { 32 }
    }
}

/// Polls between two looks at the driver of a busy worker.
const EVENT_INTERVAL: u32 = 61;
/// Ours looks after so many polls only if they have taken the start, and earlier if they take the end, ns.
pub(super) const EVENT_TIME: RangeInclusive<u64> = 20_000..=400_000;
/// Ours times a poll after so many polls, or as many as usually take this long, ns, and asks then for the time since its
/// last look.
pub(super) const TIMED_AFTER: u64 = 50_000;
/// Polls from the LIFO slot in a row.
pub(super) const LIFO_STREAK_MAX: u32 = 3;
/// The foreman looks this often, ns; less often once so many looks in a row were calm.
pub(super) const TICK: u64 = 2_000_000;
pub(super) const CALM_TICK: u64 = 10_000_000;
pub(super) const CALM_AFTER: u32 = 128;

/// Estimate of work that justifies a wake, ns. Ours is measured, and is what a wake costs here; see `costs`.
const WAKE_COST: u64 = 7_000;
const DEFER_MIN: u64 = 50_000;
const DEFER_MAX: u64 = 1_000_000;
pub(super) const DEFER_BATCH: u64 = 200_000;
const LONG_BATCH: u64 = 2 * DEFER_BATCH;
pub(super) const LOOK_INTERVAL: u32 = 4;
const SMOOTHING: u64 = 8;

/// What somebody who would wake a peer has to reckon with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Nobody parks or searches.
    AllActive,
    /// Somebody searches.
    Searched,
    /// Somebody of that group is parked.
    Wakeable(usize),
}

impl Outlook {
    fn could_wake(self) -> bool {
        matches!(self, Self::Wakeable(_))
    }
}

/// When a busy worker looks at its driver.
#[derive(Clone, Debug)]
pub(super) struct Looks {
    rules: Rules,
    /// Polls until one is timed; between the last such poll and that one; and those before, which are fewer than an event
    /// interval.
    until: u32,
    interval: u32,
    polls_before: u32,
    timed_at: u64,
    looked_at: u64,
}

impl Looks {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            until: EVENT_INTERVAL,
            interval: EVENT_INTERVAL,
            polls_before: 0,
            timed_at: 0,
            looked_at: 0,
        }
    }

    /// After each poll; true: the driver has its turn.
    pub(super) fn polled(&mut self, now: u64, length: u64, waking: &mut Waking) -> bool {
        self.until -= 1;
        if self.until > 0 {
            return false;
        }
        if self.rules == Rules::Tokio {
            self.until = EVENT_INTERVAL;
            return true;
        }
        waking.learn_poll_length(length);
        let polls = self.polls_before + self.interval;
        let are_enough = polls >= EVENT_INTERVAL;
        let is_due = now - self.looked_at >= if are_enough { *EVENT_TIME.start() } else { *EVENT_TIME.end() };
        if is_due {
            self.looked_at = now;
        }
        let lately = (now - self.timed_at) / u64::from(self.interval);
        self.timed_at = now;
        let in_time = TIMED_AFTER / waking.poll_estimate.max(lately).max(1);
        self.polls_before = if are_enough { 0 } else { polls };
        self.interval = (in_time as u32).clamp(1, EVENT_INTERVAL - self.polls_before);
        self.until = self.interval;
        is_due
    }

    /// It has found nothing to run, which counts as a poll, but the next one is not passed over.
    pub(super) fn starved(&mut self) {
        if self.rules != Rules::Tokio {
            self.until = (self.until - 1).max(1);
        }
    }

    /// It has looked at the driver, or slept.
    pub(super) fn looked(&mut self, now: u64) {
        self.timed_at = now;
        self.looked_at = now;
    }
}

/// What is to be looked at again when a poll has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// Whoever searched when a task was pushed may miss it.
    Searcher,
    /// A wake is deferred; the clock has not been looked at yet.
    Deferral,
    /// The deferred wake is due then.
    Until(u64),
    /// The same for what a turn of the driver made ready.
    Batch(u64),
}

/// When a worker wakes another one for what is in its queue.
#[derive(Clone, Debug)]
pub(super) struct Waking {
    rules: Rules,
    /// Polls that ended while a wake was deferred.
    deferred_polls: u32,
    poll_estimate: u64,
    pending: Pending,
    /// For how long the next wake is deferred.
    defer: u64,
    /// Of the last wake that had been deferred, until it is known whether that worker has stayed awake.
    woke_at: Option<u64>,
}

impl Waking {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            deferred_polls: 0,
            poll_estimate: WAKE_COST,
            pending: Pending::Nothing,
            defer: DEFER_MIN,
            woke_at: None,
        }
    }

    fn learn_poll_length(&mut self, sample: u64) {
        self.poll_estimate = self.poll_estimate - self.poll_estimate / SMOOTHING + sample / SMOOTHING;
    }

    /// After a push; true: wake somebody.
    pub(super) fn pushed(&mut self, queue: usize, outlook: Outlook) -> bool {
        match (self.rules, outlook) {
            (Rules::Tokio, _) => outlook.could_wake(),
            (_, Outlook::Wakeable(_)) => self.decide(queue),
            (_, Outlook::Searched) => {
                self.pending = Pending::Searcher;
                false
            }
            (_, Outlook::AllActive) => false,
        }
    }

    /// After a turn of the driver has brought something; `queue` tasks are there now, `parked` workers sleep.
    pub(super) fn batch_pushed(&mut self, now: u64, queue: usize, outlook: Outlook, parked: usize) -> bool {
        match self.rules {
            _ if queue < 2 || !outlook.could_wake() => false,
            Rules::Tokio => true,
            Rules::SharedBatches => self.decide(queue),
            Rules::Shopfloor if parked > 1 => self.decide(queue),
            _ if self.poll_estimate * queue as u64 >= LONG_BATCH => self.wake(),
            _ => {
                let due = now + DEFER_BATCH;
                if !matches!(self.pending, Pending::Until(at) | Pending::Batch(at) if at <= due) {
                    self.pending = Pending::Batch(due);
                }
                false
            }
        }
    }

    /// After each poll.
    pub(super) fn look_again(&mut self, now: u64, queue: usize, outlook: Outlook) -> bool {
        if self.rules == Rules::Tokio {
            return false;
        }
        if self.pending == Pending::Nothing {
            return false;
        }
        match outlook {
            _ if queue == 0 => self.pending = Pending::Nothing,
            Outlook::AllActive => self.pending = Pending::Nothing,
            Outlook::Searched => self.pending = Pending::Searcher,
            Outlook::Wakeable(_) if !self.is_deferred() => return self.decide(queue),
            Outlook::Wakeable(_) => return self.is_worth_a_look() && self.look_at_clock(now),
        }
        false
    }

    fn is_worth_a_look(&mut self) -> bool {
        self.deferred_polls += 1;
        self.poll_estimate > WAKE_COST || self.deferred_polls.is_multiple_of(LOOK_INTERVAL)
    }

    fn look_at_clock(&mut self, now: u64) -> bool {
        if let Pending::Until(due) | Pending::Batch(due) = self.pending {
            if now < due {
                return false;
            }
            if let Pending::Until(_) = self.pending {
                self.woke_at = Some(now);
            }
            return self.wake();
        }
        if let Some(woke_at) = self.woke_at.take() {
            let has_stayed = now - woke_at >= DEFER_MAX;
            self.defer = if has_stayed { DEFER_MIN } else { (2 * self.defer).min(DEFER_MAX) };
        }
        self.pending = Pending::Until(now + self.defer);
        false
    }

    fn decide(&mut self, queue: usize) -> bool {
        if self.poll_estimate * queue as u64 >= WAKE_COST {
            return self.wake();
        }
        if !self.is_deferred() {
            self.pending = Pending::Deferral;
            self.deferred_polls = 0;
        }
        false
    }

    fn is_deferred(&self) -> bool {
        matches!(self.pending, Pending::Deferral | Pending::Until(_) | Pending::Batch(_))
    }

    fn wake(&mut self) -> bool {
        self.pending = Pending::Nothing;
        true
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
    use super::{Looks, Outlook, Rules, Spinning, Waking};

    const SLEEPER: Outlook = Outlook::Wakeable(0);

    fn used_to_polls_of(length: u64, rules: Rules) -> Waking {
        let mut waking = Waking::new(rules);
        (0..100).for_each(|_| waking.learn_poll_length(length));
        waking
    }

    #[test]
    fn short_work_is_kept_and_long_work_is_shared() {
        let mut ours = used_to_polls_of(100, Rules::Shopfloor);
        assert_eq!(wakes_at(&mut ours, 0, 100), 50_400, "the fourth poll has looked at the clock");
        assert!(used_to_polls_of(5_000, Rules::Shopfloor).pushed(2, SLEEPER));
        assert!(Waking::new(Rules::Tokio).pushed(1, SLEEPER));
    }

    #[test]
    fn who_soon_sleeps_again_is_left_asleep_for_longer_and_who_stays_awake_is_not() {
        let mut ours = used_to_polls_of(100, Rules::Shopfloor);
        let deferred = [(); 6].map(|()| {
            let now = ours.woke_at.unwrap_or(0) + 10_000;
            wakes_at(&mut ours, now, 100) - now
        });
        assert_eq!(deferred, [50, 100, 200, 400, 800, 1_000].map(|us| us * 1_000 + 400));
        let later = ours.woke_at.expect("somebody was woken") + 2_000_000;
        assert_eq!(wakes_at(&mut ours, later, 100) - later, 50_400);
    }

    /// When the wake comes for a push at `now`, if polls of so many nanoseconds follow and the queue stays as it is.
    fn wakes_at(waking: &mut Waking, now: u64, length: u64) -> u64 {
        assert!(!waking.pushed(10, SLEEPER));
        (1..)
            .map(|poll| now + poll * length)
            .find(|&time| waking.look_again(time, 10, SLEEPER))
            .expect("endless")
    }

    #[test]
    fn who_relied_on_a_searcher_looks_again_and_who_saw_nobody_does_not() {
        let mut ours = used_to_polls_of(5_000, Rules::Shopfloor);
        assert!(!ours.pushed(2, Outlook::AllActive));
        assert!(!ours.look_again(1_000, 2, SLEEPER));
        assert!(!ours.pushed(2, Outlook::Searched));
        assert!(ours.look_again(3_000, 2, SLEEPER));
    }

    #[test]
    fn a_batch_is_left_to_one_worker_for_a_while_unless_it_is_long() {
        let mut ours = used_to_polls_of(50_000, Rules::Shopfloor);
        assert!(!ours.batch_pushed(0, 2, SLEEPER, 1));
        assert!(!ours.look_again(100_000, 1, SLEEPER));
        assert!(ours.look_again(200_000, 1, SLEEPER));
        assert!(ours.batch_pushed(0, 10, SLEEPER, 1));
        assert!(Waking::new(Rules::Tokio).batch_pushed(0, 2, SLEEPER, 1));
        assert!(!Waking::new(Rules::Tokio).batch_pushed(0, 1, SLEEPER, 1));
    }

    #[test]
    fn a_batch_is_shared_while_two_workers_sleep() {
        assert!(Waking::new(Rules::Shopfloor).batch_pushed(0, 2, SLEEPER, 2));
        assert!(!Waking::new(Rules::Shopfloor).batch_pushed(0, 2, Outlook::Searched, 2));
        assert!(!Waking::new(Rules::KeptBatches).batch_pushed(0, 2, SLEEPER, 2));
        assert!(Waking::new(Rules::SharedBatches).batch_pushed(0, 2, SLEEPER, 1));
    }

    #[test]
    fn a_busy_worker_looks_after_so_many_polls_and_by_time() {
        let looks = |rules, length, polls: u64| {
            let (mut looks, mut waking) = (Looks::new(rules), Waking::new(rules));
            (1..=polls).filter(|poll| looks.polled(poll * length, length, &mut waking)).count()
        };
        assert_eq!(looks(Rules::Tokio, 50_000, 610), 10);
        // 61 of the shortest take 6 µs: it looks after each 244.
        assert_eq!(looks(Rules::Shopfloor, 100, 2_440), 10);
        assert_eq!(looks(Rules::Shopfloor, 1_000, 610), 10);
        // Once it knows that polls are long, it looks after eight of them.
        assert_eq!(looks(Rules::Shopfloor, 50_000, 61 + 80), 1 + 10);
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
