//! What a runtime can be told, and the constants that it cannot.

use crate::blocking::{NameHook, ThreadHook};
use crate::spin_policy::SPIN;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Polls between two looks at the driver and the timers by a worker that has work.
pub const EVENT_INTERVAL: u32 = 61;
/// The time between two looks at the driver. A look is a system call, which is dear beside the shortest polls; and with
/// looks more often than at the longest, the queue would never run empty, so that a second worker would be woken for work
/// that one does. See docs/DECISIONS.md.
pub const EVENT_TIME: RangeInclusive<Duration> = Duration::from_micros(20)..=Duration::from_micros(400);
/// A turn of the driver brings so many events for each worker of its group, less what waits in the worker's queue. The others wait in the
/// kernel, in the order in which they came. See docs/DECISIONS.md.
pub const EVENTS_PER_WORKER: usize = 128;
/// However many tasks wait, a turn brings an event for each so many polls since the last one, or tasks that are always ready would keep
/// events out.
pub const POLLS_PER_EVENT: usize = 2;
/// The time between two looks at the timers, at most.
pub const TIMER_TIME: Duration = Duration::from_micros(50);
/// Polls between two looks at the injector by a worker that has work.
pub const INJECTOR_INTERVAL: u32 = 31;
/// Tasks run from the LIFO slot in a row while others wait in the queue.
pub const LIFO_STREAK_MAX: u32 = 3;
/// Tasks moved from the injector to a local queue at once.
pub const INJECTOR_BATCH: usize = 64;

/// Workers up to which one driver is enough, and workers of a group beyond that. See docs/SIMULATION.md.
const SINGLE_GROUP_MAX: usize = 16;
const GROUP_WORKERS: usize = 8;

/// Drivers that so many workers need.
pub const fn driver_count(workers: usize) -> usize {
    if workers <= SINGLE_GROUP_MAX { 1 } else { workers.div_ceil(GROUP_WORKERS) }
}

/// Rounds of a busy loop for which a worker that has drained the injector waits for more before it searches: less than a
/// microsecond.
pub const INJECTOR_PAUSES: u32 = 64;

/// Who runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// Worker threads of the runtime's own.
    MultiThread,
    /// The thread inside `block_on`.
    CurrentThread,
}

/// The settings of one runtime.
#[derive(Clone)]
pub struct Config {
    /// Who runs the tasks.
    pub flavor: Flavor,
    /// Worker threads, at least one; 1 for [`Flavor::CurrentThread`].
    pub workers: usize,
    /// Slots for stand-in workers, beyond `workers`; 0 turns them off. They are dealt to the groups of workers in turn, at least
    /// one to each if there are any.
    pub stand_ins: usize,
    /// Names each worker thread.
    pub thread_name: NameHook,
    /// Bytes of stack for each thread; `None` is std's default.
    pub stack_size: Option<usize>,
    /// Polls between two looks at the driver and the timers by a worker that has work.
    pub event_interval: u32,
    /// The time between two looks at the driver: it is not looked at after that many polls if they have taken less than
    /// the start, and earlier if they take more than the end.
    pub event_time: RangeInclusive<Duration>,
    /// The timers are looked at earlier if that many polls take longer than this by the length of the last ones, after each
    /// poll at most.
    pub timer_time: Duration,
    /// Polls between two looks at the injector by a worker that has work.
    pub injector_interval: u32,
    /// How long a worker looks at the driver before it sleeps in it, when that has proved worth it; zero: not
    /// at all.
    pub driver_spin: Duration,
    /// Threads of the blocking pool at most.
    pub blocking_threads: usize,
    /// Blocking jobs that may wait for a thread.
    pub blocking_queue: usize,
    /// How long an idle blocking thread stays.
    pub blocking_keep_alive: Duration,
    /// How long a drop of the runtime waits for polls and blocking jobs under way.
    pub shutdown_grace: Duration,
    /// Runs first on each thread.
    pub on_thread_start: Option<ThreadHook>,
    /// Runs last on each thread.
    pub on_thread_stop: Option<ThreadHook>,
    /// Runs before a worker parks.
    pub on_thread_park: Option<ThreadHook>,
    /// Runs after a worker has parked.
    pub on_thread_unpark: Option<ThreadHook>,
    /// The runtime never leaves its thread: set by the type that guarantees it.
    pub(crate) is_local: bool,
}

impl Config {
    /// The defaults for `workers` worker threads.
    pub fn new(flavor: Flavor, workers: usize) -> Self {
        let blocking = crate::blocking::BlockingConfig::default();
        Self {
            flavor,
            workers,
            stand_ins: if flavor == Flavor::MultiThread { workers } else { 0 },
            thread_name: Arc::new(|| "shopfloor-worker".to_owned()),
            stack_size: None,
            event_interval: EVENT_INTERVAL,
            event_time: EVENT_TIME,
            timer_time: TIMER_TIME,
            injector_interval: INJECTOR_INTERVAL,
            driver_spin: SPIN,
            blocking_threads: blocking.threads_max,
            blocking_queue: blocking.queue_max,
            blocking_keep_alive: blocking.keep_alive,
            shutdown_grace: Duration::from_secs(10),
            on_thread_start: None,
            on_thread_stop: None,
            on_thread_park: None,
            on_thread_unpark: None,
            is_local: false,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("flavor", &self.flavor)
            .field("workers", &self.workers)
            .field("stand_ins", &self.stand_ins)
            .field("event_interval", &self.event_interval)
            .field("event_time", &self.event_time)
            .field("timer_time", &self.timer_time)
            .field("injector_interval", &self.injector_interval)
            .finish_non_exhaustive()
    }
}
