//! The wheels of one runtime, and the handle to one timer in them.

use std::fmt;
use std::hint::black_box;
use std::task::Waker;

use shopfloor_protocol::alarm::{Alarm, NONE};
use shopfloor_protocol::shared_wheel::{DeadlineQueue, SharedWheel};
use shopfloor_protocol::sync::{Arc, CachePadded};
use shopfloor_protocol::timer_entry::{TimerEntry, TimerState};

use super::slab::TimerKey;
use super::wheel::Wheel;

/// Timers of a wheel that one turn looks at: it bounds the number of tasks made ready before any of them runs. What they
/// need is still in the core's cache when the last of them runs.
pub const FIRE_MAX: usize = 256;

type EntryWheel = Wheel<Arc<TimerEntry>>;

/// All wheels of a runtime, and the alarm of the one who sleeps in its driver.
pub struct Wheels {
    /// One per slot, then the outside one.
    wheels: Box<[CachePadded<SharedWheel<EntryWheel>>]>,
    alarm: CachePadded<Alarm>,
}

/// A timer that has been filed.
///
/// It stays in its wheel until it fires: end it with [`cancel`](Self::cancel). One that is merely dropped
/// costs its memory, and a spurious wake, until then.
#[must_use = "a timer that is not cancelled stays in its wheel"]
pub struct Timer {
    entry: Arc<TimerEntry>,
    wheel: usize,
    /// `None` if the wheel was closed already.
    key: Option<TimerKey>,
}

impl Wheels {
    /// The wheels of a runtime with `slot_count` slots: so many, and the outside one.
    pub fn new(slot_count: usize) -> Self {
        let wheel = |_| CachePadded::new(SharedWheel::new(Wheel::new()));
        Self { wheels: (0..=slot_count).map(wheel).collect(), alarm: CachePadded::new(Alarm::new()) }
    }

    /// The index of the outside wheel, which is the number of slots.
    pub fn outside(&self) -> usize {
        self.wheels.len() - 1
    }

    /// Files a timer in the caller's own wheel. It wakes `waker` once when `deadline` (nanoseconds on the
    /// runtime's clock) has passed, never before and less than [`TICK_NS`](super::TICK_NS) after it if the
    /// wheel is turned in time.
    ///
    /// Unless the caller will itself reach a driver turn before it parks, retires or blocks, it now owes the
    /// driver's sleeper a look: [`must_interrupt`](Self::must_interrupt).
    ///
    /// # Panics
    /// If `here` is no wheel's index, or if the wheel holds 2^32 − 1 timers.
    pub fn file(&self, here: usize, deadline: u64, waker: &Waker) -> Timer {
        self.file_owned(here, deadline, waker.clone())
    }

    fn file_owned(&self, here: usize, deadline: u64, waker: Waker) -> Timer {
        match self.wheels[here].file(deadline, waker) {
            Some((entry, key)) => Timer { entry, wheel: here, key: Some(key) },
            None => Timer { entry: Arc::new(TimerEntry::gone()), wheel: here, key: None },
        }
    }

    /// Turns one wheel: drops what other threads have cancelled, files again what was postponed, and moves
    /// the wakers of what is due at `now` to `wakers`. Returns how many it appended.
    ///
    /// The caller wakes them when it holds no lock. One call looks at `limit` timers at most; if more are due,
    /// [`is_due`](Self::is_due) still says so. Costs two loads if there is nothing to do.
    ///
    /// # Panics
    /// If `wheel` is no wheel's index.
    pub fn fire_due(&self, wheel: usize, now: u64, limit: usize, wakers: &mut Vec<Waker>) -> usize {
        let before = wakers.len();
        self.wheels[wheel].turn(now, limit, |waker| wakers.push(waker));
        wakers.len() - before
    }

    /// Turns every wheel, as [`fire_due`](Self::fire_due) does one.
    pub fn fire_all_due(&self, now: u64, limit: usize, wakers: &mut Vec<Waker>) -> usize {
        (0..self.wheels.len()).map(|wheel| self.fire_due(wheel, now, limit, wakers)).sum()
    }

    /// Whether the wheel had something due at `now` when looked at: one load.
    ///
    /// # Panics
    /// If `wheel` is no wheel's index.
    pub fn is_due(&self, wheel: usize, now: u64) -> bool {
        self.wheels[wheel].is_due(now)
    }

    /// The earliest deadline that any wheel has published; `u64::MAX` if none has. One load per wheel.
    pub fn earliest(&self) -> u64 {
        self.wheels.iter().map(|wheel| wheel.earliest()).min().unwrap_or(NONE)
    }

    /// Holder of the driver. Calls `block` with the earliest deadline of all wheels (`u64::MAX`: none), such
    /// that whoever then files an earlier one and asks [`must_interrupt`](Self::must_interrupt) is told to
    /// interrupt it. An interrupt that comes before the block must end it at once.
    pub fn sleep<R>(&self, block: impl FnOnce(u64) -> R) -> R {
        self.alarm.sleep(|| self.earliest(), block)
    }

