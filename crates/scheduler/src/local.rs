//! A runtime whose tasks need not be `Send`, because it never leaves its thread.

use crate::config::{Config, Flavor};
use crate::context::{self, EnterGuard};
use crate::driver::Driver;
use crate::handle::Handle;
use crate::join_handle::JoinHandle;
use crate::scheduler::{Scheduler, ShutdownReport};
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A current-thread runtime that stays on the thread that started it, so that its tasks may hold what is not
/// `Send`. On a runtime that may move to another thread, such a task could be polled there.
///
/// ```compile_fail,E0277
/// fn moves<T: Send>() {}
/// moves::<shopfloor_scheduler::LocalScheduler>();
/// ```
#[derive(Debug)]
pub struct LocalScheduler {
    scheduler: Scheduler,
    _stays: PhantomData<*const ()>,
}

impl LocalScheduler {
    /// Starts it.
    ///
    /// # Errors
    /// As [`Scheduler::start`].
    ///
    /// # Panics
    /// If `config` is not one of a current-thread runtime.
    pub fn start(mut config: Config, driver: Arc<dyn Driver>) -> io::Result<Self> {
        assert!(config.flavor == Flavor::CurrentThread, "a local runtime is a current-thread runtime");
        config.is_local = true;
        Ok(Self { scheduler: Scheduler::start(config, vec![driver])?, _stays: PhantomData })
    }

    /// A reference to it; through it only `Send` futures are spawned.
    pub fn handle(&self) -> &Handle {
        self.scheduler.handle()
    }

    /// Spawns a task that stays on this thread.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: `self` is neither `Send` nor `Sync`, so it is driven, shut down and called on the thread
        // that it was started on; the handle is `Send` only if the output is.
        unsafe { self.handle().spawn_anywhere(future) }
    }

    /// As [`Scheduler::block_on`].
    ///
    /// # Panics
    /// On a thread that runs tasks.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.scheduler.block_on(future)
    }

    /// As [`Scheduler::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.scheduler.enter()
    }

    /// As [`Scheduler::shutdown_timeout`].
    pub fn shutdown_timeout(self, timeout: Duration) -> ShutdownReport {
        self.scheduler.shutdown_timeout(timeout)
    }

    /// As [`Scheduler::shutdown_background`].
    pub fn shutdown_background(self) {
        self.scheduler.shutdown_background();
    }
}

/// Spawns a task that stays on this thread, on the local runtime that this thread runs.
///
/// # Panics
/// Outside the `block_on` of a local runtime.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let worker = context::worker().filter(|worker| worker.floor.config.is_local);
    let worker =
        worker.expect("`spawn_local` needs a `LocalRuntime` that this thread runs; elsewhere use `spawn`");
    let handle = Handle { floor: Arc::clone(&worker.floor) };
    // SAFETY: this thread is the worker of a local runtime, which is driven by the thread that started it
    // only; the handle is `Send` only if the output is.
    unsafe { handle.spawn_anywhere(future) }
}
