//! The pool on real threads. Nothing here waits by the clock: gates and channels order what must be ordered.

mod hooks;
mod shutdown;
mod stress;
mod threads;

use super::{BlockingConfig, BlockingPool, Job, Spawner};
use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// A job made of closures.
struct TestJob {
    work: Box<dyn FnOnce() + Send>,
    cancelled: Box<dyn FnOnce() + Send>,
}

impl Job for TestJob {
    fn run(self) {
        (self.work)();
    }

    fn cancel(self) {
        (self.cancelled)();
    }
}

/// A job that must run.
fn job(work: impl FnOnce() + Send + 'static) -> TestJob {
    TestJob { work: Box::new(work), cancelled: Box::new(|| panic!("the job was cancelled")) }
}

/// A job that must be cancelled.
fn doomed(cancelled: &Arc<Counter>) -> TestJob {
    let cancelled = Arc::clone(cancelled);
    TestJob { work: Box::new(|| panic!("the job was run")), cancelled: Box::new(move || cancelled.add(1)) }
}

/// A job that says when it has started and then waits for the gate.
fn gated(started: &Sender<()>, gate: &Arc<Gate>) -> TestJob {
    let (started, gate) = (started.clone(), Arc::clone(gate));
    job(move || {
        started.send(()).expect("the test waits for it");
        gate.pass();
    })
}

/// Closed until it is opened, then open for ever.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut open = self.open.lock();
        while !*open {
            open = self.opened.wait(open);
        }
    }
}

fn config(threads_max: usize, queue_max: usize) -> BlockingConfig {
    BlockingConfig { threads_max, queue_max, ..BlockingConfig::default() }
}

fn pool(threads_max: usize, queue_max: usize) -> BlockingPool<TestJob> {
    BlockingPool::new(config(threads_max, queue_max))
}

/// Fails the spawns whose number, counted from 1, is not in `allowed`.
fn scripted_spawner(allowed: &'static [u64]) -> Spawner {
    let spawns = Mutex::new(0);
    Arc::new(move |builder, main| {
        let number = {
            let mut spawns = spawns.lock();
            *spawns += 1;
            *spawns
        };
        if allowed.contains(&number) {
            builder.spawn(main).map(drop)
        } else {
            Err(std::io::ErrorKind::WouldBlock.into())
        }
    })
}

/// Waits for something that is certain to come and that nothing announces.
fn wait_until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        std::thread::yield_now();
    }
}

/// Waits until `threads` threads have nothing to do. A thread counts as idle until it has woken up, so the
/// queue has to be empty as well.
fn wait_until_idle(pool: &BlockingPool<TestJob>, threads: usize) {
    wait_until(|| {
        let counts = pool.counts();
        (counts.idle, counts.queued) == (threads, 0)
    });
}

fn shut_down(pool: &BlockingPool<TestJob>) {
    let report = pool.shutdown(Duration::MAX);
    assert_eq!((report.threads_detached, report.jobs_running), (0, 0));
    let counts = pool.counts();
    assert_eq!((counts.threads, counts.idle, counts.busy, counts.queued), (0, 0, 0, 0));
}
