//! A pin on a task: to look at it, suspend, resume or abort it.

use crate::header::{Header, Id, Kind};
use shopfloor_protocol::task_state::{Phase, Snapshot, WakeAction};
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;

/// The five states of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// In a queue or LIFO slot, waiting for a worker, or for a thread of the blocking pool.
    Ready,
    /// Being polled by a worker; a blocking job: called.
    Running,
    /// Waiting to be woken.
    Waiting,
    /// Stopped: wakes are kept until it is resumed.
    Suspended,
    /// Completed, cancelled or panicked.
    Done,
}

/// A reference that keeps a task's cell, but neither its future nor its output.
pub struct TaskRef {
    cell: NonNull<Header>,
}

// SAFETY: a pin gives access to the atomics of the header and to fields that are written before the cell is
// listed; the future and the output are out of its reach.
unsafe impl Send for TaskRef {}
// SAFETY: as above, all through `&self`.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// Pins a task, unless it is about to be freed.
    ///
    /// # Safety
    /// The cell is alive: the caller has a reference to it, or the lock of its list.
    pub(crate) unsafe fn pin(cell: NonNull<Header>) -> Option<Self> {
        // SAFETY: alive, by the contract.
        let header = unsafe { cell.as_ref() };
        header.state.pin().then(|| Self { cell })
    }

    /// Pins a task through another reference.
    ///
    /// # Safety
    /// The caller has a reference to the cell.
    pub(crate) unsafe fn pin_referenced(cell: NonNull<Header>) -> Self {
        // SAFETY: alive, by the contract.
        unsafe { Self::pin(cell) }.expect("a cell that is referred to is not dead")
    }

    fn header(&self) -> &Header {
        // SAFETY: the pin keeps the cell alive for as long as `self`.
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

    /// Its state a moment ago.
    pub fn state(&self) -> State {
        self.show(self.header().state.load())
    }

    /// Whether it is done.
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// The wait word that its leaf futures have left.
    pub fn wait_word(&self) -> u64 {
        self.header().wait.get()
    }

    /// Whether it is an orphan that has not been reported; from then on it has been.
    pub fn take_orphan(&self) -> bool {
        self.header().state.take_orphan()
    }

    /// Stops the task at its next await. Idempotent. Returns the state it found.
    pub fn suspend(&self) -> State {
        self.show(self.header().state.suspend())
    }

    /// Continues the task. Idempotent. Returns the state it found; whether it was ready or running is what the workers
    /// showed shortly before.
    pub fn resume(&self) -> State {
        // What the workers show is looked up first: once it is resumed, one may poll it.
        let before = self.state();
        let (found, action) = self.header().state.resume();
        let found = Self::named(found, || before == State::Running);
        self.discharge(action);
        found
    }

    /// Ends the task at its next await: a worker drops the future, the handle reports cancellation.
    pub fn abort(&self) {
        let action = self.header().state.abort();
        self.discharge(action);
    }

    /// What the word says; for a task that is ready or running, what the workers show.
    fn show(&self, word: Snapshot) -> State {
        // SAFETY: the pin is ours, and the task was not done, so it was not refused.
        Self::named(word, || unsafe { (self.header().vtable.is_polling)(self.cell) })
    }

    /// The state that is shown for the word of a task; `is_polling` is asked if that matters.
    fn named(word: Snapshot, is_polling: impl Fn() -> bool) -> State {
        match word.phase() {
            Phase::Done => State::Done,
            Phase::Waiting => State::Waiting,
            Phase::Suspended { at_rest: false } if is_polling() => State::Running,
            Phase::Suspended { .. } => State::Suspended,
            Phase::ReadyOrRunning if is_polling() => State::Running,
            Phase::ReadyOrRunning => State::Ready,
        }
    }

    fn discharge(&self, action: WakeAction) {
        if action == WakeAction::Schedule {
            // SAFETY: the action says that we got the obligation, and the pin is the reference we hold.
            unsafe { (self.header().vtable.schedule)(self.cell) };
        }
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        // SAFETY: `self` is a reference to the cell.
        unsafe { Self::pin_referenced(self.cell) }
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        // SAFETY: the pin is ours until `unpin`, and is used no more after.
        let header = unsafe { self.cell.as_ref() };
        let release = header.vtable.release;
        if header.state.unpin() {
            // SAFETY: `unpin` found the cell dead.
            unsafe { release(self.cell) };
        }
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRef").field("id", &self.id()).field("state", &self.state()).finish()
    }
}
