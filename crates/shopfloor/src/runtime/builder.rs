//! The settings of a runtime.

use super::{LocalRuntime, Runtime};
use crate::io_driver::{IoDriver, Relays};
use shopfloor_driver::Backend;
use shopfloor_scheduler::{Config, Driver, Flavor, LocalScheduler, Scheduler, driver_count};
use std::io;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

/// Through which system interface a runtime learns that I/O is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IoBackend {
    /// The best that the platform has.
    #[default]
    Best,
    /// The one that works everywhere, at the price of more system calls.
    Portable,
}

/// Workers and stand-ins of a runtime are counted by 16 bits.
const SLOTS_MAX: usize = 65_535;

/// Sets a runtime up. The names are tokio's.
#[derive(Clone, Debug)]
pub struct Builder {
    config: Config,
    /// `None`: one per core. Asking for the number of cores reads files, so it is not done in vain.
    workers: Option<usize>,
    backend: IoBackend,
    /// `None`: as [`driver_count`] says.
    drivers: Option<usize>,
    stand_ins: Option<usize>,
}

impl Builder {
    /// A runtime with worker threads of its own: one per core, unless told otherwise.
    pub fn new_multi_thread() -> Self {
        Self::new(Flavor::MultiThread)
    }

    /// A runtime that runs on the thread inside `block_on`.
    pub fn new_current_thread() -> Self {
        Self::new(Flavor::CurrentThread)
    }

    fn new(flavor: Flavor) -> Self {
        let config = Config::new(flavor, 1);
        Self { config, workers: None, backend: IoBackend::Best, drivers: None, stand_ins: None }
    }

    /// Worker threads of a multi-thread runtime. A current-thread runtime has none, whatever is said here.
    ///
    /// # Panics
    /// If `count` is 0, or more than 65,535.
    #[track_caller]
    pub fn worker_threads(&mut self, count: usize) -> &mut Self {
        assert!(count > 0, "a runtime needs at least one worker thread");
        assert!(count <= SLOTS_MAX, "a runtime has at most 65,535 worker threads");
        self.workers = Some(count);
        self
    }

    /// Threads that may come in for workers whose tasks do not return from their polls: as many as workers,
    /// unless told otherwise; 0 for none. If there are any, each group of workers (see [`io_drivers`](Self::io_drivers)) has
    /// one at least: nobody else attends to its driver when all its workers are stuck. With the workers they are at most 65,535:
    /// more are not started.
    pub fn stand_in_threads(&mut self, count: usize) -> &mut Self {
        self.stand_ins = Some(count);
        self
    }

    /// Threads of the blocking pool at most: 512, unless told otherwise.
    ///
    /// # Panics
    /// If `count` is 0.
    #[track_caller]
    pub fn max_blocking_threads(&mut self, count: usize) -> &mut Self {
        assert!(count > 0, "the blocking pool needs at least one thread");
        self.config.blocking_threads = count;
        self
    }

    /// Blocking jobs that may wait for a thread: 65,536, unless told otherwise. What comes beyond is cancelled.
    pub fn max_blocking_queue(&mut self, count: usize) -> &mut Self {
        self.config.blocking_queue = count;
        self
    }

