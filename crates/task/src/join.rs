//! The right to a task's output.

use crate::error::{Failure, JoinError};
use crate::header::{Header, Id, Mishap};
use crate::notified::drop_output;
use crate::task_ref::TaskRef;
use shopfloor_protocol::task_state::JoinDropAction;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// A future that gives the output of a task; dropped, the task goes on without it.
pub struct Join<T> {
    cell: NonNull<Header>,
    consumed: bool,
    _output: PhantomData<T>,
}

// SAFETY: what moves with it is the right to an output of type `T` (taken or dropped on the new thread), and
// a reference to the header, which is shared by all threads anyway.
unsafe impl<T: Send> Send for Join<T> {}
// SAFETY: `&Join` reaches the header's atomics only.
unsafe impl<T: Send> Sync for Join<T> {}

impl<T> Unpin for Join<T> {}

impl<T> Join<T> {
    /// # Safety
    /// JOIN_INTEREST of the cell stands for this value alone, and its output is a `T`.
    pub(crate) unsafe fn new(cell: NonNull<Header>) -> Self {
        Self { cell, consumed: false, _output: PhantomData }
    }

    fn header(&self) -> &Header {
        // SAFETY: the interest keeps the cell alive.
        unsafe { self.cell.as_ref() }
    }

    /// The task's name among the living.
    pub fn id(&self) -> Id {
        Id::of(self.cell)
    }

    /// Whether the task is done, so that the next poll gives the output.
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// A pin on the task.
    pub fn task(&self) -> TaskRef {
        // SAFETY: our interest is a reference.
        unsafe { TaskRef::pin_referenced(self.cell) }
    }

    fn take_output(&mut self) -> Result<T, JoinError> {
        assert!(!self.consumed, "a join handle was polled after it gave the output");
        self.consumed = true;
        let mut output: Option<Result<T, Failure>> = None;
        // SAFETY: the task is complete and our interest stood, so the output is ours; `output` has the
        // type that the cell was made with.
        unsafe { (self.header().vtable.take_output)(self.cell, NonNull::from(&mut output).cast()) };
        let output = output.expect("a complete task that was not joined has an output");
        output.map_err(|failure| failure.into_error(self.id()))
    }

    /// Takes the waker that we own out of its slot.
    fn take_waker(&self) -> Option<Waker> {
        // SAFETY: called while JOIN_WAKER is clear and the interest stands: the slot is ours.
        self.header().join_waker.with_mut(|slot| unsafe { (*slot).take() })
    }

    fn put_waker(&self, waker: Waker) {
        // SAFETY: as `take_waker`, which emptied the slot, so nothing is dropped here.
        self.header().join_waker.with_mut(|slot| unsafe { *slot = Some(waker) });
    }
}

impl<T> Future for Join<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let state = &this.header().state;
        let seen = state.load();
        if seen.is_complete() || seen.has_join_waker() && !state.clear_join_waker() {
            return Poll::Ready(this.take_output());
        }
        let waker = match this.take_waker() {
            Some(waker) if waker.will_wake(cx.waker()) => waker,
            _ => cx.waker().clone(),
        };
        this.put_waker(waker);
        if state.set_join_waker() {
            return Poll::Pending;
        }
        drop(this.take_waker());
        Poll::Ready(this.take_output())
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        // SAFETY: the interest is ours until it is withdrawn below, after which the header is not used.
        let Header { state, vtable, .. } = unsafe { self.cell.as_ref() };
        // Who has read the output knows that the task is complete.
        if !self.consumed {
            loop {
                match state.drop_join_interest() {
                    JoinDropAction::None => return,
                    JoinDropAction::DropWaker => {
                        let waker = self.take_waker();
                        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
                            // SAFETY: the interest is a reference.
                            unsafe { (vtable.report)(self.cell, Mishap::Waker, payload) };
                        }
                    }
                    JoinDropAction::DropOutput => break,
                }
            }
            drop_output(self.cell, vtable.drop_output, vtable.report);
        }
        let release = vtable.release;
        if state.release_join() {
            // SAFETY: `release_join` found the cell dead.
            unsafe { release(self.cell) };
        }
    }
}

impl<T> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("id", &self.id()).finish_non_exhaustive()
    }
}
