//! Threads come in for workers whose polls do not end, and leave again.

mod support;

use shopfloor_scheduler::{Config, Driver, Flavor, JoinHandle, Scheduler, block_in_place, yield_now};
use std::future::pending;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use support::driver::TestDriver;
use support::{WIDTHS, runtime};

/// After so long a wait has failed.
const WATCHDOG: Duration = Duration::from_secs(60);

#[test]
fn a_worker_that_retires_leaves_somebody_in_the_driver() {
    let driver = Arc::new(TestDriver::default());
    let mut config = Config::new(Flavor::MultiThread, 1);
    let (stopped, one_stopped) = mpsc::channel();
    config.on_thread_stop = Some(Arc::new(move || {
        // The others stop when nobody listens any more.
        let _ = stopped.send(());
    }));
    let runtime = Scheduler::start(config, vec![Arc::clone(&driver) as _]).expect("threads start");
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
    let driver = Arc::new(TestDriver::default());
    let config = Config::new(Flavor::MultiThread, 1);
    let runtime = Scheduler::start(config, vec![Arc::clone(&driver) as _]).expect("threads start");
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