    /// Any thread that has filed in `here` and will not turn it itself: a thread that is no worker, at
    /// once; a worker, before it parks, retires or blocks. `true` obliges it to interrupt the driver. Costs
    /// a full fence.
    ///
    /// # Panics
    /// If `here` is no wheel's index.
    #[must_use = "the sleeper waits for the interrupt"]
    pub fn must_interrupt(&self, here: usize) -> bool {
        self.alarm.must_interrupt(self.wheels[here].earliest())
    }

    /// How many timers the wheel holds, those cancelled elsewhere since its last turn included. Takes its
    /// lock.
    ///
    /// # Panics
    /// If `wheel` is no wheel's index.
    pub fn timer_count(&self, wheel: usize) -> usize {
        self.wheels[wheel].inspect(Wheel::len)
    }

    /// How many timers the wheel has memory for. Takes its lock.
    ///
    /// # Panics
    /// If `wheel` is no wheel's index.
    pub fn timer_capacity(&self, wheel: usize) -> usize {
        self.wheels[wheel].inspect(Wheel::capacity)
    }

    /// Shutdown. Empties and closes all wheels: timers still armed, and all filed from now on, are
    /// [`TimerState::Gone`]. The caller wakes `wakers` when it holds no lock.
    pub fn close(&self, wakers: &mut Vec<Waker>) {
        for wheel in &self.wheels {
            wheel.close(|waker| wakers.push(waker));
        }
    }
}

impl Timer {
    /// False if the wheel was closed already: nobody will wake this timer.
    pub fn is_filed(&self) -> bool {
        self.key.is_some()
    }

    /// Says what became of the timer; while it is armed, `waker` is the one that will be woken.
    pub fn poll(&self, waker: &Waker) -> TimerState {
        self.entry.poll(waker)
    }

    /// Moves an armed timer to another deadline and keeps its waker. `None` if it has ended: it was woken
    /// for the old deadline, or the runtime is gone; a timer for the new one is then to be filed.
    ///
    /// To a time that is not before the one where the wheel has it, this is one store under the entry's own
    /// lock. Otherwise it is filed again in `here`, the caller's own wheel, with the debt of
    /// [`Wheels::file`].
    ///
    /// # Panics
    /// If `here` is no wheel's index.
    pub fn reset(self, deadline: u64, here: usize, wheels: &Wheels) -> Option<Timer> {
        let key = self.key?;
        if self.entry.postpone(deadline) {
            return Some(self);
        }
        let wheel = &wheels.wheels[self.wheel];
        if self.wheel == here {
            return wheel.bring_forward(&self.entry, key, deadline).then_some(self);
        }
        let waker = wheel.cancel_elsewhere(&self.entry, key)?;
        Some(wheels.file_owned(here, deadline, waker))
    }

    /// Ends the timer. In the caller's own wheel, `here`, it is unlinked at once; another one gets its key
    /// back by a queue, without a lock, and drops it at its next turn.
    ///
    /// # Panics
    /// If `here` is no wheel's index.
    pub fn cancel(self, here: usize, wheels: &Wheels) {
        let Some(key) = self.key else { return };
        let wheel = &wheels.wheels[self.wheel];
        if self.wheel == here {
            wheel.cancel_here(self.entry, key);
        } else {
            drop(wheel.cancel_elsewhere(&self.entry, key));
        }
    }
}

impl DeadlineQueue for EntryWheel {
    type Key = TimerKey;

    fn insert(&mut self, deadline: u64, entry: Arc<TimerEntry>) -> TimerKey {
        self.insert(deadline, entry)
    }

    fn relocate(&mut self, key: TimerKey, deadline: u64) {
        self.relocate(key, deadline);
    }

    fn remove(&mut self, key: TimerKey) -> Option<Arc<TimerEntry>> {
        self.remove(key)
    }

    fn advance(
        &mut self,
        now: u64,
        limit: usize,
        mut expire: impl FnMut(&TimerEntry) -> Option<u64>,
    ) -> usize {
        // Reading the count fetches the entry's memory. The lock of an entry would wait for each in turn.
        let touch = |entry: &Arc<TimerEntry>| {
            black_box(Arc::strong_count(entry));
        };
        self.advance_touching(now, limit, touch, |entry| expire(entry))
    }

    fn next_deadline(&self) -> u64 {
        self.next_deadline()
    }

    fn clear(&mut self, mut visit: impl FnMut(&TimerEntry)) {
        self.clear(|entry| visit(entry));
    }
}

impl fmt::Debug for Wheels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheels").field("earliest", &self.earliest()).field("alarm", &self.alarm).finish()
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("wheel", &self.wheel).field("entry", &self.entry).finish()
    }
}
