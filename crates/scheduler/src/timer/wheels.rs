//! The wheels of one runtime, and the handle to one timer in them.

use std::fmt;
use std::task::Waker;

use shopfloor_protocol::alarm::{Alarm, NONE};
use shopfloor_protocol::groups::Groups;
use shopfloor_protocol::shared_wheel::{DeadlineQueue, FiledTimer, SharedWheel, TimerState};
use shopfloor_protocol::sync::CachePadded;

use super::slab::TimerKey;
use super::wheel::{Wheel, due_at};

/// Timers of a wheel that one turn fires: it bounds the number of tasks made ready before any of them runs. What they
/// need is still in the core's cache when the last of them runs.
pub const FIRE_MAX: usize = 256;

/// The same by a worker whose queue is as long as that already.
pub const FIRE_MAX_IN_CROWD: usize = 8;

/// All wheels of a runtime, and the alarms of those who sleep in its drivers. The wheel of a slot is
/// of its group, the outside one of group 0.
pub struct Wheels {
    /// One per slot, then the outside one.
    wheels: Box<[CachePadded<SharedWheel<Wheel<Waker>>>]>,
    groups: Groups,
    /// One per group.
    alarms: Box<[CachePadded<Alarm>]>,
}

/// A timer that has been filed.
///
/// It stays in its wheel until it fires: end it with [`cancel`](Self::cancel). One that is merely dropped
/// costs its memory, and a spurious wake, until then.
#[derive(Debug)]
#[must_use = "a timer that is not cancelled stays in its wheel"]
pub struct Timer {
    filed: FiledTimer<TimerKey>,
    wheel: usize,
}

impl Wheels {
    /// The wheels of a runtime with `slot_count` slots: so many, and the outside one.
    pub fn new(slot_count: usize, groups: Groups) -> Self {
        let wheel = |_| CachePadded::new(SharedWheel::new(Wheel::new()));
        let alarm = |_| CachePadded::new(Alarm::new());
        Self {
            wheels: (0..=slot_count).map(wheel).collect(),
            groups,
            alarms: (0..groups.count()).map(alarm).collect(),
        }
    }

    /// The index of the outside wheel, which is the number of slots.
    pub fn outside(&self) -> usize {
        self.wheels.len() - 1
    }

    fn group_of(&self, wheel: usize) -> usize {
        if wheel == self.outside() { 0 } else { self.groups.of(wheel) }
    }

    /// The indices of the group's wheels.
    fn of_group(&self, group: usize) -> impl Iterator<Item = usize> {
        self.groups.slots(group, self.outside()).chain((group == 0).then(|| self.outside()))
    }

    /// Files a timer in the caller's own wheel. It wakes `waker` once when `deadline` (nanoseconds on the
    /// runtime's clock) has passed, never before and less than [`TICK_NS`](super::TICK_NS) after it if the
    /// wheel is turned in time. `None` if the wheel was closed: nobody would wake it.
    ///
    /// Unless the caller will itself reach a driver turn before it parks, retires or blocks, it now owes the
    /// driver's sleeper a look: [`must_interrupt`](Self::must_interrupt).
    ///
    /// # Panics
    /// If `here` is no wheel's index, or if the wheel holds 2^32 − 1 timers.
    pub fn file(&self, here: usize, deadline: u64, waker: &Waker) -> Option<Timer> {
        self.file_owned(here, deadline, waker.clone()).ok()
    }

    fn file_owned(&self, here: usize, deadline: u64, waker: Waker) -> Result<Timer, Waker> {
        let filed = self.wheels[here].file(due_at(deadline), waker)?;
        Ok(Timer { filed, wheel: here })
    }

    /// Turns one wheel: moves the wakers of what is due at `now` to `wakers`. Returns how many it appended.
    ///
    /// The caller wakes them when it holds no lock. One call fires `limit` timers at most; if more are due,
    /// [`earliest`](Self::earliest) still says so. Costs a load if there is nothing to do.
    ///
    /// # Panics
    /// If `wheel` is no wheel's index.
    pub fn fire_due(&self, wheel: usize, now: u64, limit: usize, wakers: &mut Vec<Waker>) -> usize {
        self.wheels[wheel].turn(now, limit, |waker| wakers.push(waker))
    }

