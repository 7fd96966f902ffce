//! The runtime as a value: it owns the threads and ends them.

use crate::block_on;
use crate::blocking::{BlockingReport, on_blocking_thread};
use crate::config::{Config, Flavor};
use crate::context::{self, EnterGuard};
use crate::crew;
use crate::driver::Driver;
use crate::floor::Floor;
use crate::foreman;
use crate::handle::Handle;
use crate::join_handle::JoinHandle;
use crate::os::{Instant, thread};
use shopfloor_protocol::shutdown::RuntimePhase;
use shopfloor_task::{Kind, TaskRef};
use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A running runtime.
///
/// Dropping it shuts it down: every task is aborted, and the drop waits for polls and blocking jobs under way,
/// for [`Config::shutdown_grace`] at most. Inside async code, and on any thread of a runtime, it waits for
/// nothing; it never panics there.
#[derive(Debug)]
pub struct Scheduler {
    handle: Handle,
    foreman: Option<thread::JoinHandle<()>>,
}

/// What a shutdown has left.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that have not ended, by the place where they were spawned: their polls did not return in time.
    pub tasks_unfinished: Vec<&'static Location<'static>>,
    /// Threads of workers that have not ended; they run on, detached, and hold what they use.
    pub workers_detached: usize,
    /// What became of the blocking pool.
    pub blocking: BlockingReport,
}

impl ShutdownReport {
    /// Whether every task and every thread has ended.
    pub fn is_clean(&self) -> bool {
        self.tasks_unfinished.is_empty() && self.workers_detached == 0 && self.blocking.threads_detached == 0
    }
}

impl Scheduler {
    /// Starts a runtime. Its workers are in as many groups as there are drivers, each with one of them.
    ///
    /// # Errors
    /// If a thread cannot be started; those that were are ended first.
    ///
    /// # Panics
    /// If `config` asks for no worker, or, on a current-thread runtime, for more than one; if there is no driver, or more
    /// of them than workers.
    pub fn start(mut config: Config, drivers: Vec<Arc<dyn Driver>>) -> io::Result<Self> {
        assert!(config.workers > 0, "a runtime needs a worker");
        assert!(
            (1..=config.workers).contains(&drivers.len()),
            "each driver needs a worker, and each worker a driver"
        );
        let flavor = config.flavor;
        assert!(
            flavor == Flavor::MultiThread || config.workers == 1,
            "a current-thread runtime has one worker"
        );
        if config.stand_ins > 0 {
            config.stand_ins = config.stand_ins.max(drivers.len());
        }
        let floor = Floor::new(config, drivers);
        let mut runtime = Self { handle: Handle { floor }, foreman: None };
        runtime.start_threads()?;
        Ok(runtime)
    }

    fn start_threads(&mut self) -> io::Result<()> {
        let floor = &self.handle.floor;
        // On a current-thread runtime a caller of `block_on` runs the one slot.
        if floor.config.flavor == Flavor::MultiThread {
            for group in 0..floor.groups.len() {
                while crew::start_if_short(floor, group)? {}
            }
        }
        let watched = Arc::clone(floor);
        let foreman = thread::Builder::new().name("shopfloor-foreman".to_owned());
        // Code of the user's that it runs must not wait for what it watches, or for itself.
        let run = move || context::with_blocking(true, || foreman::run(&watched));
        self.foreman = Some(foreman.spawn(run)?);
        Ok(())
    }

    /// A reference to it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// As [`Handle::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// As [`Handle::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(closure)
    }

    /// Runs a future on this thread until it is ready; tasks it spawned go on. On a current-thread runtime this
    /// is what runs the tasks, timers and sockets; a second thread that calls it waits its turn for that, and
    /// polls its own future meanwhile.
    ///
    /// # Panics
    /// On a thread that runs tasks: use `block_in_place` around it. Panics of the future go on here.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.handle.runtime_flavor() {
            Flavor::MultiThread => block_on::without_driving(&self.handle.floor, future),
            Flavor::CurrentThread => block_on::driving(&self.handle.floor, future),
        }
    }

    /// Makes this the thread's runtime while the guard lives.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Shuts down and waits at most `timeout` for polls and blocking jobs under way.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> ShutdownReport {
        self.shut_down(timeout)
    }

    /// Shuts down without waiting.
    pub fn shutdown_background(mut self) {
        self.shut_down(Duration::ZERO);
    }

    fn shut_down(&mut self, patience: Duration) -> ShutdownReport {
        let floor = Arc::clone(&self.handle.floor);
        if !floor.lifecycle.start_closing() {
            return ShutdownReport::default();
        }
        // A worker inside `block_in_place` may block, but not wait for itself.
        let is_worker = context::worker().is_some();
        let may_wait = !context::is_blocking_forbidden() && !is_worker && !on_blocking_thread();
        let patience = if may_wait { patience } else { Duration::ZERO };
        // A patience beyond the clock's range is one without end.
        let deadline = Instant::now().checked_add(patience);
        let remaining = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));

        for roster in floor.rosters() {
            drop(roster.close());
        }
        abort_all(&floor);
        floor.try_close();
        let blocking_threads = floor.blocking.counts().threads;
        let mut blocking = {
            // Jobs that are cancelled are dropped here.
            let _inside = context::stay(Arc::clone(&floor));
            floor.blocking.shutdown(Duration::ZERO)
        };
        match floor.config.flavor {
            Flavor::MultiThread => {
                floor.end_all_sleeps();
                floor.foreman.wake();
                floor.lifecycle.wait(|| floor.threads.get() == 0, remaining);
            }
            Flavor::CurrentThread => {
                block_on::drain(&floor);
                floor.finish();
            }
        }
        let cancelled = blocking.jobs_cancelled;
        blocking = floor.blocking.shutdown(remaining().unwrap_or(Duration::MAX));
        blocking.jobs_cancelled += cancelled;
        blocking.threads_finished = blocking_threads.saturating_sub(blocking.threads_detached);
        if let Some(foreman) = self.foreman.take().filter(|_| may_wait && floor.threads.get() == 0) {
            floor.foreman.wake();
            // It may be inside a subscriber of the user's, which may wait for this thread.
            if floor.lifecycle.wait(|| floor.foreman.has_ended(), remaining) {
                // It contains the panics of others and has none of its own to pass on.
                let ended = foreman.join();
                debug_assert!(ended.is_ok(), "the foreman panicked");
                // A thread that it had just started finds nothing to do.
                floor.lifecycle.wait(|| floor.threads.get() == 0, remaining);
            }
        }
        let workers_detached = floor.threads.get();
        ShutdownReport { tasks_unfinished: unfinished(&floor), workers_detached, blocking }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let grace = self.handle.floor.config.shutdown_grace;
        if self.handle.floor.lifecycle.phase() == RuntimePhase::Open {
            self.shut_down(grace);
        }
    }
}

fn abort_all(floor: &Floor) {
    for roster in floor.rosters() {
        let tasks = roster.lock().list.pin_all();
        tasks.iter().for_each(TaskRef::abort);
    }
}

fn unfinished(floor: &Floor) -> Vec<&'static Location<'static>> {
    let tasks = floor.rosters().flat_map(|roster| roster.lock().list.pin_all());
    tasks
        .filter(|task| task.kind() == Kind::Async && !task.is_finished())
        .map(|task| task.location())
        .collect()
}
