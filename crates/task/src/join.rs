//! The right to a task's output.

use crate::error::JoinError;
use crate::header::{Header, Id, Kind};
use crate::host::Mishap;
use crate::stage;
use crate::task_ref::TaskRef;
use shopfloor_protocol::task_state::JoinDropAction;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// A future that gives the output of a task; dropped, the task goes on without it.
pub struct Join<T> {
    interest: JoinInterest,
    _output: PhantomData<T>,
}

/// JOIN_INTEREST of a cell: all of a join handle but the type of the output. One word, so that handles are cheap to move.
struct JoinInterest {
    /// The address of the cell; its lowest bit, which is free, says that the output has been taken.
    tagged: NonNull<Header>,
}

const CONSUMED: usize = 1;
const _: () = assert!(align_of::<Header>() > CONSUMED);

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
        Self { interest: JoinInterest { tagged: cell }, _output: PhantomData }
    }

    /// The task's name among the living.
    pub fn id(&self) -> Id {
        Id::of(self.interest.cell())
    }

    /// What runs the task.
    pub fn kind(&self) -> Kind {
        self.interest.header().kind
    }

    /// Whether the task is done, so that the next poll gives the output.
    pub fn is_finished(&self) -> bool {
        self.interest.header().state.load().is_complete()
    }

    /// A pin on the task.
    pub fn task(&self) -> TaskRef {
        // SAFETY: our interest is a reference.
        unsafe { TaskRef::pin_referenced(self.interest.cell()) }
    }
}

impl<T> Future for Join<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let interest = &mut self.get_mut().interest;
        if !interest.poll(cx) {
            return Poll::Pending;
        }
        let output = interest.take_output().map(|output| {
            let output: NonNull<T> = output.cast();
            // SAFETY: it is there and ours, and the output of the cell is a `T`.
            unsafe { output.read() }
        });
        Poll::Ready(output)
    }
}

impl JoinInterest {
    fn cell(&self) -> NonNull<Header> {
        self.tagged.map_addr(|addr| NonZero::new(addr.get() & !CONSUMED).expect("the address of a cell"))
    }

    fn is_consumed(&self) -> bool {
        self.tagged.addr().get() & CONSUMED != 0
    }

    fn header(&self) -> &Header {
        // SAFETY: the interest keeps the cell alive.
        unsafe { self.cell().as_ref() }
    }

    /// True: the task is complete, and the output is to be taken. False: it will wake the waker.
    fn poll(&self, cx: &mut Context<'_>) -> bool {
        let state = &self.header().state;
        let seen = state.load();
        if seen.is_complete() || seen.has_join_waker() && !state.clear_join_waker() {
            return true;
        }
        let waker = match self.take_waker() {
            Some(waker) if waker.will_wake(cx.waker()) => waker,
            _ => cx.waker().clone(),
        };
        self.put_waker(waker);
        if state.set_join_waker() {
            return false;
        }
        drop(self.take_waker());
        true
    }

    /// Of a task that is complete: where its output is, which the caller moves out.
    fn take_output(&mut self) -> Result<NonNull<()>, JoinError> {
        assert!(!self.is_consumed(), "a join handle was polled after it gave the output");
        let cell = self.tagged;
        self.tagged = cell.map_addr(|addr| addr | CONSUMED);
        // SAFETY: the task is complete and our interest stood, so the output is ours; this is the first time.
        match unsafe { stage::take_failure(cell) } {
            // SAFETY: the interest keeps the cell alive.
            None => Ok(unsafe { Header::store(cell) }),
            Some(failure) => Err(failure.into_error(Id::of(cell))),
        }
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

impl Drop for JoinInterest {
    fn drop(&mut self) {
        let cell = self.cell();
        // SAFETY: the interest is ours until it is withdrawn below, after which the header is not used.
        let Header { state, vtable, .. } = unsafe { cell.as_ref() };
        // Who has read the output knows that the task is complete.
        if !self.is_consumed() {
            loop {
                match state.drop_join_interest() {
                    JoinDropAction::None => return,
                    JoinDropAction::DropWaker => {
                        let waker = self.take_waker();
                        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
                            // SAFETY: the interest is a reference.
                            unsafe { (vtable.report)(cell, Mishap::Waker, payload) };
                        }
                    }
                    JoinDropAction::DropOutput => break,
                }
            }
            // SAFETY: the task is complete and our interest stands, so the output is ours; it is a reference.
            unsafe { stage::drop_output(cell) };
        }
        let release = vtable.release;
        if state.release_join() {
            // SAFETY: `release_join` found the cell dead.
            unsafe { release(cell) };
        }
    }
}

impl<T> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("id", &self.id()).finish_non_exhaustive()
    }
}
