//! What a spawn gives back.

use crate::coop;
use crate::wait::{self, WaitReason};
use shopfloor_task::{Id, Join, JoinError, Kind, State, TaskRef};
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The right to the output of a task, and the means to control it.
///
/// Dropped, it detaches the task, which goes on without it.
///
/// # Cancel safety
/// Awaiting `&mut handle` may be given up and taken up again: the output stays with the task until a poll has
/// returned it.
pub struct JoinHandle<T> {
    join: Join<T>,
}

/// Controls a task without a right to its output.
#[derive(Clone)]
pub struct AbortHandle {
    task: TaskRef,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(join: Join<T>) -> Self {
        Self { join }
    }

    /// The task's name among all that are alive.
    pub fn id(&self) -> Id {
        self.join.id()
    }

    /// Whether the task is done. It may be false for a moment after [`abort`](Self::abort): a worker drops the
    /// future first.
    pub fn is_finished(&self) -> bool {
        self.join.is_finished()
    }

    /// Ends the task at its next await: a worker drops the future, and the handle gives a
    /// [`JoinError`] that [is cancelled](JoinError::is_cancelled). A task that is done stays so; a blocking
    /// job that has begun runs to its end.
    pub fn abort(&self) {
        self.join.task().abort();
    }

    /// A handle to abort, suspend and resume the task from elsewhere.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { task: self.join.task() }
    }

    /// Stops the task: from its next await on it is not polled. What wakes it meanwhile is remembered.
    /// Idempotent. Returns the state it was in.
    pub fn suspend(&self) -> State {
        self.join.task().suspend()
    }

    /// Continues a suspended task: it becomes ready if it was when it was stopped, or was woken since; else it
    /// waits on. Idempotent. Returns the state it was in.
    pub fn resume(&self) -> State {
        self.join.task().resume()
    }

    /// The state of the task a moment ago.
    pub fn state(&self) -> State {
        self.join.task().state()
    }

    /// What the task waited for when it was last polled.
    pub fn wait_reason(&self) -> WaitReason {
        WaitReason::unpack(self.join.task().wait_word())
    }

    /// Where the task was spawned.
    pub fn spawn_location(&self) -> &'static Location<'static> {
        self.join.task().location()
    }
}

impl AbortHandle {
    /// As [`JoinHandle::abort`].
    pub fn abort(&self) {
        self.task.abort();
    }

    /// As [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// As [`JoinHandle::id`].
    pub fn id(&self) -> Id {
        self.task.id()
    }

    /// As [`JoinHandle::suspend`].
    pub fn suspend(&self) -> State {
        self.task.suspend()
    }

    /// As [`JoinHandle::resume`].
    pub fn resume(&self) -> State {
        self.task.resume()
    }

    /// As [`JoinHandle::state`].
    pub fn state(&self) -> State {
        self.task.state()
    }

    /// As [`JoinHandle::wait_reason`].
    pub fn wait_reason(&self) -> WaitReason {
        WaitReason::unpack(self.task.wait_word())
    }

    /// As [`JoinHandle::spawn_location`].
    pub fn spawn_location(&self) -> &'static Location<'static> {
        self.task.location()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// If it is polled after it gave the output.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        let polled = Pin::new(&mut self.join).poll(cx);
        if polled.is_ready() {
            unit.made_progress();
        } else {
            wait::note(match self.join.kind() {
                Kind::Async => WaitReason::Join,
                Kind::Blocking => WaitReason::Blocking,
            });
        }
        polled
    }
}

// A panic of the user's code ends in its task and leaves no task half changed; the output is moved out whole.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}
impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).field("state", &self.state()).finish()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").field("id", &self.id()).field("state", &self.state()).finish()
    }
}
