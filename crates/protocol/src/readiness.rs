//! The readiness word of one I/O source: what the kernel said last, and whether it has spoken since.
//!
//! An edge-triggered kernel says a thing once. The word keeps it until an operation disproves it ("would
//! block"), so that an edge which arrives before anyone waits is not lost.
//!
//! # Parties
//! The *driver holder* records events. *Operations* (any thread) observe, try, and clear what they disproved.
//! *Shutdown* marks.
//!
//! # State table
//! | field | width | meaning |
//! |---|---|---|
//! | ready | 6 | facts reported and not disproved since ([`Ready`]) |
//! | shut down | 1 | the driver is gone: an operation that would wait fails |
//! | read tick, write tick | 27 each (2 under loom) | number of events of that direction; 0 = the kernel has never spoken |
//!
//! A tick that is 0 replaces an optimistic start value: nothing is known, so an operation is worth trying, but
//! nobody is told that the source is ready. Ticks wrap from their maximum to 1.
//!
//! # Transitions
//! | from → to | performed by | owes | model |
//! |---|---|---|---|
//! | facts added, tick + 1 in each direction concerned | `record` (driver holder) | wake the waiters | `readiness::record_publishes_what_the_kernel_did` |
//! | facts removed, if the tick is the one observed | `clear` (operation) | - | `readiness::newer_event_survives_a_stale_clear` |
//! | shut down | `shut_down` | wake all waiters | `waiters::shutdown_reaches_every_waiter` |
//!
//! # Orderings
//! | edge | release side | acquire side | publishes | fails if weakened |
//! |---|---|---|---|---|
//! | R1 | `record`: RMW | `observe`: load | what the driver knows of the kernel: the operation comes after the event | `readiness::record_publishes_what_the_kernel_did` |
//!
//! # Why a clear cannot lose an edge
//! The operation observed tick t, then said "would block". Either no event of that direction came in between,
//! and the clear removes what the operation disproved; or one came, the tick differs and the clear is refused:
//! the operation is tried again. The two directions have ticks of their own, because writable events would
//! otherwise refuse the clears of a reader for as long as they keep coming. The comparison is of the full tick;
//! a clear would have to be delayed for exactly 2^27 - 1 events of its direction to pass wrongly.
//!
//! # Rejected
//! One tick for both directions (a reader livelocks under a stream of writable events). An optimistic start
//! value in the ready bits (`ready()` would report it, and it has to be restored after a failed registration,
//! racing with those who clear it). Facts that are final: a named pipe that was closed is opened again, and its
//! reader would spin on "would block".
//!
//! # Checked by
//! `readiness::*` in loom-tests.

use crate::interest::{Interest, Ready};
use crate::sync::{AtomicU64, Ordering};

const TICK_BITS: u32 = if cfg!(loom) { 2 } else { 27 };
const TICK_MAX: u64 = (1 << TICK_BITS) - 1;
const SHUT_DOWN: u64 = 1 << 6;
const READ_SHIFT: u32 = 7;
const WRITE_SHIFT: u32 = READ_SHIFT + TICK_BITS;

const READ_FACTS: Ready =
    Ready::READABLE.union(Ready::READ_CLOSED).union(Ready::PRIORITY).union(Ready::ERROR);
const WRITE_FACTS: Ready = Ready::WRITABLE.union(Ready::WRITE_CLOSED);

/// The readiness of a source as it was at one moment. An operation that is tried afterwards hands it back when
/// it clears, so that a newer event is never cleared with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observed(u64);

impl Observed {
    /// The facts.
    #[inline]
    pub const fn ready(self) -> Ready {
        Ready::from_bits(self.0)
    }

    /// True if the driver was shut down.
    #[inline]
    pub const fn is_shut_down(self) -> bool {
        self.0 & SHUT_DOWN != 0
    }

    /// True if an operation with this interest is worth trying: a fact answers it, or the kernel has never
    /// spoken about that direction.
    #[inline]
    pub const fn may_try(self, interest: Interest) -> bool {
        self.ready().intersects(interest.answers()) || self.never_heard(interest)
    }

    const fn never_heard(self, interest: Interest) -> bool {
        let facts = interest.own_facts();
        (facts.intersects(READ_FACTS) && self.tick(READ_SHIFT) == 0)
            || (facts.intersects(WRITE_FACTS) && self.tick(WRITE_SHIFT) == 0)
    }

    const fn tick(self, shift: u32) -> u64 {
        (self.0 >> shift) & TICK_MAX
    }

    /// The tick after this one: 0 means "never" and is not reached again.
    const fn with_next_tick(self, shift: u32) -> Self {
        let next = if self.tick(shift) == TICK_MAX { 1 } else { self.tick(shift) + 1 };
        Self((self.0 & !(TICK_MAX << shift)) | (next << shift))
    }

    fn after_event(self, ready: Ready) -> Self {
        let mut after = Self(self.0 | ready.bits());
        if ready.intersects(READ_FACTS) {
            after = after.with_next_tick(READ_SHIFT);
        }
        if ready.intersects(WRITE_FACTS) {
            after = after.with_next_tick(WRITE_SHIFT);
        }
        after
    }

