//! What the current thread is to which runtime.
//!
//! A thread is inside a runtime while it runs a slot, waits in `block_on`, runs a blocking job, or holds an
//! [`EnterGuard`]. Only the first makes it a worker, and it stays one while it is inside another runtime by a guard.
//! Everybody who asks "am I a worker of this runtime" compares the runtime's address, so several runtimes live in one
//! process without meeting.

use crate::floor::Floor;
use crate::handle::Handle;
use crate::os::{thread, thread_local};
use crate::worker::Worker;
use shopfloor_task::Id;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
    /// What this thread runs, or ran until it gave its slot away.
    static WORKER: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
    /// Guards of this thread that have not been dropped.
    static ENTERED: Cell<usize> = const { Cell::new(0) };
    static BLOCKING_FORBIDDEN: Cell<bool> = const { Cell::new(false) };
    static UNDERWAY: Underway = const { Underway::new() };
}

/// The task that this thread polls, cancels or runs as a blocking job.
struct Underway {
    task: Cell<Option<Id>>,
    /// What it waits for, as its leaf futures say.
    wait_word: Cell<u64>,
    /// It asked to be put at the back of the queue.
    yielded: Cell<bool>,
}

impl Underway {
    const fn new() -> Self {
        Self { task: Cell::new(None), wait_word: Cell::new(0), yielded: Cell::new(false) }
    }

    /// Begins with a task, or goes back to one.
    fn replace(&self, task: Option<Id>, wait_word: u64, yielded: bool) -> (Option<Id>, u64, bool) {
        (self.task.replace(task), self.wait_word.replace(wait_word), self.yielded.replace(yielded))
    }
}

/// The runtime that this thread is inside of.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) floor: Arc<Floor>,
    /// What the thread is to this runtime.
    pub(crate) worker: Option<Rc<Worker>>,
}

/// Puts the previous runtime back when it is dropped.
///
/// # Panics
/// When it is dropped before a guard that was made on this thread after it: the runtime that it would put back is not the one
/// before that. The thread stays in the runtime that it is in then.
#[derive(Debug)]
#[must_use = "the thread leaves the runtime when this is dropped"]
pub struct EnterGuard<'a> {
    _leaving: Leaving,
    _handle: PhantomData<(&'a (), *const ())>,
}

/// What an [`EnterGuard`] does when it is dropped. Without its lifetime, so that the runtime may be shut down before.
struct Leaving {
    previous: Option<Current>,
    /// Which of the guards of this thread it is, from 1 on.
    depth: usize,
}

impl std::fmt::Debug for Leaving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaving").field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let entered = ENTERED.try_with(Cell::get).unwrap_or(self.depth);
        if entered != self.depth {
            assert!(thread::panicking(), "guards of `enter` are to be dropped in the reverse order");
            return;
        }
        // A thread whose locals are gone counts no more.
        let _: Result<(), _> = ENTERED.try_with(|entered| entered.set(self.depth - 1));
        let previous = self.previous.take();
        // Possibly the last owner of the runtime that is left: dropped when the cell is not borrowed.
        drop(replace_current(previous));
    }
}

/// Makes `floor` the runtime of this thread.
pub(crate) fn enter<'a>(floor: Arc<Floor>) -> EnterGuard<'a> {
    let previous = replace_current(Some(Current::of(floor)));
    let depth = ENTERED.try_with(|entered| entered.replace(entered.get() + 1)).unwrap_or(0) + 1;
    EnterGuard { _leaving: Leaving { previous, depth }, _handle: PhantomData }
}

/// The runtime's own stay of a thread inside it. Unlike an [`EnterGuard`] it puts back what was there whatever the code that ran
/// meanwhile did with guards of its own, so that a thread of the runtime comes to its end.
#[must_use = "the thread leaves the runtime when this is dropped"]
pub(crate) struct Stay {
    previous: Option<Current>,
    entered: usize,
    /// What the thread was before it became a worker, if it did.
    stood: Option<Option<Rc<Worker>>>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        // In all three, a thread whose locals are gone has nothing to put back; and what it was is dropped when no cell is borrowed.
        let _: Result<(), _> = ENTERED.try_with(|entered| entered.set(self.entered));
        drop(replace_current(self.previous.take()));
        if let Some(stood) = self.stood.take() {
            drop(replace_worker(stood));
        }
    }
}

/// Makes `floor` the runtime of this thread.
pub(crate) fn stay(floor: Arc<Floor>) -> Stay {
    stay_as(Current::of(floor), None)
}

/// Makes this thread the worker, whose runtime becomes that of the thread.
pub(crate) fn sit(worker: &Rc<Worker>) -> Stay {
    let stood = replace_worker(Some(Rc::clone(worker)));
    let current = Current { floor: Arc::clone(&worker.floor), worker: Some(Rc::clone(worker)) };
    stay_as(current, Some(stood))
}

fn stay_as(current: Current, stood: Option<Option<Rc<Worker>>>) -> Stay {
    let entered = ENTERED.try_with(Cell::get).unwrap_or(0);
    Stay { previous: replace_current(Some(current)), entered, stood }
}

/// A thread whose locals are gone goes on without a context: a runtime may be dropped as one of them.
fn replace_current(mut next: Option<Current>) -> Option<Current> {
    CURRENT.try_with(|current| current.replace(next.take())).ok().flatten()
}

