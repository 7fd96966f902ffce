//! Blocking closures as tasks: they have a cell, a handle and states like any other, and run on the threads of
//! the blocking pool.

use crate::blocking::{BlockingConfig, Job, SubmitError};
use crate::config::Config;
use crate::contain::contain;
use crate::context;
use crate::floor::Floor;
use crate::os::thread_local;
use shopfloor_protocol::cells::Word;
use shopfloor_task::{Notified, Ran, Unlisted};
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

thread_local! {
    /// Where this thread, of the pool of a runtime, shows its job.
    static SHOWN: RefCell<Option<Arc<Word>>> = const { RefCell::new(None) };
}

/// A blocking task that is ready to run.
#[derive(Debug)]
pub(crate) struct BlockingJob {
    task: Notified,
}

impl Job for BlockingJob {
    fn run(self) {
        let id = self.task.id();
        let ran = context::while_running(id, || self.task.run(|| show(id.as_u64()), |_| false));
        show(0);
        settle(ran);
    }

    fn cancel(self) {
        settle(context::while_running(self.task.id(), || self.task.cancel()));
    }
}

/// Shows which job this thread runs, 0 for none.
fn show(job: u64) {
    // A thread whose locals are gone runs no job.
    let _: Result<_, _> = SHOWN.try_with(|shown| shown.borrow().as_ref().map(|shown| shown.set(job)));
}

/// A thread of the pool is inside the runtime, which sees what it runs.
struct Crewed {
    floor: Arc<Floor>,
    shown: Arc<Word>,
}

impl Crewed {
    fn new(floor: Arc<Floor>) -> Self {
        let shown = Arc::new(Word::new(0));
        floor.jobs.lock().push(Arc::clone(&shown));
        SHOWN.with(|cell| cell.replace(Some(Arc::clone(&shown))));
        Self { floor, shown }
    }
}

impl Drop for Crewed {
    fn drop(&mut self) {
        self.floor.jobs.lock().retain(|shown| !Arc::ptr_eq(shown, &self.shown));
    }
}

/// A blocking task completes in its first poll, so it never comes back.
fn settle(ran: Ran) {
    if let Ran::Done(Some(joiner)) = ran {
        contain("the waker of a joiner", || joiner.wake());
    }
}

/// A closure that runs in the first poll.
pub(crate) struct BlockingFuture<F>(Option<F>);

impl<F> BlockingFuture<F> {
    pub(crate) fn new(closure: F) -> Self {
        Self(Some(closure))
    }
}

// The closure is moved out and never pinned.
impl<F> Unpin for BlockingFuture<F> {}

impl<F: FnOnce() -> T, T> Future for BlockingFuture<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let closure = self.0.take().expect("a blocking task is polled once");
        Poll::Ready(closure())
    }
}

/// Lists a blocking task and hands it to the pool; if either is refused, it is cancelled.
pub(crate) fn spawn(floor: &Arc<Floor>, task: Unlisted<Floor>) {
    if let Ok(task) = task.list(floor, floor.outside_roster()) {
        submit(floor, task);
    }
}

/// Hands a blocking task to the pool. If the pool does not take it, it is cancelled and an event says why.
pub(crate) fn submit(floor: &Floor, task: Notified) {
    let refused = match floor.blocking.submit(BlockingJob { task }) {
        Ok(()) => return,
        Err(refused) => refused,
    };
    let job = match refused {
        SubmitError::ShutDown(job) => job,
        SubmitError::QueueFull(job) => {
            let waiting_max = floor.config.blocking_queue;
            contain("a tracing subscriber", || {
                tracing::error!(waiting_max, "the queue of the blocking pool is full: a job was cancelled");
            });
            job
        }
        SubmitError::ThreadSpawn(error, job) => {
            contain("a tracing subscriber", || {
                tracing::error!(%error, "no thread for a blocking job: it was cancelled");
            });
            job
        }
    };
    job.cancel();
}

/// The pool's settings. Its threads are inside the runtime, and may block.
pub(crate) fn pool_config(config: &Config, floor: &Weak<Floor>) -> BlockingConfig {
    let floor = Weak::clone(floor);
    BlockingConfig {
        threads_max: config.blocking_threads,
        queue_max: config.blocking_queue,
        keep_alive: config.blocking_keep_alive,
        spin: config.driver_spin,
        thread_name: Arc::clone(&config.thread_name),
        stack_size: config.stack_size,
        on_start: config.on_thread_start.clone(),
        on_stop: config.on_thread_stop.clone(),
        enter: Arc::new(move |life| match floor.upgrade() {
            Some(floor) => {
                let _crewed = Crewed::new(Arc::clone(&floor));
                let _inside = context::stay(floor);
                life();
            }
            None => life(),
        }),
    }
}
