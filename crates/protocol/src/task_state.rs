//! The state word of a task: five states, its references, and who owns what after each transition.
//!
//! # States
//! | state | word | who may leave it |
//! |---|---|---|
//! | Ready, Running | `wakes` ≥ 1, neither HELD nor COMPLETE | the one owner of the *obligation*: the queue that holds the task, or the worker that took it out |
//! | Waiting | `wakes` = 0, neither SUSPENDED nor COMPLETE | the first wake, abort |
//! | Suspended | SUSPENDED; and HELD once a worker has set the task aside | resume, abort; a wake in between is kept |
//! | Done | COMPLETE | nobody; the cell lives until its last reference goes |
//!
//! `wakes` is the *obligation* to poll: 0 none; 1 exactly one party (a queue, or a worker, or HELD nobody
//! but the word itself) owes the task a look; 2 the same, and something was woken since that look began.
//! It saturates at 2. Ready and Running are one state to the protocol: a worker says in a word of its own
//! which task it polls, for display.
//!
//! # References
//! The cell is freed by the one transition whose result [`Snapshot::is_dead`]: COMPLETE, no JOIN_INTEREST,
//! and no wakes, wakers or handles. An incomplete task is itself a reference. Nobody touches the cell
//! after a transition that gave up its last reference, unless the action says so.
//!
//! # Transitions
//! | transition | by | owes |
//! |---|---|---|
//! | [`TaskState::wake_by_ref`], [`wake_by_val`](TaskState::wake_by_val) | any thread with a waker | `Schedule`: put the task into a queue |
//! | [`start_poll`](TaskState::start_poll) | the worker that took the task | `Poll`, `Cancel`: do that; `Held`: forget the task |
//! | [`end_poll`](TaskState::end_poll) | the same worker, after Pending | `Reschedule`, `Cancel`: still the owner; `Idle`, `Held`: forget it; `Orphaned`: note it, then [`unpin`](TaskState::unpin) |
//! | [`complete`](TaskState::complete) | the same worker, output stored | `WakeJoiner`: take the waker, [`finish`](TaskState::finish), wake; `DropOutput`: drop it and call again; `Release` |
//! | [`suspend`](TaskState::suspend), [`resume`](TaskState::resume), [`abort`](TaskState::abort) | any thread with a handle | `Schedule` |
//! | [`set_join_waker`](TaskState::set_join_waker), [`clear_join_waker`](TaskState::clear_join_waker), [`drop_join_interest`](TaskState::drop_join_interest) | the join handle | see the access rule |
//! | [`pin`](TaskState::pin), [`unpin`](TaskState::unpin), [`clone_waker`](TaskState::clone_waker), [`drop_waker`](TaskState::drop_waker) | holders of a reference; a walker under the lock of the cell list | `Release`: free the cell |
//!
//! Access to the rest of the cell: the future belongs to the owner of the obligation; the output belongs to
//! the join handle once COMPLETE is set and JOIN_INTEREST was set by then, else to the completing worker;
//! the slot of the join waker belongs to the join handle while JOIN_WAKER is clear, to the completing
//! worker once COMPLETE is set over JOIN_WAKER, and is read by nobody in between.
//!
//! # Orderings
//! | edge | release side | acquire side | publishes |
//! |---|---|---|---|
//! | E1 | `wake_*`, `abort`, `resume` | `start_poll`; of an abort also `end_poll` | what the waker wrote before it woke |
//! | E2 | `end_poll` | `start_poll` (transitions in between are RMWs and carry the edge on) | the future, from poll to poll |
//! | E3 | `complete` | `load`, `suspend`, `resume`, `set_join_waker`, `clear_join_waker`, `drop_join_interest` | the output, and all that the task did |
//! | E4 | `set_join_waker` | `complete` | the join waker; back by `complete`/`clear_join_waker` |
//! | E5 | each transition that drops a reference | the one that finds the cell dead | all accesses before its release |
//!
//! # The hard race: suspend, resume and a worker that pops
//! A task is queued, `suspend` sets SUSPENDED, `resume` clears it before a worker pops the task. If `resume`
//! enqueued because a wake is pending, the task would be in two queues. So only a worker takes a task out
//! of circulation: holding the obligation it sets HELD by a compare-exchange that fails if SUSPENDED has gone
//! meanwhile, and `resume` enqueues exactly if it cleared HELD. At each moment one party owns the obligation.
//!
//! # Rejected
//! A wake count that is added to without bound and subtracted as seen (one `fetch_add` per wake): it
//! needs a rule for the overflow, and the obvious one loses a wake (the poll began with all units seen, a
//! wake at the limit takes its unit back, the poll ends at zero). Only 0, 1 and "more" matter, so the word
//! says just that, by compare-exchange, at the same two RMWs per wake and poll. Two bits, SCHEDULED and
//! RUNNING: a wake during the poll then needs a third, and two wakers race over it.
//!
//! # Checked by
//! The models `task_state::*`; the unit tests below run every transition over every legal word.