fn replace_worker(mut next: Option<Rc<Worker>>) -> Option<Rc<Worker>> {
    WORKER.try_with(|worker| worker.replace(next.take())).ok().flatten()
}

impl Current {
    /// As whatever this thread is to it.
    fn of(floor: Arc<Floor>) -> Self {
        let worker = worker().filter(|worker| Arc::ptr_eq(&worker.floor, &floor));
        Self { floor, worker }
    }
}

/// A copy of this thread's runtime.
pub(crate) fn current() -> Option<Current> {
    with_current(Current::clone)
}

/// A handle to this thread's runtime; on a worker one whose count other threads rarely touch.
pub(crate) fn current_nearby() -> Option<Arc<Handle>> {
    let nearby = |current: &Current| match &current.worker {
        Some(worker) => Arc::clone(&worker.handle),
        None => Arc::new(Handle { floor: Arc::clone(&current.floor) }),
    };
    with_current(nearby)
}

/// Whether the locals of this thread are there, as they are until it ends.
pub(crate) fn has_locals() -> bool {
    CURRENT.try_with(|_| ()).is_ok()
}

/// Calls `f` with the runtime of this thread.
///
/// `f` runs no user code: the thread's context is borrowed meanwhile.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Current) -> R) -> Option<R> {
    CURRENT.try_with(|current| current.borrow().as_ref().map(f)).ok().flatten()
}

/// Calls `f` with the worker that this thread is, if it is one of `floor`; it may have given its slot away.
///
/// `f` runs no user code, as in [`with_current`].
#[inline]
pub(crate) fn with_worker<R>(floor: &Floor, f: impl FnOnce(&Worker) -> R) -> Option<R> {
    let run = |worker: &RefCell<Option<Rc<Worker>>>| {
        let worker = worker.borrow();
        let worker = worker.as_deref()?;
        std::ptr::eq(&raw const *worker.floor, floor).then(|| f(worker))
    };
    WORKER.try_with(run).ok().flatten()
}

/// Whether this thread is inside `floor`, so that its context keeps it alive.
#[inline]
pub(crate) fn is_inside(floor: &Floor) -> bool {
    with_current(|current| std::ptr::eq(&raw const *current.floor, floor)).unwrap_or(false)
}

/// The worker that this thread is, of whatever runtime, also while it has given its slot away.
pub(crate) fn worker() -> Option<Rc<Worker>> {
    WORKER.try_with(|worker| worker.borrow().clone()).ok().flatten()
}

/// Sets the wait word of the poll under way.
#[inline]
pub(crate) fn set_wait_word(word: u64) {
    // A thread whose locals are gone polls no task.
    let _: Result<(), _> = UNDERWAY.try_with(|underway| underway.wait_word.set(word));
}

/// The wait word of the poll under way, and whether its task yielded.
#[inline]
pub(crate) fn end_of_poll() -> (u64, bool) {
    UNDERWAY.try_with(|underway| (underway.wait_word.get(), underway.yielded.get())).unwrap_or((0, false))
}

/// The running task goes to the back of the queue when its poll returns Pending; false if it is not the one that
/// `waker` wakes.
#[inline]
pub(crate) fn yield_running(waker: &Waker) -> bool {
    let woken = waker.data().addr() as u64;
    UNDERWAY
        .try_with(|underway| {
            let is_running = underway.task.get().is_some_and(|task| task.as_u64() == woken);
            if is_running {
                underway.yielded.set(true);
            }
            is_running
        })
        .unwrap_or(false)
}

/// The task that this thread polls, cancels or runs as a blocking job.
pub(crate) fn running() -> Option<Id> {
    // A thread whose locals are gone runs no task.
    UNDERWAY.try_with(|underway| underway.task.get()).ok().flatten()
}

/// A worker begins to poll or cancel the task `id`. None was running here.
#[inline]
pub(crate) fn start_task(id: Id) {
    // As in `running`.
    let _: Result<_, _> = UNDERWAY.try_with(|underway| {
        underway.task.set(Some(id));
        underway.wait_word.set(0);
        underway.yielded.set(false);
    });
}

/// The worker has polled or cancelled it.
#[inline]
pub(crate) fn end_task() {
    // As in `running`.
    let _: Result<(), _> = UNDERWAY.try_with(|underway| underway.task.set(None));
}

/// Runs `f`, which runs the task `id`. Tasks nest: the one that was running before is put back.
pub(crate) fn while_running<R>(id: Id, f: impl FnOnce() -> R) -> R {
    while_underway(Some(id), f)
}

/// Runs `f`, which runs tasks of its own. If one was running before, it is put back.
pub(crate) fn outside_tasks<R>(f: impl FnOnce() -> R) -> R {
    while_underway(None, f)
}

fn while_underway<R>(task: Option<Id>, f: impl FnOnce() -> R) -> R {
    struct Restore((Option<Id>, u64, bool));
    impl Drop for Restore {
        fn drop(&mut self) {
            let (task, wait_word, yielded) = self.0;
            // As in `running`.
            let _: Result<_, _> = UNDERWAY.try_with(|underway| underway.replace(task, wait_word, yielded));
        }
    }
    let outer = UNDERWAY.try_with(|underway| underway.replace(task, 0, false));
    let _restore = Restore(outer.unwrap_or_default());
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
