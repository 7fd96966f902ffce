//! The runtime as a value.

use super::Builder;
use shopfloor_scheduler::{EnterGuard, Handle, JoinHandle, MetricsSnapshot, Scheduler, ShutdownReport};
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

/// Threads that run tasks, a driver for their I/O, timers, and a pool for blocking code.
///
/// Dropping it shuts it down: every task is aborted, and the drop waits for polls and blocking jobs under way,
/// at most for [`Builder::shutdown_grace`]. In async code, and on any thread of a runtime, it waits for
/// nothing, and it never panics there.
#[derive(Debug)]
pub struct Runtime(pub(super) Scheduler);

impl Runtime {
    /// A multi-thread runtime with one worker per core.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().build()
    }

    /// A reference through which anything may be spawned on it.
    pub fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// Spawns a task. It runs whether or not the handle is awaited; dropping the handle detaches it. On a
    /// current-thread runtime it runs while some thread is in [`block_on`](Self::block_on).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    /// Runs a closure that may block on a thread of the blocking pool.
    ///
    /// If the pool's queue is full, or there is no thread and none can be started, the handle reports
    /// cancellation and a `tracing` event says why.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.0.spawn_blocking(closure)
    }

    /// Runs a future on this thread until it is ready. Tasks that it spawned go on after that on a multi-thread
    /// runtime, and stand still on a current-thread one until the next `block_on`.
    ///
    /// # Panics
    /// On a thread that runs tasks: use [`block_in_place`](crate::task::block_in_place) around it. A panic
    /// of the future goes on here.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    /// Makes this the thread's runtime while the guard lives, so that `spawn`, timers and sockets work.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.0.enter()
    }

    /// What the runtime has counted up to now. A snapshot: ask again for later numbers.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.handle().metrics()
    }

    /// Shuts down, waits at most `timeout` for polls and blocking jobs under way, and says what is left.
    pub fn shutdown_timeout(self, timeout: Duration) -> ShutdownReport {
        self.0.shutdown_timeout(timeout)
    }

    /// Shuts down and waits for nothing.
    pub fn shutdown_background(self) {
        self.0.shutdown_background();
    }
}

// As with [`Handle`].
impl UnwindSafe for Runtime {}
impl RefUnwindSafe for Runtime {}