use crate::sync::{AtomicU64, Ordering};
use std::fmt;

const COMPLETE: u64 = 1;
const CANCELLED: u64 = 1 << 1;
const SUSPENDED: u64 = 1 << 2;
const HELD: u64 = 1 << 3;
const JOIN_INTEREST: u64 = 1 << 4;
const JOIN_WAKER: u64 = 1 << 5;
const ORPHAN: u64 = 1 << 6;

const WAKE: u64 = 1 << 8;
const WAKES: u64 = 0b11 << 8;
const HANDLE: u64 = 1 << 16;
const HANDLES: u64 = 0xff_ffff << 16;
const WAKER: u64 = 1 << 40;
const WAKERS: u64 = 0xff_ffff << 40;

/// Beyond this many clones the process aborts, as `Arc` does: only leaked clones get there, and the rest of
/// the field's range is the room for threads that pass the check at the same time.
const WAKERS_MAX: u64 = 1 << 23;
/// As [`WAKERS_MAX`], for abort handles and pins.
const HANDLES_MAX: u64 = 1 << 23;

/// One value of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Snapshot(u64);

/// What a waker, or a handle that woke the task, owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum WakeAction {
    /// Nothing: somebody else owns the obligation, or the task is done.
    None,
    /// The caller got the obligation: put the task into a queue.
    Schedule,
    /// The caller's reference was the last one: free the cell.
    Release,
}

/// What the worker that took a task out of a queue does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum StartAction {
    /// Poll it.
    Poll,
    /// It was aborted: drop the future and complete it as cancelled.
    Cancel,
    /// It is suspended and has been set aside: forget it.
    Held,
}

/// What the worker does after a poll that returned Pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum EndAction {
    /// The task waits: forget it.
    Idle,
    /// The task waits and nobody is left who could wake it. The caller holds a pin: note it, then unpin.
    Orphaned,
    /// It was woken during the poll and the caller still has the obligation: put it at the back of the queue.
    Reschedule,
    /// It was aborted during the poll: drop the future and complete it as cancelled.
    Cancel,
    /// It is suspended and has been set aside: forget it.
    Held,
}

/// What the worker does with a task that has its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CompleteAction {
    /// Nobody will read the output, and the task is not complete yet: drop the output and call again.
    DropOutput,
    /// Done: forget the task.
    None,
    /// The caller keeps its reference: take the join waker out, call [`TaskState::finish`], then wake it.
    WakeJoiner,
    /// The caller's reference was the last one: free the cell.
    Release,
}

/// What the dropper of a waker owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum DropAction {
    /// Nothing.
    None,
    /// The task waits and this was its last waker. The caller holds a pin: note it, then unpin.
    Orphaned,
    /// The caller's reference was the last one: free the cell.
    Release,
}

/// What the dropper of a join handle does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum JoinDropAction {
    /// The join waker is the handle's again and still in its slot: drop it and call again.
    DropWaker,
    /// The interest is withdrawn: forget the task.
    None,
    /// The task is complete and the interest still stands: drop the output if it was not read, then
    /// [`TaskState::release_join`].
    DropOutput,
}

/// The state of a task as its user sees it, but for Ready and Running, which only the workers can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In a queue, or being polled.
    ReadyOrRunning,
    /// In no queue; a wake would put it there.
    Waiting,
    /// Stopped.
    Suspended {
        /// Whether a worker set it aside or it was waiting, so that no poll is under way.
        at_rest: bool,
    },
    /// Completed, cancelled or panicked.
    Done,
}

impl Snapshot {
    fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    fn wakes(self) -> u64 {
        (self.0 & WAKES) / WAKE
    }

    fn with_wakes(self, wakes: u64) -> Self {
        Self((self.0 & !WAKES) | (wakes * WAKE))
    }

    fn set(self, flags: u64) -> Self {
        Self(self.0 | flags)
    }

    fn clear(self, flags: u64) -> Self {
        Self(self.0 & !flags)
    }

    /// Whether nothing refers to the cell any more.
    pub fn is_dead(self) -> bool {
        self.has(COMPLETE) && self.0 & (JOIN_INTEREST | WAKES | HANDLES | WAKERS) == 0
    }

