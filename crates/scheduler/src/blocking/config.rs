//! What can be chosen about a blocking pool.

use crate::contain::contain;
use crate::os::thread;
use crate::spin_policy::SPIN;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Makes the name of a new thread; it runs on the thread that starts it: one that submits a job, or one of the
/// pool. If it panics, or makes a name with a zero byte in it, the thread has the default name or is not started.
pub type NameHook = Arc<dyn Fn() -> String + Send + Sync>;
/// Runs at the start or the end of a thread.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;
/// Calls its argument once, inside whatever the runtime sets up for a thread of its own.
pub type EnterHook = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Threads that run blocking jobs at once. The same number as tokio's, on which programs are tuned.
const THREADS_MAX: usize = 512;
/// Jobs that wait for a thread. At some 100 bytes each: a few MB, then callers are told.
const QUEUE_MAX: usize = 65_536;
/// How long a thread waits for the next job: longer than the gaps of a server that is in use at all.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The name of each thread, unless chosen.
const THREAD_NAME: &str = "shopfloor-block";

/// What can be chosen about a blocking pool.
#[derive(Clone)]
pub struct BlockingConfig {
    /// Threads that run jobs at once; 0 counts as 1. A thread that has taken its last job and is still in
    /// its stop hook is not counted.
    pub threads_max: usize,
    /// Jobs that may wait beyond those for which there could be a thread.
    pub queue_max: usize,
    /// How long an idle thread waits for the next job before it ends.
    pub keep_alive: Duration,
    /// How long a thread that finds no other one idle looks out for the next job before it sleeps, when that has
    /// proved worth it; zero: not at all.
    pub spin: Duration,
    /// Names the threads.
    pub thread_name: NameHook,
    /// Bytes of stack for each thread; `None` is std's default.
    pub stack_size: Option<usize>,
    /// Runs first on each thread.
    pub on_start: Option<ThreadHook>,
    /// Runs last on each thread, also if `on_start` panicked.
    pub on_stop: Option<ThreadHook>,
    /// The runtime's context around the life of a thread, hooks included.
    pub enter: EnterHook,
}

impl Default for BlockingConfig {
    fn default() -> Self {
        Self {
            threads_max: THREADS_MAX,
            queue_max: QUEUE_MAX,
            keep_alive: KEEP_ALIVE,
            spin: SPIN,
            thread_name: Arc::new(|| THREAD_NAME.to_owned()),
            stack_size: None,
            on_start: None,
            on_stop: None,
            enter: Arc::new(|life| life()),
        }
    }
}

impl BlockingConfig {
    pub(super) fn thread_builder(&self) -> thread::Builder {
        let name = contain("the hook that names blocking threads", || (self.thread_name)());
        let builder = thread::Builder::new().name(name.unwrap_or_else(|| THREAD_NAME.to_owned()));
        match self.stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
    }
}

impl fmt::Debug for BlockingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingConfig")
            .field("threads_max", &self.threads_max)
            .field("queue_max", &self.queue_max)
            .field("keep_alive", &self.keep_alive)
            .field("spin", &self.spin)
            .field("stack_size", &self.stack_size)
            .field("on_start", &self.on_start.is_some())
            .field("on_stop", &self.on_stop.is_some())
            .finish_non_exhaustive()
    }
}
