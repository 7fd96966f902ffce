//! Time and chance in the build that shuttle schedules.
//!
//! shuttle has no clock: a timed wait would wait for ever. Here time is a number that a thread of the test,
//! the *clock*, moves on: whenever it is its turn, it ends the timed wait with the earliest deadline, and time is
//! that deadline. When its turn is, is the schedule's choice, so a time-out may come at any point; while there
//! is no timed wait, the clock is blocked, so that a deadlock of all others is one.
//!
//! All of an execution runs on one thread of the system, so this is a thread local of it. Nothing in here may
//! call shuttle while the cell is borrowed.

use std::cell::RefCell;
use std::ops::{AddAssign, Sub};
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::Condvar;
use shuttle::thread::{self, Thread};

std::thread_local! {
    static TIME: RefCell<ModelledTime> = const { RefCell::new(ModelledTime::new()) };
}

/// The clock and the dice of the execution under way.
#[derive(Debug)]
pub struct ModelledTime {
    now: u64,
    /// Time that passes between two looks at it, at most.
    pace: u64,
    random: u64,
    waits: Vec<TimedWait>,
    next_wait: u64,
    clock: Option<Thread>,
    ended: bool,
}

#[derive(Debug)]
struct TimedWait {
    id: u64,
    deadline: u64,
    condvar: Arc<Condvar>,
    expired: bool,
}

/// What the clock does in its turn.
enum Turn {
    End,
    Block,
    /// Waits that have expired. A notification that came before the waiter slept is repeated so.
    Expire(Vec<Arc<Condvar>>),
}

impl ModelledTime {
    const fn new() -> Self {
        Self { now: 0, pace: 0, random: 1, waits: Vec::new(), next_wait: 0, clock: None, ended: false }
    }

    /// Before an execution. `pace` is the time in nanoseconds that passes, at most, from one look at the clock to
    /// the next.
    pub fn begin(seed: u64, pace: u64) {
        // xorshift has one state that stays: zero.
        let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        drop(TIME.replace(Self { pace, random, ..Self::new() }));
    }

    /// The clock's thread, until [`end`](Self::end).
    pub fn run() {
        let me = thread::current();
        TIME.with_borrow_mut(|time| time.clock = Some(me));
        loop {
            match TIME.with_borrow_mut(Self::turn) {
                Turn::End => return,
                Turn::Block => thread::park(),
                Turn::Expire(condvars) => {
                    condvars.iter().for_each(|condvar| condvar.notify_all());
                    thread::yield_now();
                }
            }
        }
    }

    /// Ends the clock's thread.
    pub fn end() {
        let clock = TIME.with_borrow_mut(|time| {
            time.ended = true;
            time.clock.clone()
        });
        clock.iter().for_each(Thread::unpark);
    }

    /// A number below `bound`, by the seed.
    pub fn below(bound: u64) -> u64 {
        TIME.with_borrow_mut(|time| time.roll(bound))
    }

    fn roll(&mut self, bound: u64) -> u64 {
        // xorshift64* (Vigna 2016).
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn turn(&mut self) -> Turn {
        if self.ended {
            return Turn::End;
        }
        let next = self.waits.iter_mut().filter(|wait| !wait.expired).min_by_key(|wait| wait.deadline);
        if let Some(next) = next {
            next.expired = true;
            self.now = self.now.max(next.deadline);
        }
        let expired = self.waits.iter().filter(|wait| wait.expired);
        let condvars: Vec<_> = expired.map(|wait| Arc::clone(&wait.condvar)).collect();
        if condvars.is_empty() { Turn::Block } else { Turn::Expire(condvars) }
    }

    /// A timed wait on `condvar` begins.
    pub(super) fn start_waiting(condvar: &Arc<Condvar>, timeout: Duration) -> Waiting {
        let (id, clock) = TIME.with_borrow_mut(|time| {
            let id = time.next_wait;
            time.next_wait += 1;
            let deadline = time.now.saturating_add(nanos(timeout));
            let condvar = Arc::clone(condvar);
            time.waits.push(TimedWait { id, deadline, condvar, expired: false });
            (id, time.clock.clone())
        });
        clock.iter().for_each(Thread::unpark);
        Waiting { id }
    }
}

/// A timed wait under way.
#[must_use = "the clock goes on waking it"]
pub(super) struct Waiting {
    id: u64,
}

impl Waiting {
    /// Whether it has expired. It ends.
    pub(super) fn stop(self) -> bool {
        let ended = TIME.with_borrow_mut(|time| {
            let place = time.waits.iter().position(|wait| wait.id == self.id);
            place.map(|place| time.waits.swap_remove(place))
        });
        ended.is_some_and(|wait| wait.expired)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A point in modelled time, with as much of std's interface as is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// Now. From one call to the next time passes.
    pub fn now() -> Self {
        TIME.with_borrow_mut(|time| {
            time.now += time.roll(time.pace + 1);
            Self(time.now)
        })
    }

    /// Time since then.
    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    /// The later point; `None` beyond the range.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// The earlier point; `None` before the start of all executions.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// The time from `earlier` to here; `None` if that is later.
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// The time from `earlier` to here; none if that is later.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = self.checked_add(duration).expect("a time within the range of the clock");
    }
}
