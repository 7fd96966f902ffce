//! The runtime for tasks that are not `Send`.

use super::Builder;
use shopfloor_scheduler::{EnterGuard, Handle, JoinHandle, LocalScheduler, MetricsSnapshot, ShutdownReport};
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

/// A current-thread runtime that stays on its thread, so that its tasks may hold what is not `Send`. Made by
/// [`Builder::build_local`](super::Builder::build_local).
///
/// Dropping it shuts it down as a [`Runtime`](super::Runtime) is shut down.
///
/// ```
/// use std::rc::Rc;
///
/// let runtime = shopfloor::runtime::LocalRuntime::new()?;
/// let here = Rc::new(6);
/// let task = runtime.spawn_local(async move { *here * 7 });
/// assert_eq!(runtime.block_on(task)?, 42);
/// let job = runtime.spawn_blocking(|| 7);
/// assert_eq!(runtime.block_on(job)?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LocalRuntime(pub(super) LocalScheduler);

impl LocalRuntime {
    /// A runtime with the settings of [`Builder::new_current_thread`].
    ///
    /// # Errors
    /// As [`Builder::build_local`].
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread().build_local()
    }

    /// A reference through which `Send` futures may be spawned on it from any thread.
    pub fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// Spawns a task that stays on this thread.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.0.spawn_local(future)
    }

    /// As [`Runtime::spawn_blocking`](super::Runtime::spawn_blocking). The closure runs on another thread.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle().spawn_blocking(closure)
    }

    /// As [`Runtime::block_on`](super::Runtime::block_on).
    ///
    /// # Panics
    /// On a thread that runs tasks.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    /// As [`Runtime::enter`](super::Runtime::enter).
    pub fn enter(&self) -> EnterGuard<'_> {
        self.0.enter()
    }

    /// What the runtime has counted up to now. A snapshot: ask again for later numbers.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.handle().metrics()
    }

    /// As [`Runtime::shutdown_timeout`](super::Runtime::shutdown_timeout).
    pub fn shutdown_timeout(self, timeout: Duration) -> ShutdownReport {
        self.0.shutdown_timeout(timeout)
    }

    /// As [`Runtime::shutdown_background`](super::Runtime::shutdown_background).
    pub fn shutdown_background(self) {
        self.0.shutdown_background();
    }
}

// As with [`Handle`].
impl UnwindSafe for LocalRuntime {}
impl RefUnwindSafe for LocalRuntime {}
