//! Threads come in for workers whose polls do not end, and leave again.

mod support;

use shopfloor_protocol::sync::{Condvar, Mutex};
use shopfloor_scheduler::{Config, Driver, Flavor, JoinHandle, Scheduler, block_in_place, yield_now};
use std::future::pending;
use std::io;
use std::sync::{Arc, mpsc};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;
use support::{WIDTHS, runtime};

/// After so long a wait has failed.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A driver in which only sleep takes place, and which shows who sleeps.
#[derive(Default)]
struct ShowingDriver {
    state: Mutex<DriverState>,
    changed: Condvar,
}

#[derive(Default)]
struct DriverState {
    interrupted: bool,
    sleeper: Option<ThreadId>,
    /// How often somebody has gone to sleep.
    sleeps: u32,
}

impl ShowingDriver {
    /// Whether somebody sleeps here before the watchdog barks.
    fn somebody_comes(&self) -> bool {
        self.sleeps_after(0).is_some()
    }

    /// Waits until somebody sleeps here and has not slept since `sleeps` were counted, and counts again; `None` if the
    /// watchdog barks.
    fn sleeps_after(&self, sleeps: u32) -> Option<u32> {
        let mut state = self.state.lock();
        while state.sleeper.is_none() || state.sleeps <= sleeps {
            let (again, timed_out) = self.changed.wait_timeout(state, WATCHDOG);
            state = again;
            if timed_out {
                return None;
            }
        }
        Some(state.sleeps)
    }
}

impl Driver for ShowingDriver {
    fn turn(&self, timeout: Option<Duration>, _: &mut Vec<Waker>) -> io::Result<usize> {
        let mut state = self.state.lock();
        if timeout != Some(Duration::ZERO) {
            state.sleeper = Some(thread::current().id());
            state.sleeps += 1;
            self.changed.notify_all();
            while !state.interrupted {
                state = self.changed.wait(state);
            }
            state.sleeper = None;
        }
        state.interrupted = false;
        Ok(0)
    }

    fn interrupt(&self) {
        self.state.lock().interrupted = true;
        self.changed.notify_all();
    }

    fn shutdown(&self, _: &mut Vec<Waker>) {}
}

#[test]
fn a_worker_that_retires_leaves_somebody_in_the_driver() {
    let driver = Arc::new(ShowingDriver::default());
    let mut config = Config::new(Flavor::MultiThread, 1);
    let (stopped, one_stopped) = mpsc::channel();
    config.on_thread_stop = Some(Arc::new(move || {
        // The others stop when nobody listens any more.
        let _ = stopped.send(());
    }));
    let runtime = Scheduler::start(config, Arc::clone(&driver) as _).expect("threads start");
    let (let_go, wait) = mpsc::channel::<()>();
    let stuck = runtime.spawn(async move { wait.recv() });
    // The stand-in starts, and sleeps in the driver.
    while runtime.handle().metrics().stand_ins_started == 0 {
        thread::yield_now();
    }
    assert!(driver.somebody_comes());
    drop(let_go);
    runtime.block_on(stuck).expect("it is let go").expect_err("nothing is sent");
    // The worker sleeps beside the driver; the stand-in is woken until it finds that it is one too many.
    while one_stopped.try_recv().is_err() {
        driver.interrupt();
        thread::yield_now();
    }
    assert!(driver.somebody_comes(), "nobody is in the driver");
}

#[test]
fn a_thread_that_ends_the_last_task_without_a_slot_closes_the_runtime() {
    let driver = Arc::new(ShowingDriver::default());
    let config = Config::new(Flavor::MultiThread, 1);
    let runtime = Scheduler::start(config, Arc::clone(&driver) as _).expect("threads start");
    let (blocks, is_blocked) = mpsc::channel();
    let (let_go, wait) = mpsc::channel::<()>();
    let task = runtime.spawn(async move {
        block_in_place(|| {
            blocks.send(()).expect("the test waits for it");
            wait.recv().expect_err("nothing is sent");
        });
    });
    is_blocked.recv().expect("the task runs");
    // Whoever has taken the slot over sleeps, is woken by the shutdown, finds a task that is not done and sleeps again.
    let open = driver.sleeps_after(0).expect("somebody runs the slot");
    let shutdown = thread::spawn(move || runtime.shutdown_timeout(WATCHDOG));
    driver.sleeps_after(open).expect("it looks again");
    drop(let_go);
    let report = shutdown.join().expect("shutdown does not panic");
    assert_eq!(report.workers_detached, 0, "nobody closed the runtime");
    assert!(task.is_finished());
}

#[test]
fn a_poll_that_does_not_end_is_reported_on_every_kind_of_runtime() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let handle = runtime.handle().clone();
        let stuck = runtime.spawn(async move {
            while handle.metrics().stalls == 0 {
                thread::yield_now();
            }
        });
        runtime.block_on(stuck).expect("the foreman reports it");
    }
}

struct BlocksInDrop(mpsc::Receiver<()>);

impl Drop for BlocksInDrop {
    fn drop(&mut self) {
        // An error means that the test let go by dropping its end.
        let _ = self.0.recv();
    }
}

/// Of a task whose future blocks when it is dropped: the drop is reported, and the only worker is replaced.
fn drop_that_blocks_silences_nobody(abort: impl FnOnce(&Scheduler, BlocksInDrop) -> JoinHandle<()>) {
    let runtime = runtime(1);
    let (let_go, wait) = mpsc::channel();
    let task = abort(&runtime, BlocksInDrop(wait));
    while runtime.handle().metrics().stalls == 0 {
        thread::yield_now();
    }
    assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).expect("a stand-in runs it"), 7);
    drop(let_go);
    assert!(runtime.block_on(task).expect_err("it was aborted").is_cancelled());
}

#[test]
fn a_drop_of_an_aborted_future_that_blocks_is_reported_and_silences_nobody() {
    drop_that_blocks_silences_nobody(|runtime, blocks| {
        let task = runtime.spawn(async move {
            let _blocks = blocks;
            pending::<()>().await;
        });
        task.abort();
        task
    });
}

#[test]
fn a_drop_of_a_future_that_was_aborted_during_its_poll_is_reported_too() {
    drop_that_blocks_silences_nobody(|runtime, blocks| {
        let (polls, is_polled) = mpsc::channel();
        let (end_poll, wait) = mpsc::channel::<()>();
        let task = runtime.spawn(async move {
            let _blocks = blocks;
            polls.send(()).expect("the test waits for it");
            wait.recv().expect_err("nothing is sent");
            pending::<()>().await;
        });
        is_polled.recv().expect("the task runs");
        task.abort();
        drop(end_poll);
        task
    });
}

#[test]
fn a_current_thread_runtime_takes_no_stand_in() {
    let runtime = runtime(0);
    let handle = runtime.handle().clone();
    let stuck = runtime.spawn(async move {
        let thread = thread::current().id();
        while handle.metrics().stalls == 0 {
            thread::yield_now();
        }
        yield_now().await;
        (thread, thread::current().id(), handle.metrics().stand_ins_started)
    });
    let here = thread::current().id();
    assert_eq!(runtime.block_on(stuck).expect("it ends"), (here, here, 0));
}