    /// The name of every thread.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.thread_name_fn(move || name.clone())
    }

    /// Makes the name of each thread, on the thread that starts it: also one of the blocking pool, outside the runtime.
    pub fn thread_name_fn(&mut self, name: impl Fn() -> String + Send + Sync + 'static) -> &mut Self {
        self.config.thread_name = Arc::new(name);
        self
    }

    /// Bytes of stack for each thread; std's default, unless told otherwise.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.config.stack_size = Some(bytes);
        self
    }

    /// How long an idle thread of the blocking pool stays: 10 s, unless told otherwise.
    pub fn thread_keep_alive(&mut self, keep_alive: Duration) -> &mut Self {
        self.config.blocking_keep_alive = keep_alive;
        self
    }

    /// Runs first on each worker and blocking thread. A panic of a hook is reported and ends nothing. One that waits for a
    /// blocking job may wait for ever: its own thread counts as one that will run a job.
    pub fn on_thread_start(&mut self, hook: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.config.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Runs last on each worker and blocking thread.
    pub fn on_thread_stop(&mut self, hook: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.config.on_thread_stop = Some(Arc::new(hook));
        self
    }

    /// Runs before a worker parks.
    pub fn on_thread_park(&mut self, hook: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.config.on_thread_park = Some(Arc::new(hook));
        self
    }

    /// Runs after a worker has parked.
    pub fn on_thread_unpark(&mut self, hook: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.config.on_thread_unpark = Some(Arc::new(hook));
        self
    }

    /// Does nothing: I/O and time are always on. It is here so that a tokio program changes only the crate's
    /// name.
    pub fn enable_all(&mut self) -> &mut Self {
        self
    }

    /// As [`enable_all`](Self::enable_all).
    pub fn enable_io(&mut self) -> &mut Self {
        self
    }

    /// As [`enable_all`](Self::enable_all).
    pub fn enable_time(&mut self) -> &mut Self {
        self
    }

    /// Polls between two looks at the injector by a worker that has tasks of its own: 31, unless told
    /// otherwise.
    ///
    /// # Panics
    /// If `polls` is 0.
    #[track_caller]
    pub fn global_queue_interval(&mut self, polls: u32) -> &mut Self {
        assert!(polls > 0, "an interval is at least one poll");
        self.config.injector_interval = polls;
        self
    }

    /// Polls between two looks at the driver and the timers by a worker that has tasks, however long they take.
    ///
    /// Unless told otherwise it goes by time, too. It looks at the timers after as many polls as usually take 50 µs, 61 at most;
    /// and then at the driver, which costs a system call, if 400 µs have passed, or 61 polls and 20 µs.
    ///
    /// On a current-thread runtime the future of `block_on` has its turn after as many polls, if it was woken.
    ///
    /// # Panics
    /// If `polls` is 0.
    #[track_caller]
    pub fn event_interval(&mut self, polls: u32) -> &mut Self {
        assert!(polls > 0, "an interval is at least one poll");
        self.config.event_interval = polls;
        self.config.event_time = Duration::ZERO..=Duration::MAX;
        self.config.timer_time = Duration::MAX;
        self
    }

    /// How long a drop of the runtime waits for polls and blocking jobs under way: 10 s, unless told otherwise.
    pub fn shutdown_grace(&mut self, grace: Duration) -> &mut Self {
        self.config.shutdown_grace = grace;
        self
    }

    /// How long a worker that runs out of tasks looks for I/O without sleeping, before it sleeps, and a thread that runs
    /// out of blocking jobs for the next one: 50 µs, unless told otherwise; zero for not at all. They do so only while
    /// that has proved to save time, and not on [`IoBackend::Portable`]. An idle runtime sleeps.
    pub fn io_spin(&mut self, time: Duration) -> &mut Self {
        self.config.driver_spin = time;
        self
    }

    /// Into how many groups the workers of a multi-thread runtime are divided, each with an I/O driver of its own; never more
    /// than there are workers. One up to 16 workers and one for each 8 of more, unless told otherwise.
    ///
    /// A new socket goes to the drivers in turn, and its events wake its task in that group; tasks move between groups as they
    /// do between workers. One driver delivers some three million events a second at most. Each costs some
    /// descriptors, on Linux four, and a thread that sleeps in it while there is nothing to do.
    ///
    /// # Panics
    /// If `count` is 0.
    #[track_caller]
    pub fn io_drivers(&mut self, count: usize) -> &mut Self {
        assert!(count > 0, "a runtime needs at least one I/O driver");
        self.drivers = Some(count);
        self
    }

    /// Through which system interface the runtime learns that I/O is ready.
    pub fn io_backend(&mut self, backend: IoBackend) -> &mut Self {
        self.backend = backend;
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// If a driver cannot be made (no file descriptors left) or a thread cannot be started.
    pub fn build(&self) -> io::Result<Runtime> {
        let config = self.config();
        let count = self.drivers.unwrap_or_else(|| driver_count(config.workers)).min(config.workers);
        let drivers: io::Result<Vec<_>> = (0..count).map(|_| Ok(self.driver()? as Arc<dyn Driver>)).collect();
        Scheduler::start(config, drivers?).map(Runtime)
    }

    /// Starts a runtime that stays on this thread, on which tasks need not be `Send`.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// # Panics
    /// If this is not the builder of a current-thread runtime.
    #[track_caller]
    pub fn build_local(&self) -> io::Result<LocalRuntime> {
        LocalScheduler::start(self.config(), self.driver()?).map(LocalRuntime)
    }

    fn config(&self) -> Config {
        let mut config = self.config.clone();
        if config.flavor == Flavor::MultiThread {
            let cores = || available_parallelism().map_or(1, usize::from);
            config.workers = self.workers.unwrap_or_else(cores);
        }
        let stand_ins = self.stand_ins.unwrap_or(config.workers);
        if self.backend == IoBackend::Portable {
            config.driver_spin = Duration::ZERO;
        }
        let stand_ins = stand_ins.min(SLOTS_MAX.saturating_sub(config.workers));
        config.stand_ins = if config.flavor == Flavor::MultiThread { stand_ins } else { 0 };
        config
    }

    fn driver(&self) -> io::Result<Arc<IoDriver>> {
        let driver = match self.backend {
            IoBackend::Best => shopfloor_driver::Driver::new(),
            IoBackend::Portable => shopfloor_driver::Driver::with_backend(Backend::Portable),
        };
        Ok(Arc::new(IoDriver { driver: Arc::new(driver?), relays: Relays::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Builder, SLOTS_MAX};

    #[test]
    fn no_number_of_stand_ins_is_too_many() {
        let slots = |workers, stand_ins: Option<usize>| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers);
            if let Some(count) = stand_ins {
                builder.stand_in_threads(count);
            }
            let config = builder.config();
            config.workers + config.stand_ins
        };
        assert_eq!(slots(2, Some(usize::MAX)), SLOTS_MAX);
        assert_eq!(slots(40_000, None), SLOTS_MAX);
        assert_eq!(slots(2, None), 4);
    }

    #[test]
    #[should_panic(expected = "at most 65,535 worker threads")]
    fn more_workers_than_can_be_counted_are_refused() {
        Builder::new_multi_thread().worker_threads(65_536);
    }
}