    /// Turns every wheel of the group, as [`fire_due`](Self::fire_due) does one.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn fire_due_of(&self, group: usize, now: u64, limit: usize, wakers: &mut Vec<Waker>) -> usize {
        self.of_group(group).map(|wheel| self.fire_due(wheel, now, limit, wakers)).sum()
    }

    /// The earliest deadline that any wheel of the group has published; `u64::MAX` if none has. One load per wheel.
    pub fn earliest(&self, group: usize) -> u64 {
        self.of_group(group).map(|wheel| self.wheels[wheel].earliest()).min().unwrap_or(NONE)
    }

    /// Holder of the group's driver. Calls `block` with the earliest deadline of its wheels (`u64::MAX`: none), such
    /// that whoever then files an earlier one and asks [`must_interrupt`](Self::must_interrupt) is told to
    /// interrupt it. An interrupt that comes before the block must end it at once.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn sleep<R>(&self, group: usize, block: impl FnOnce(u64) -> R) -> R {
        self.alarms[group].sleep(|| self.earliest(group), block)
    }

    /// Any thread that has filed in `here` and will not turn it itself: a thread that is no worker, at
    /// once; a worker, before it parks, retires or blocks. It has to interrupt the driver of the group that this gives.
    /// Costs a full fence.
    ///
    /// # Panics
    /// If `here` is no wheel's index.
    #[must_use = "the sleeper waits for the interrupt"]
    pub fn must_interrupt(&self, here: usize) -> Option<usize> {
        let group = self.group_of(here);
        self.alarms[group].must_interrupt(self.wheels[here].earliest()).then_some(group)
    }

    /// How many timers the wheel holds. Takes its lock.
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

    /// Shutdown. Empties and closes all wheels: their timers are [`TimerState::Gone`], and no other is filed. The
    /// caller wakes `wakers` when it holds no lock.
    pub fn close(&self, wakers: &mut Vec<Waker>) {
        for wheel in &self.wheels {
            wheel.close(|waker| wakers.push(waker));
        }
    }
}

impl Timer {
    /// Says what became of the timer; while it is armed, `waker` is the one that will be woken. Costs a load unless
    /// that is another one than before. One that has fired is still to be cancelled.
    pub fn poll(&mut self, waker: &Waker, wheels: &Wheels) -> TimerState {
        wheels.wheels[self.wheel].poll(&mut self.filed, waker)
    }

    /// Moves the timer to another deadline and keeps its waker. `None` if it has ended: it was woken
    /// for the old deadline, or the runtime is gone; a timer for the new one is then to be filed.
    ///
    /// It moves to `here`, the caller's own wheel, with the debt of [`Wheels::file`].
    ///
    /// # Panics
    /// If `here` is no wheel's index.
    pub fn reset(mut self, deadline: u64, here: usize, wheels: &Wheels) -> Option<Self> {
        let wheel = &wheels.wheels[self.wheel];
        if self.wheel == here {
            return wheel.relocate(&mut self.filed, due_at(deadline)).then_some(self);
        }
        let waker = wheel.remove(self.filed)?;
        // Its task learns of the close as all others do.
        wheels.file_owned(here, deadline, waker).map_err(Waker::wake).ok()
    }

    /// Ends the timer: it leaves its wheel at once.
    pub fn cancel(self, wheels: &Wheels) {
        drop(wheels.wheels[self.wheel].remove(self.filed));
    }
}

impl DeadlineQueue for Wheel<Waker> {
    type Key = TimerKey;

    fn insert(&mut self, due: u64, waker: Waker) -> TimerKey {
        self.insert(due, waker)
    }

    fn get_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        self.get_mut(key)
    }

    fn relocate(&mut self, key: TimerKey, due: u64) -> bool {
        self.relocate(key, due)
    }

    fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        self.remove(key)
    }

    fn advance(&mut self, now: u64, limit: usize, fire: impl FnMut(Waker)) -> usize {
        self.advance(now, limit, fire)
    }

    fn next_deadline(&self) -> u64 {
        self.next_deadline()
    }

    fn clear(&mut self, visit: impl FnMut(Waker)) {
        self.clear(visit);
    }
}

impl fmt::Debug for Wheels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheels").field("alarms", &self.alarms).finish_non_exhaustive()
    }
}