    fn after_clear(self, seen: Observed, facts: Ready) -> Self {
        let mut disproved = Ready::EMPTY;
        if self.tick(READ_SHIFT) == seen.tick(READ_SHIFT) {
            disproved |= facts & READ_FACTS;
        }
        if self.tick(WRITE_SHIFT) == seen.tick(WRITE_SHIFT) {
            disproved |= facts & WRITE_FACTS;
        }
        Self(self.0 & !disproved.bits())
    }
}

/// The readiness word. See the [module](self).
#[derive(Debug)]
pub struct Readiness {
    word: AtomicU64,
}

impl Readiness {
    /// The word of a source of which the kernel has never spoken.
    pub fn new() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    /// Any thread. What is known now.
    #[inline]
    pub fn observe(&self) -> Observed {
        // ordering: Acquire — R1, the operation tried next comes after the recorded event.
        Observed(self.word.load(Ordering::Acquire))
    }

    /// Driver holder. Adds what the kernel reported. The caller owes the waiters a wake-up.
    pub fn record(&self, ready: Ready) {
        // ordering: Release — R1, publishes the event to the operation that observes it; Relaxed — the value
        // read is only carried over.
        self.replace(Ordering::Release, |current| current.after_event(ready));
    }

    /// Any thread. Removes `facts`, which an operation tried after `seen` has disproved, in each direction of
    /// which no event was recorded since.
    #[inline]
    pub fn clear(&self, seen: Observed, facts: Ready) {
        // ordering: Relaxed — publishes nothing; an RMW keeps R1's release sequence intact, and who waits next
        // observes the word again after the waiters' lock.
        self.replace(Ordering::Relaxed, |current| current.after_clear(seen, facts));
    }

    /// Any thread. From now on an operation that would wait fails. The caller owes all waiters a wake-up.
    pub fn shut_down(&self) {
        // ordering: Relaxed — publishes nothing; the waiters' lock orders it against those who wait.
        self.word.fetch_or(SHUT_DOWN, Ordering::Relaxed);
    }

    #[inline]
    #[cfg_attr(loom, track_caller)]
    fn replace(&self, success: Ordering, step: impl Fn(Observed) -> Observed) {
        // ordering: Relaxed — a starting guess that the exchange checks.
        let mut current = Observed(self.word.load(Ordering::Relaxed));
        loop {
            let next = step(current);
            if next == current {
                return;
            }
            match self.word.compare_exchange_weak(current.0, next.0, success, Ordering::Relaxed) {
                Ok(_) => return,
                Err(actual) => current = Observed(actual),
            }
        }
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const READABLE: Interest = Interest::READABLE;
    const WRITABLE: Interest = Interest::WRITABLE;

    #[test]
    fn an_operation_is_tried_until_the_kernel_has_spoken_but_nothing_is_reported_ready() {
        let readiness = Readiness::new();
        let seen = readiness.observe();
        assert!(seen.may_try(READABLE) && seen.may_try(WRITABLE));
        assert_eq!(seen.ready(), Ready::EMPTY);
        readiness.record(Ready::WRITABLE);
        let seen = readiness.observe();
        assert!(seen.may_try(READABLE), "the kernel has said nothing about reading");
        readiness.clear(seen, WRITABLE.own_facts());
        assert!(!readiness.observe().may_try(WRITABLE), "it has spoken about writing, and was disproved");
    }

    #[test]
    fn a_clear_removes_its_own_facts_only() {
        let readiness = Readiness::new();
        readiness.record(Ready::ALL);
        readiness.clear(readiness.observe(), READABLE.own_facts());
        let left = Ready::ALL - Ready::READABLE - Ready::READ_CLOSED;
        assert_eq!(readiness.observe().ready(), left);
    }

    #[test]
    fn a_clear_after_a_newer_event_is_refused() {
        let readiness = Readiness::new();
        readiness.record(Ready::READABLE);
        let seen = readiness.observe();
        readiness.record(Ready::READABLE);
        readiness.clear(seen, READABLE.own_facts());
        assert!(readiness.observe().ready().is_readable());
    }

    #[test]
    fn an_event_of_one_direction_does_not_refuse_a_clear_of_the_other() {
        let readiness = Readiness::new();
        readiness.record(Ready::READABLE);
        let seen = readiness.observe();
        readiness.record(Ready::WRITABLE);
        readiness.clear(seen, READABLE.own_facts());
        assert_eq!(readiness.observe().ready(), Ready::WRITABLE);
    }

    #[test]
    fn the_tick_wraps_past_zero() {
        let last = Observed(TICK_MAX << READ_SHIFT);
        let next = last.after_event(Ready::READABLE);
        assert_eq!(next.tick(READ_SHIFT), 1);
        assert_eq!(next.tick(WRITE_SHIFT), 0, "the wrap does not carry into the other tick");
    }

    #[test]
    fn the_tick_is_compared_in_full() {
        let readiness = Readiness::new();
        readiness.record(Ready::READABLE);
        let seen = readiness.observe();
        for _ in 0..1 << 16 {
            readiness.record(Ready::READABLE);
            readiness.clear(seen, READABLE.own_facts());
            assert!(readiness.observe().ready().is_readable());
        }
    }

    #[test]
    fn shutdown_keeps_what_is_ready() {
        let readiness = Readiness::new();
        readiness.record(Ready::READABLE);
        readiness.shut_down();
        let seen = readiness.observe();
        assert!(seen.is_shut_down() && seen.may_try(READABLE));
        readiness.clear(seen, READABLE.own_facts());
        assert!(readiness.observe().is_shut_down());
    }
}