    /// Whether the task waits for a wake that nobody is left to give.
    pub fn is_orphan(self) -> bool {
        self.0 & (COMPLETE | HELD | WAKES | WAKERS) == 0
    }

    /// Whether that was noted, and not taken since.
    pub fn is_noted_orphan(self) -> bool {
        self.has(ORPHAN)
    }

    /// Whether the task is complete.
    pub fn is_complete(self) -> bool {
        self.has(COMPLETE)
    }

    /// Whether the join handle has left a waker. While it is set the slot is nobody's.
    pub fn has_join_waker(self) -> bool {
        self.has(JOIN_WAKER)
    }

    /// The state to show.
    pub fn phase(self) -> Phase {
        if self.has(COMPLETE) {
            Phase::Done
        } else if self.has(SUSPENDED) && !self.has(CANCELLED) {
            Phase::Suspended { at_rest: self.has(HELD) || self.wakes() == 0 }
        } else if self.wakes() > 0 {
            Phase::ReadyOrRunning
        } else {
            Phase::Waiting
        }
    }

    fn woken(self) -> (Self, WakeAction) {
        if self.has(COMPLETE) {
            return (self, WakeAction::None);
        }
        match self.wakes() {
            0 => (self.with_wakes(1), WakeAction::Schedule),
            _ => (self.with_wakes(2), WakeAction::None),
        }
    }

    fn woken_by_val(self) -> (Self, WakeAction) {
        let (next, action) = Self(self.0 - WAKER).woken();
        if next.is_dead() { (next, WakeAction::Release) } else { (next, action) }
    }

    fn poll_started(self) -> (Self, StartAction) {
        if self.has(CANCELLED) {
            (self, StartAction::Cancel)
        } else if self.has(SUSPENDED) {
            (self.set(HELD), StartAction::Held)
        } else {
            (self.with_wakes(1), StartAction::Poll)
        }
    }

    fn poll_ended(self) -> (Self, EndAction) {
        if self.has(CANCELLED) {
            (self, EndAction::Cancel)
        } else if self.wakes() > 1 {
            let next = self.with_wakes(1);
            if self.has(SUSPENDED) {
                (next.set(HELD), EndAction::Held)
            } else {
                (next, EndAction::Reschedule)
            }
        } else {
            let next = self.with_wakes(0);
            if next.is_orphan() {
                (Self(next.set(ORPHAN).0 + HANDLE), EndAction::Orphaned)
            } else {
                (next, EndAction::Idle)
            }
        }
    }

    fn completed(self) -> (Self, CompleteAction) {
        let done = self.set(COMPLETE).clear(SUSPENDED | ORPHAN);
        if self.has(JOIN_WAKER) {
            (done.with_wakes(1), CompleteAction::WakeJoiner)
        } else {
            let done = done.with_wakes(0);
            (done, if done.is_dead() { CompleteAction::Release } else { CompleteAction::None })
        }
    }

    fn suspended(self) -> Self {
        if self.has(COMPLETE | CANCELLED) { self } else { self.set(SUSPENDED) }
    }

    fn resumed(self) -> (Self, WakeAction) {
        let next = self.clear(SUSPENDED | HELD);
        (next, if self.has(HELD) { WakeAction::Schedule } else { WakeAction::None })
    }

    fn aborted(self) -> (Self, WakeAction) {
        if self.has(COMPLETE) {
            return (self, WakeAction::None);
        }
        let (next, action) = self.set(CANCELLED).clear(HELD | ORPHAN).woken();
        (next, if self.has(HELD) { WakeAction::Schedule } else { action })
    }

    fn waker_dropped(self) -> (Self, DropAction) {
        let next = Self(self.0 - WAKER);
        if next.is_dead() {
            (next, DropAction::Release)
        } else if next.is_orphan() {
            (Self(next.set(ORPHAN).0 + HANDLE), DropAction::Orphaned)
        } else {
            (next, DropAction::None)
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["COMPLETE", "CANCELLED", "SUSPENDED", "HELD", "JOIN_INTEREST", "JOIN_WAKER", "ORPHAN"];
        for (bit, name) in names.iter().enumerate() {
            if self.has(1 << bit) {
                write!(f, "{name} ")?;
            }
        }
        let (handles, wakers) = ((self.0 & HANDLES) / HANDLE, (self.0 & WAKERS) / WAKER);
        write!(f, "wakes={} handles={handles} wakers={wakers}", self.wakes())
    }
}

/// The word itself.
#[derive(Debug)]
pub struct TaskState(AtomicU64);

impl Default for TaskState {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskState {
    /// A task that its maker is about to put into a queue, with a join handle.
    pub fn new() -> Self {
        Self(AtomicU64::new(WAKE | JOIN_INTEREST))
    }

