//! The obligation to look at a task.

use crate::header::{Header, Id, Kind};
use crate::stage;
use crate::waker::{borrowed, note_orphan_and_unpin};
use shopfloor_protocol::lifo_slot::RawToken;
use shopfloor_protocol::task_state::{CompleteAction, EndAction, StartAction};
use std::panic::Location;
use std::ptr::NonNull;
use std::task::Waker;

/// A task that is to be polled, or cancelled. Exactly one exists while a task is ready or running, so whoever
/// has it may touch the future. It is handed on or [`run`](Self::run), never dropped: a dropped one would be a
/// task that never runs again.
#[derive(Debug)]
#[must_use]
pub struct Notified {
    cell: NonNull<Header>,
}

// SAFETY: the obligation moves between threads with the future in its cell. A future that is not `Send` is
// spawned on a runtime that never leaves its thread only (see `spawn`).
unsafe impl Send for Notified {}

/// What became of a task that was run.
#[derive(Debug)]
#[must_use]
pub enum Ran {
    /// It waits, or was set aside.
    Left,
    /// It is ready again: to the back of the queue.
    Again(Notified),
    /// It is done. The waker is the joiner's, to be woken.
    Done(Option<Waker>),
}

impl Notified {
    pub(crate) fn new(cell: NonNull<Header>) -> Self {
        Self { cell }
    }

    fn header(&self) -> &Header {
        // SAFETY: the obligation keeps the cell alive.
        unsafe { self.cell.as_ref() }
    }

    /// The task's name among the living.
    pub fn id(&self) -> Id {
        Id::of(self.cell)
    }

    /// Which threads run it.
    pub fn kind(&self) -> Kind {
        self.header().kind
    }

    /// Where it was spawned.
    pub fn location(&self) -> &'static Location<'static> {
        self.header().location
    }

    /// Sets the wait word of the task, before or after its poll.
    pub fn set_wait_word(&self, word: u64) {
        self.header().wait.set(word);
    }

    /// Polls or cancels the task and settles what follows. `before_poll` is called if user code will run, in a poll or in
    /// the drop of the future; for a task that is aborted during its poll, twice. `after_poll` is called between a poll that returned Pending and the transition that may
    /// give the task away, with a way to set its wait word; when it returns true, the task yielded: it stays ready
    /// without touching the state word. A panic of the future becomes its output.
    #[inline(always)]
    pub fn run(self, before_poll: impl Fn(), after_poll: impl FnOnce(&Self) -> bool) -> Ran {
        match self.header().state.start_poll() {
            StartAction::Held => Ran::Left,
            StartAction::Cancel => {
                before_poll();
                Ran::Done(self.end_unpolled())
            }
            StartAction::Poll => {
                before_poll();
                // SAFETY: we own the obligation until one of the transitions below gives it away, and the
                // waker is used within this call only.
                let waker = unsafe { borrowed(self.cell) };
                // SAFETY: the obligation is the right to the future.
                let ready = unsafe { stage::poll(self.cell, &waker) };
                if ready {
                    return Ran::Done(self.complete());
                }
                if after_poll(&self) {
                    return Ran::Again(self);
                }
                self.end_poll(before_poll)
            }
        }
    }

    /// Ends the task without polling it, as if it had been aborted.
    pub fn cancel(self) -> Ran {
        Ran::Done(self.end_unpolled())
    }

    fn end_unpolled(self) -> Option<Waker> {
        // SAFETY: the obligation is the right to the future.
        unsafe { stage::cancel(self.cell) };
        self.complete()
    }

    fn end_poll(self, before_drop: impl Fn()) -> Ran {
        let cell = self.cell;
        match self.header().state.end_poll() {
            EndAction::Idle | EndAction::Held => Ran::Left,
            EndAction::Reschedule => Ran::Again(self),
            EndAction::Cancel => {
                before_drop();
                Ran::Done(self.end_unpolled())
            }
            EndAction::Orphaned => {
                // SAFETY: the action gave us a pin.
                unsafe { note_orphan_and_unpin(cell) };
                Ran::Left
            }
        }
    }

    /// Gives the waker of the joiner, to be woken.
    #[inline(always)]
    fn complete(self) -> Option<Waker> {
        let mut output_dropped = false;
        let Header { state, vtable, join_waker, .. } = self.header();
        loop {
            match state.complete(output_dropped) {
                CompleteAction::None => return None,
                CompleteAction::Release => {
                    // SAFETY: the action says that the cell is dead.
                    unsafe { (vtable.release)(self.cell) };
                    return None;
                }
                CompleteAction::DropOutput => {
                    // SAFETY: nobody will read the output, so it is ours; the obligation is a reference.
                    unsafe { stage::drop_output(self.cell) };
                    output_dropped = true;
                }
                CompleteAction::WakeJoiner => {
                    // SAFETY: COMPLETE over JOIN_WAKER: the slot is ours until `finish`.
                    let waker = join_waker.with_mut(|slot| unsafe { (*slot).take() });
                    if state.finish() {
                        // SAFETY: `finish` found the cell dead.
                        unsafe { (vtable.release)(self.cell) };
                    }
                    return waker;
                }
            }
        }
    }
}

// SAFETY: the address of the cell is the token: `into_raw` forgets nothing but the type, and `from_raw` makes
// the same value again.
unsafe impl RawToken for Notified {
    fn into_raw(self) -> NonNull<()> {
        self.cell.cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self { cell: raw.cast() }
    }
}
