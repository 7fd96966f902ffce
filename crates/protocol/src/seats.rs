//! The slots of a group of workers: which of them a thread runs, how many should be, and who takes or leaves one.
//!
//! A group has more slots than it wants to have run: the rest is for threads that come in for workers whose
//! polls do not end. The foreman says how many slots are *stuck*; what is run beyond them *makes progress*.
//!
//! # States of a slot
//! | state | counted as | who may leave it |
//! |---|---|---|
//! | free | in the list of free slots | whoever takes it while fewer than wanted make progress |
//! | taken | SEATED | the thread that runs it, or that it is handed to |
//! | being emptied | nothing | the thread that ran it |
//!
//! # Transitions
//! | from → to | by | owes |
//! |---|---|---|
//! | free → taken | [`Seats::take_if_short`]: the start, the foreman, a thread that gave its slot away, a caller of `block_on` that will drive | run it, or [`leave`](Seats::leave) it |
//! | taken → being emptied | [`Seats::retire`], a worker without work, if more than wanted make progress; [`Seats::leave`], a thread that ends | empty it, [`give_back`](Seats::give_back) it, and hand on the driver ([`Idle::hand_on_driver`](crate::idle::Idle::hand_on_driver)) |
//! | being emptied → free | [`Seats::give_back`] | - |
//!
//! # Orderings
//! All under the lock. The look at `surplus` before it is a hint that the lock checks.
//!
//! # The hard race
//! A poll ends just after the foreman has counted it as stuck. The foreman starts a stand-in for nothing, and at
//! its next tick counts one stuck slot less: the first worker that finds nothing to do retires. A poll that
//! gets stuck just after the foreman looked is counted one tick late. In both cases `retire` and
//! `take_if_short` decide by the same numbers under one lock, so there are never fewer slots run than wanted,
//! and never more than wanted beside the stuck ones once the foreman has looked.
//!
//! # Checked by
//! The models `seats::*`.

use crate::cells::Word;
use crate::sync::Mutex;

/// The slots of one group.
#[derive(Debug)]
pub struct Seats {
    wanted: usize,
    state: Mutex<SeatsState>,
    /// Slots run beyond those that are needed.
    surplus: Word,
}

#[derive(Debug)]
struct SeatsState {
    free: Vec<usize>,
    seated: usize,
    stuck: usize,
}

impl SeatsState {
    fn making_progress(&self) -> usize {
        self.seated - self.stuck
    }
}

impl Seats {
    /// These slots, all free, of which `wanted` are to be run. They are taken in this order.
    pub fn new(wanted: usize, slots: impl DoubleEndedIterator<Item = usize>) -> Self {
        let state = SeatsState { free: slots.rev().collect(), seated: 0, stuck: 0 };
        Self { wanted, state: Mutex::new(state), surplus: Word::new(0) }
    }

    /// How many of the slots are to be run.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Any thread that would run a slot. `None` if enough make progress, or none is free.
    #[must_use]
    pub fn take_if_short(&self) -> Option<usize> {
        let mut state = self.state.lock();
        if state.making_progress() >= self.wanted {
            return None;
        }
        let slot = state.free.pop()?;
        state.seated += 1;
        self.note_surplus(&state);
        Some(slot)
    }

    /// Whether fewer than wanted make progress, so that a slot would be taken if one were free.
    pub fn is_short(&self) -> bool {
        self.state.lock().making_progress() < self.wanted
    }

    /// The foreman. So many of the slots that are run have a poll that does not end.
    pub fn note_stuck(&self, stuck: usize) {
        let mut state = self.state.lock();
        state.stuck = stuck.min(state.seated);
        self.note_surplus(&state);
    }

    /// A worker that has nothing to do. True: one too many is run, and it is the one that leaves. It is counted
    /// at once, so that only one leaves for each that is too many.
    #[must_use]
    pub fn retire(&self) -> bool {
        if self.surplus.get() == 0 {
            return false;
        }
        let mut state = self.state.lock();
        let retires = state.making_progress() > self.wanted;
        if retires {
            state.seated -= 1;
            self.note_surplus(&state);
        }
        retires
    }

    /// The thread that runs a slot, and will not any more.
    pub fn leave(&self) {
        let mut state = self.state.lock();
        state.seated -= 1;
        state.stuck = state.stuck.min(state.seated);
        self.note_surplus(&state);
    }

    /// The thread that ran a slot and has emptied it.
    pub fn give_back(&self, slot: usize) {
        self.state.lock().free.push(slot);
    }

    /// Slots that a thread runs.
    pub fn seated(&self) -> usize {
        self.state.lock().seated
    }

    fn note_surplus(&self, state: &SeatsState) {
        self.surplus.set(state.making_progress().saturating_sub(self.wanted) as u64);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Seats;

    #[test]
    fn as_many_slots_as_wanted_are_taken_first_slots_first() {
        let seats = Seats::new(2, 0..4);
        assert_eq!(seats.take_if_short(), Some(0));
        assert_eq!(seats.take_if_short(), Some(1));
        assert_eq!(seats.take_if_short(), None);
        assert_eq!(seats.seated(), 2);
    }

    #[test]
    fn a_stuck_slot_is_made_up_for_until_it_is_not() {
        let seats = Seats::new(1, 0..2);
        assert_eq!(seats.take_if_short(), Some(0));
        assert!(!seats.retire(), "nobody is too many");
        seats.note_stuck(1);
        assert_eq!(seats.take_if_short(), Some(1));
        assert_eq!(seats.take_if_short(), None, "one makes progress");
        assert!(!seats.retire(), "one makes progress");
        seats.note_stuck(0);
        assert!(seats.retire());
        assert!(!seats.retire(), "only one leaves");
        seats.give_back(0);
        assert_eq!(seats.take_if_short(), None);
        assert_eq!(seats.seated(), 1);
    }

    #[test]
    fn without_a_free_slot_nobody_comes_in() {
        let seats = Seats::new(1, 0..1);
        assert!(seats.is_short());
        assert_eq!(seats.take_if_short(), Some(0));
        assert!(!seats.is_short());
        seats.note_stuck(1);
        assert_eq!(seats.take_if_short(), None);
        assert!(seats.is_short());
    }

    #[test]
    fn a_slot_that_is_being_emptied_is_not_taken() {
        let seats = Seats::new(1, 0..1);
        assert_eq!(seats.take_if_short(), Some(0));
        seats.leave();
        assert_eq!(seats.seated(), 0);
        assert_eq!(seats.take_if_short(), None);
        seats.give_back(0);
        assert_eq!(seats.take_if_short(), Some(0));
    }

    #[test]
    fn more_stuck_than_seated_are_counted_as_all() {
        let seats = Seats::new(1, 0..3);
        assert_eq!(seats.take_if_short(), Some(0));
        seats.note_stuck(7);
        assert_eq!(seats.take_if_short(), Some(1));
        seats.leave();
        seats.leave();
        assert_eq!(seats.seated(), 0);
    }
}