    /// A task that was refused: complete from the start, referred to by its join handle only.
    pub fn refused() -> Self {
        Self(AtomicU64::new(COMPLETE | JOIN_INTEREST))
    }

    /// Any thread with a reference. The word as it is now.
    pub fn load(&self) -> Snapshot {
        // ordering: Acquire: E3 for a join handle that finds COMPLETE.
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Applies a transition until no other thread gets in between.
    #[cfg_attr(loom, track_caller)]
    fn apply<A>(&self, success: Ordering, step: impl Fn(Snapshot) -> (Snapshot, A)) -> A {
        // ordering: Relaxed: a guess that the compare-exchange checks.
        let mut current = self.0.load(Ordering::Relaxed);
        loop {
            let (next, action) = step(Snapshot(current));
            // ordering: the caller's on success; Relaxed on failure: only the value is used, as a guess.
            match self.0.compare_exchange_weak(current, next.0, success, Ordering::Relaxed) {
                Ok(_) => return action,
                Err(seen) => current = seen,
            }
        }
    }

    /// Any thread with a waker, which it keeps.
    pub fn wake_by_ref(&self) -> WakeAction {
        // ordering: Release: E1. It is an RMW even when nothing changes, so that the edge exists.
        self.apply(Ordering::Release, Snapshot::woken)
    }

    /// Any thread with a waker, which it gives up. After `None` or `Schedule` handed on, the cell may go.
    pub fn wake_by_val(&self) -> WakeAction {
        // ordering: AcqRel: E1, and E5 on both sides.
        self.apply(Ordering::AcqRel, Snapshot::woken_by_val)
    }

    /// The worker that took the task out of a queue.
    pub fn start_poll(&self) -> StartAction {
        // ordering: Acquire: E1 and E2.
        let seen = Snapshot(self.0.load(Ordering::Acquire));
        debug_assert!(seen.wakes() > 0 && !seen.has(COMPLETE | HELD), "no obligation: {seen:?}");
        if seen.0 & (CANCELLED | SUSPENDED | WAKES) == WAKE {
            return StartAction::Poll; // as nearly always, in one comparison
        }
        let (next, action) = seen.poll_started();
        if next == seen {
            return action; // nothing to write
        }
        // ordering: AcqRel: E1 of wakes that came after the load; E5: who sets the task aside gives it up.
        self.apply(Ordering::AcqRel, Snapshot::poll_started)
    }

    /// The same worker, when the poll returned Pending.
    pub fn end_poll(&self) -> EndAction {
        // ordering: AcqRel: E2; E1 of an abort, since the future is dropped without another start.
        self.apply(Ordering::AcqRel, Snapshot::poll_ended)
    }

    /// The same worker, when the output (or its absence, for a cancelled task) is stored.
    /// `output_dropped` says that there is nothing left to drop.
    pub fn complete(&self, output_dropped: bool) -> CompleteAction {
        // ordering: Relaxed: a guess that the compare-exchange checks.
        let mut current = Snapshot(self.0.load(Ordering::Relaxed));
        loop {
            if !current.has(JOIN_INTEREST) && !output_dropped {
                // The interest never comes back, so this stays true.
                return CompleteAction::DropOutput;
            }
            let (next, action) = current.completed();
            // ordering: AcqRel: E3 and E5 (release), E4 and E5 (acquire); Relaxed on failure: a guess.
            match self.0.compare_exchange_weak(current.0, next.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return action,
                Err(seen) => current = Snapshot(seen),
            }
        }
    }

    /// The completing worker, once it has taken the join waker. True: free the cell.
    #[must_use]
    pub fn finish(&self) -> bool {
        // ordering: AcqRel: E5.
        self.apply(Ordering::AcqRel, |seen| {
            let next = seen.clear(JOIN_WAKER).with_wakes(0);
            (next, next.is_dead())
        })
    }

    /// Any thread with a handle. Returns the state that it found.
    pub fn suspend(&self) -> Snapshot {
        // ordering: Acquire: E3 for a caller that finds Done. Nothing to release: a poll that does not begin sees
        // nothing.
        self.apply(Ordering::Acquire, |seen| (seen.suspended(), seen))
    }

    /// Any thread with a handle. Returns the state that it found, and what it owes.
    pub fn resume(&self) -> (Snapshot, WakeAction) {
        // ordering: AcqRel: E1, and E3 for a caller that finds Done.
        self.apply(Ordering::AcqRel, |seen| {
            let (next, action) = seen.resumed();
            (next, (seen, action))
        })
    }

    /// Any thread with a handle; shutdown under a pin.
    pub fn abort(&self) -> WakeAction {
        // ordering: Release: E1. Who gets the obligation hands it to a worker, whose start acquires.
        self.apply(Ordering::Release, Snapshot::aborted)
    }

    /// The join handle, after it wrote the waker. False: the task is complete and the slot is still its own.
    #[must_use]
    pub fn set_join_waker(&self) -> bool {
        // ordering: AcqRel: E4 (release), E3 when it fails (acquire).
        self.apply(Ordering::AcqRel, |seen| match seen.has(COMPLETE) {
            true => (seen, false),
            false => (seen.set(JOIN_WAKER), true),
        })
    }

    /// The join handle, before it touches a waker that it had set. False: the task is complete and the slot
    /// belongs to the worker.
    #[must_use]
    pub fn clear_join_waker(&self) -> bool {
        // ordering: Acquire: E3 when it fails. When it succeeds no worker touches the slot before the next
        // `set_join_waker`, so there is nothing to release.
        self.apply(Ordering::Acquire, |seen| match seen.has(COMPLETE) {
            true => (seen, false),
            false => (seen.clear(JOIN_WAKER), true),
        })
    }

    /// The join handle, in its drop.
    pub fn drop_join_interest(&self) -> JoinDropAction {
        // ordering: AcqRel: E3, E5.
        self.apply(Ordering::AcqRel, |seen| {
            if seen.has(COMPLETE) {
                (seen, JoinDropAction::DropOutput)
            } else if seen.has(JOIN_WAKER) {
                (seen.clear(JOIN_WAKER), JoinDropAction::DropWaker)
            } else {
                (seen.clear(JOIN_INTEREST), JoinDropAction::None)
            }
        })
    }

    /// The join handle of a complete task, when the output is gone. True: free the cell.
    #[must_use]
    pub fn release_join(&self) -> bool {
        // ordering: AcqRel: E5.
        self.apply(Ordering::AcqRel, |seen| {
            let next = seen.clear(JOIN_INTEREST);
            (next, next.is_dead())
        })
    }

    /// A walker that holds the lock of the cell list, or the owner of another reference. False: the cell is
    /// dead and about to be freed.
    #[must_use]
    pub fn pin(&self) -> bool {
        // ordering: Relaxed: a reference is made from one that exists, or under the lock under which the cell was
        // listed; what it publishes was published by that.
        self.apply(Ordering::Relaxed, |seen| {
            if seen.is_dead() {
                return (seen, false);
            }
            if seen.0 & HANDLES >= HANDLES_MAX * HANDLE {
                abort_process("more than 8,388,608 abort handles of one task");
            }
            (Snapshot(seen.0 + HANDLE), true)
        })
    }

    /// The owner of a pin or abort handle. True: free the cell.
    #[must_use]
    pub fn unpin(&self) -> bool {
        // ordering: AcqRel: E5.
        self.apply(Ordering::AcqRel, |seen| {
            let next = Snapshot(seen.0 - HANDLE);
            (next, next.is_dead())
        })
    }

    /// Under a pin: whether this task is an orphan that has not been reported; marks it as reported.
    #[must_use]
    pub fn take_orphan(&self) -> bool {
        // ordering: Relaxed: a mark for display; the pin publishes what the reporter reads.
        self.apply(Ordering::Relaxed, |seen| (seen.clear(ORPHAN), seen.has(ORPHAN) && seen.is_orphan()))
    }

    /// The owner of a waker, or the worker in a poll.
    pub fn clone_waker(&self) {
        // ordering: Relaxed: a reference is made from one that exists; nothing is published.
        let seen = self.0.fetch_add(WAKER, Ordering::Relaxed);
        if seen & WAKERS >= WAKERS_MAX * WAKER {
            abort_process("more than 8,388,608 wakers of one task");
        }
    }

    /// The owner of a waker, which it gives up.
    pub fn drop_waker(&self) -> DropAction {
        // ordering: AcqRel: E5.
        self.apply(Ordering::AcqRel, Snapshot::waker_dropped)
    }
}

/// References that only leaks can make this many: going on would free memory that is in use.
#[cold]
fn abort_process(what: &str) -> ! {
    struct AbortInDrop;
    impl Drop for AbortInDrop {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
    let _bomb = AbortInDrop;
    panic!("shopfloor: {what}");
}

#[cfg(all(test, not(loom)))]
mod tests;
