//! What the current thread is to which runtime.
//!
//! A thread is inside a runtime while it runs a slot, waits in `block_on`, runs a blocking job, or holds an
//! [`EnterGuard`]. Only the first makes it a worker. Everybody who asks "am I a worker of this runtime"
//! compares the runtime's address, so several runtimes live in one process without meeting.

use crate::floor::Floor;
use crate::os::thread_local;
use crate::worker::Worker;
use shopfloor_task::Id;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
    static BLOCKING_FORBIDDEN: Cell<bool> = const { Cell::new(false) };
    static WAIT_WORD: Cell<u64> = const { Cell::new(0) };
    static RUNNING: Cell<Option<Id>> = const { Cell::new(None) };
}

/// The runtime that this thread is inside of.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) floor: Arc<Floor>,
    pub(crate) worker: Option<Rc<Worker>>,
}

/// Puts the previous runtime back when it is dropped.
#[derive(Debug)]
#[must_use = "the thread leaves the runtime when this is dropped"]
pub struct EnterGuard<'a> {
    _previous: Restored,
    _handle: PhantomData<(&'a (), *const ())>,
}

struct Restored(Option<Current>);

impl std::fmt::Debug for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Restored").field(&self.0.is_some()).finish()
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        let previous = self.0.take();
        // A thread whose locals are gone has no runtime to leave.
        let left = CURRENT.try_with(|current| current.replace(previous));
        // Possibly the last owner of that runtime: dropped when the cell is not borrowed.
        drop(left);
    }
}

/// Makes `floor` the runtime of this thread, as `worker` if that is given.
pub(crate) fn enter<'a>(floor: Arc<Floor>, worker: Option<Rc<Worker>>) -> EnterGuard<'a> {
    let worker = worker.or_else(|| {
        let current = current()?;
        current.worker.filter(|_| Arc::ptr_eq(&current.floor, &floor))
    });
    let mut next = Some(Current { floor, worker });
    // A thread whose locals are gone goes on without a context: a runtime may be dropped as one of them.
    let previous = CURRENT.try_with(|current| current.replace(next.take())).ok().flatten();
    EnterGuard { _previous: Restored(previous), _handle: PhantomData }
}

/// A copy of this thread's runtime.
pub(crate) fn current() -> Option<Current> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Whether the locals of this thread are there, as they are until it ends.
pub(crate) fn has_locals() -> bool {
    CURRENT.try_with(|_| ()).is_ok()
}

/// Calls `f` with the worker that this thread is, if it is one of `floor` and has a slot.
///
/// `f` runs no user code: the thread's context is borrowed meanwhile.
#[inline]
pub(crate) fn with_worker<R>(floor: &Floor, f: impl FnOnce(&Worker) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| {
            let current = current.borrow();
            let current =
                current.as_ref().filter(|current| std::ptr::eq(&raw const *current.floor, floor))?;
            current.worker.as_ref().filter(|worker| worker.slot().is_some()).map(|worker| f(worker))
        })
        .ok()
        .flatten()
}

/// Whether this thread is inside `floor`, so that its context keeps it alive.
#[inline]
pub(crate) fn is_inside(floor: &Floor) -> bool {
    CURRENT
        .try_with(|current| {
            current.borrow().as_ref().is_some_and(|current| std::ptr::eq(&raw const *current.floor, floor))
        })
        .unwrap_or(false)
}

/// The worker that this thread is, of whatever runtime, also while it has given its slot away.
pub(crate) fn worker() -> Option<Rc<Worker>> {
    CURRENT.try_with(|current| current.borrow().as_ref()?.worker.clone()).ok().flatten()
}

/// The wait word of the poll under way.
pub(crate) fn set_wait_word(word: u64) {
    // A thread whose locals are gone polls no task.
    let _: Result<(), _> = WAIT_WORD.try_with(|cell| cell.set(word));
}

pub(crate) fn take_wait_word() -> u64 {
    WAIT_WORD.try_with(|cell| cell.replace(0)).unwrap_or(0)
}

/// The task that this thread polls, cancels or runs as a blocking job.
pub(crate) fn running() -> Option<Id> {
    // A thread whose locals are gone runs no task.
    RUNNING.try_with(Cell::get).ok().flatten()
}

/// Runs `f`, which polls, cancels or runs the task `id`. Tasks nest: the one that was running before, which
/// drives another runtime, is put back.
#[inline]
pub(crate) fn while_running<R>(id: Id, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Id>);
    impl Drop for Restore {
        fn drop(&mut self) {
            // As in `running`.
            let _: Result<(), _> = RUNNING.try_with(|cell| cell.set(self.0));
        }
    }
    let _restore = Restore(RUNNING.try_with(|cell| cell.replace(Some(id))).ok().flatten());
    f()
}

/// Whether this thread runs futures, so that blocking it would silence them.
pub(crate) fn is_blocking_forbidden() -> bool {
    BLOCKING_FORBIDDEN.try_with(Cell::get).unwrap_or(false)
}

/// Runs `f` with blocking forbidden or allowed.
pub(crate) fn with_blocking<R>(forbidden: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            // A thread whose locals are gone forbids nothing.
            let _: Result<(), _> = BLOCKING_FORBIDDEN.try_with(|cell| cell.set(self.0));
        }
    }
    let previous = BLOCKING_FORBIDDEN.with(|cell| cell.replace(forbidden));
    let _restore = Restore(previous);
    f()
}
