//! Threads for code that blocks.
//!
//! A job is taken by an idle thread; else a new thread is started while there are fewer than
//! [`threads_max`](BlockingConfig::threads_max); else it waits in a bounded queue. None is called or started while one is
//! on its way: each that takes a job sees to the next ones before it runs its own. A thread that stays idle for
//! [`keep_alive`](BlockingConfig::keep_alive) ends. Who runs what is decided by [`BlockingQueue`], whose head argues
//! why no job is stranded; this module has what that protocol leaves out: threads, clocks, hooks and panics.
//!
//! The threads are never joined: [`BlockingPool::shutdown`] waits until each has said that it is done with
//! the pool, and what then remains of it is the destructors of its thread-locals, for which nobody waits.

mod config;
#[cfg(test)]
mod tests;
mod thread;

use crate::contain::contain;
use shopfloor_protocol::blocking_queue::{BlockingQueue, Outside, Seat};
use shopfloor_protocol::cells::Counter;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use config::{BlockingConfig, EnterHook, NameHook, ThreadHook};
pub use shopfloor_protocol::blocking_queue::{BlockingCounts, SubmitError};
pub use thread::on_blocking_thread;

/// A piece of blocking work.
///
/// Exactly one of the two is called for each job that a pool accepted. Both are expected to deal with the
/// panics of the code they call; one that gets out is reported and ends nothing else.
pub trait Job: Send + 'static {
    /// Does the work, on a thread of the pool.
    fn run(self);
    /// The work will not be done: the pool was shut down, or no thread could be started. Called on the
    /// thread that found out.
    fn cancel(self);
}

/// What a shutdown found and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockingReport {
    /// Threads that ended during the call.
    pub threads_finished: usize,
    /// Threads that had not ended when it returned: they run on, detached, and hold what they use.
    pub threads_detached: usize,
    /// How many of these were still inside a job; the others were about to end.
    pub jobs_running: usize,
    /// Jobs that no thread had started: they were cancelled.
    pub jobs_cancelled: usize,
}

/// Starts a thread; an error means that `main` was dropped. Scripted by tests.
type Spawner = Arc<dyn Fn(crate::os::thread::Builder, ThreadMain) -> io::Result<()> + Send + Sync>;
type ThreadMain = Box<dyn FnOnce() + Send>;

/// Threads that run blocking jobs, started when they are needed and ended when they are not.
///
/// Dropping it shuts it down without waiting.
pub struct BlockingPool<J: Job> {
    core: PoolCore<J>,
}

/// What the pool and each of its threads have in common: any of them may start a thread.
struct PoolCore<J> {
    queue: Arc<BlockingQueue<J>>,
    config: Arc<BlockingConfig>,
    contained: Contained,
    spawner: Spawner,
}

impl<J: Job> BlockingPool<J> {
    /// A pool without threads; the first job starts the first.
    pub fn new(config: BlockingConfig) -> Self {
        Self::with_spawner(config, Arc::new(|builder, main| builder.spawn(main).map(drop)))
    }

    fn with_spawner(config: BlockingConfig, spawner: Spawner) -> Self {
        let core = PoolCore {
            queue: Arc::new(BlockingQueue::new(config.threads_max, config.queue_max)),
            config: Arc::new(config),
            contained: Contained { panics: Arc::new(Counter::new()) },
            spawner,
        };
        Self { core }
    }

    /// Lists `job`, and calls an idle thread or starts a new one unless one is on its way; that one does the same
    /// for the next job. Starting a thread costs the caller some 10 µs to 50 µs, waking one a few; else this
    /// takes one lock.
    ///
    /// A thread that cannot be started is no error while another one is there: the job waits for that.
    ///
    /// # Errors
    /// Each gives the job back: the pool was shut down; `threads_max + queue_max` jobs are unfinished;
    /// there is no thread and none could be started.
    pub fn submit(&self, job: J) -> Result<(), SubmitError<J>> {
        let PoolCore { queue, contained, .. } = &self.core;
        queue.submit(job, |seat| self.core.spawn(seat), contained)
    }

    /// Refuses further jobs, cancels those that no thread has started, and waits at most `timeout` for the
    /// threads to end: running jobs to finish and stop hooks to return. What is left then is detached.
    ///
    /// With a zero `timeout`, and on any thread of a blocking pool, it does not wait. `Duration::MAX` waits
    /// for as long as it takes. It may be called again, from several threads at once, and from a job.
    pub fn shutdown(&self, timeout: Duration) -> BlockingReport {
        let PoolCore { queue, contained, .. } = &self.core;
        let threads = queue.counts().threads;
        let jobs_cancelled = queue.close(contained);
        let patience = if on_blocking_thread() { Duration::ZERO } else { timeout };
        let left = queue.wait_until_gone(thread::countdown(patience));
        BlockingReport {
            // A spawn that was decided on before the close may have been counted in between.
            threads_finished: threads.saturating_sub(left.threads),
            threads_detached: left.threads,
            jobs_running: left.busy,
            jobs_cancelled,
        }
    }

    /// The counts of threads and jobs; out of date when they are returned.
    pub fn counts(&self) -> BlockingCounts {
        self.core.queue.counts()
    }

    /// Panics that got out of a job or a hook since the pool was made.
    pub fn panics_count(&self) -> u64 {
        self.core.contained.panics.get()
    }
}

impl<J: Job> PoolCore<J> {
    fn spawn(&self, seat: Seat) -> io::Result<()> {
        let core = self.clone();
        let main: ThreadMain = Box::new(move || thread::run(core, seat));
        let spawned =
            contain("starting a blocking thread", || (self.spawner)(self.config.thread_builder(), main));
        // std panics at a name with a zero byte in it.
        spawned.unwrap_or_else(|| Err(io::ErrorKind::InvalidInput.into()))
    }
}

impl<J> Clone for PoolCore<J> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            config: Arc::clone(&self.config),
            contained: self.contained.clone(),
            spawner: Arc::clone(&self.spawner),
        }
    }
}

impl<J: Job> Drop for BlockingPool<J> {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}

impl<J: Job> std::fmt::Debug for BlockingPool<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockingPool")
            .field("config", &self.core.config)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// What the queue asks for, with panics contained and counted.
#[derive(Clone)]
struct Contained {
    panics: Arc<Counter>,
}

impl Contained {
    fn call(&self, what: &'static str, code: impl FnOnce()) {
        if contain(what, code).is_none() {
            self.panics.add(1);
        }
    }
}

impl<J: Job> Outside<J> for Contained {
    fn run(&self, job: J) {
        self.call("a blocking job", || job.run());
    }

    fn cancel(&self, job: J) {
        self.call("cancelling a blocking job", || job.cancel());
    }
}
