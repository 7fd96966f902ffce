//! When the system has no more threads: the start of a runtime fails cleanly, and a running one goes on with those
//! that it has. Each test that lowers a limit runs in a process of its own.
#![cfg(target_os = "linux")]

#[path = "net/child.rs"]
mod child;

use child::in_a_child;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shopfloor::runtime::{Builder, Handle, Runtime};
use shopfloor::task::{JoinHandle, block_in_place};
use shopfloor::time::{Duration, Instant, sleep};
use std::fs;
use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;

/// Address space for the stack of each thread of the runtime; only what is touched becomes memory.
const STACK: usize = 1 << 30;
/// Far beyond what any test needs on a busy machine.
const HANG: Duration = Duration::from_secs(60);
/// More than the foreman makes before it may sleep: whoever sees so many knows that it has not given up.
const MANY_TICKS: u64 = 40;

/// From now on there is address space for `count` more stacks, and half a stack for everything else.
fn allow_threads(count: u64) {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages: u64 =
        pages.split(' ').next().and_then(|size| size.parse().ok()).expect("the size comes first");
    let in_use = pages * rustix::param::page_size() as u64;
    let current = Some(in_use + count * STACK as u64 + STACK as u64 / 2);
    setrlimit(Resource::As, Rlimit { current, ..getrlimit(Resource::As) })
        .expect("up to the maximum is allowed");
}

/// Runs `test` on a thread of its own in a child process; a hang there is a panic here.
fn alone(name: &str, test: fn()) {
    in_a_child(name, || {
        let (done, finished) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let _done = done;
            test();
        });
        let hangs = finished.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout);
        assert!(!hangs, "something was stranded");
        thread.join().expect("no panic");
    });
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let hang = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < hang, "it never comes");
        thread::yield_now();
    }
}

fn multi_thread(workers: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).thread_stack_size(STACK);
    builder
}

fn threads_called(name: &str) -> usize {
    let threads = fs::read_dir("/proc/self/task").expect("Linux says");
    // A thread that has ended meanwhile has no name any more.
    let names = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

/// Timers and tasks are served.
fn is_alive(runtime: &Runtime) {
    runtime
        .block_on(runtime.spawn(async { sleep(Duration::from_millis(1)).await }))
        .expect("the workers go on");
}

#[test]
fn a_runtime_that_gets_too_few_threads_ends_those_that_it_got() {
    alone("a_runtime_that_gets_too_few_threads_ends_those_that_it_got", || {
        const NAME: &str = "too-few";
        let (started, starts) = mpsc::channel();
        let mut builder = multi_thread(8);
        builder.thread_name(NAME).on_thread_start(move || started.send(()).expect("the test counts"));
        for _ in 0..2 {
            allow_threads(2);
            let error = builder.build().expect_err("there is no room for eight");
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            // The system may keep the stacks of ended threads until it needs their room.
            let started = starts.try_iter().count();
            assert!((2..8).contains(&started), "{started} were started");
            wait_until(|| threads_called(NAME) == 0);
        }
        allow_threads(8);
        let runtime = builder.build().expect("there is room again");
        is_alive(&runtime);
        // A thread takes its name when it first runs.
        wait_until(|| threads_called(NAME) == 8);
    });
}

#[test]
fn a_blocking_job_without_a_thread_is_cancelled_and_one_behind_another_runs_later() {
    alone("a_blocking_job_without_a_thread_is_cancelled_and_one_behind_another_runs_later", || {
        let runtime =
            Builder::new_current_thread().thread_stack_size(STACK).build().expect("it starts no worker");
        allow_threads(0);
        let refused = runtime.block_on(runtime.spawn_blocking(|| 7));
        assert!(refused.expect_err("nobody can run it").is_cancelled());
        allow_threads(1);
        let (let_go, wait) = mpsc::channel::<()>();
        let (begin, has_begun) = mpsc::channel();
        let first = runtime.spawn_blocking(move || {
            begin.send(()).expect("the test waits");
            wait.recv().is_err()
        });
        has_begun.recv().expect("there is a thread for it");
        allow_threads(0);
        let behind: Vec<_> = (0..10).map(|n| runtime.spawn_blocking(move || n)).collect();
        assert!(behind.iter().all(|job| !job.is_finished()));
        drop(let_go);
        assert!(runtime.block_on(first).expect("runs to its end"));
        for (n, job) in behind.into_iter().enumerate() {
            assert_eq!(runtime.block_on(job).expect("runs on the one thread"), n);
        }
    });
}

/// Spawns a task that blocks in its poll until the sender is dropped, and waits for it to get there.
fn blocked(runtime: &Runtime) -> (mpsc::Sender<()>, JoinHandle<bool>) {
    let (started, has_started) = mpsc::channel();
    let (let_go, wait) = mpsc::channel::<()>();
    let task = runtime.spawn(async move {
        started.send(()).expect("the test waits");
        wait.recv().is_err()
    });
    has_started.recv().expect("there is a worker for it");
    (let_go, task)
}

/// The system reuses the stacks of threads that have ended, so each number of workers has a process of its own.
fn goes_on_without_a_stand_in(workers: usize) {
    let runtime = multi_thread(workers).build().expect("threads start");
    let metrics = || runtime.handle().metrics();
    allow_threads(0);
    let polls: Vec<_> = (0..workers).map(|_| blocked(&runtime)).collect();
    let queued = runtime.spawn(async { 7 });
    wait_until(|| metrics().stand_ins_missing >= MANY_TICKS);
    assert!(!queued.is_finished(), "nobody could have run it");
    for (let_go, task) in polls {
        drop(let_go);
        assert!(runtime.block_on(task).expect("goes on where it was blocked"));
    }
    assert_eq!(runtime.block_on(queued).expect("runs when a poll has ended"), 7);
    is_alive(&runtime);

    allow_threads(1);
    let polls: Vec<_> = (0..workers).map(|_| blocked(&runtime)).collect();
    let queued = runtime.spawn(async { 7 });
    assert_eq!(runtime.block_on(queued).expect("runs on the stand-in"), 7);
    // Counted once it has been started; it may be faster.
    wait_until(|| metrics().stand_ins_started > 0);
    drop(polls);
    is_alive(&runtime);
}

#[test]
fn a_stand_in_that_cannot_be_started_is_counted_and_the_one_worker_goes_on() {
    alone("a_stand_in_that_cannot_be_started_is_counted_and_the_one_worker_goes_on", || {
        goes_on_without_a_stand_in(1);
    });
}

#[test]
fn a_stand_in_that_cannot_be_started_is_counted_and_both_workers_go_on() {
    alone("a_stand_in_that_cannot_be_started_is_counted_and_both_workers_go_on", || {
        goes_on_without_a_stand_in(2);
    });
}

fn loses_nothing_in_block_in_place(workers: usize) {
    let runtime = multi_thread(workers).build().expect("threads start");
    allow_threads(0);
    let task = runtime.spawn(async {
        let queued: Vec<_> = (0..10).map(|n| shopfloor::spawn(async move { n })).collect();
        let seven = block_in_place(|| 7);
        sleep(Duration::from_millis(1)).await;
        for (n, task) in queued.into_iter().enumerate() {
            assert_eq!(task.await.expect("was not lost with the slot"), n);
        }
        seven
    });
    assert_eq!(runtime.block_on(task).expect("no panic"), 7);
    is_alive(&runtime);
}

#[test]
fn block_in_place_on_the_one_worker_without_a_thread_to_take_over_loses_nothing() {
    alone("block_in_place_on_the_one_worker_without_a_thread_to_take_over_loses_nothing", || {
        loses_nothing_in_block_in_place(1);
    });
}

#[test]
fn block_in_place_on_one_of_two_workers_without_a_thread_to_take_over_loses_nothing() {
    alone("block_in_place_on_one_of_two_workers_without_a_thread_to_take_over_loses_nothing", || {
        loses_nothing_in_block_in_place(2);
    });
}

#[test]
fn block_in_place_that_waits_for_a_task_ends_when_there_are_threads_again() {
    alone("block_in_place_that_waits_for_a_task_ends_when_there_are_threads_again", || {
        let runtime = multi_thread(1).build().expect("threads start");
        allow_threads(0);
        let task = runtime.spawn(async {
            let (give, take) = mpsc::channel();
            drop(shopfloor::spawn(async move { give.send(7) }));
            block_in_place(|| take.recv())
        });
        wait_until(|| runtime.handle().metrics().stand_ins_missing >= MANY_TICKS);
        allow_threads(1);
        assert_eq!(runtime.block_on(task).expect("no panic"), Ok(7));
        is_alive(&runtime);
    });
}

/// The groups are asked in turn for what is spawned outside.
fn gets_a_thread_for_a_group_without(spawned_before: usize) {
    let runtime = multi_thread(2).io_drivers(2).build().expect("threads start");
    for _ in 0..spawned_before {
        runtime.block_on(runtime.spawn(async {})).expect("no panic");
    }
    allow_threads(0);
    let (let_go, wait) = mpsc::channel::<()>();
    let task = runtime.spawn(async move {
        block_in_place(|| {
            wait.recv().expect_err("nothing is sent");
            // The timers of a thread without a slot are the first group's.
            Handle::current().block_on(sleep(Duration::from_millis(1)));
        });
    });
    wait_until(|| runtime.handle().metrics().stand_ins_missing >= MANY_TICKS);
    allow_threads(1);
    drop(let_go);
    runtime.block_on(task).expect("no panic");
    is_alive(&runtime);
}

#[test]
fn the_first_group_gets_a_thread_when_there_are_threads_again() {
    alone("the_first_group_gets_a_thread_when_there_are_threads_again", || {
        gets_a_thread_for_a_group_without(0);
    });
}

#[test]
fn the_second_group_gets_a_thread_when_there_are_threads_again() {
    alone("the_second_group_gets_a_thread_when_there_are_threads_again", || {
        gets_a_thread_for_a_group_without(1);
    });
}

#[test]
fn a_name_that_no_thread_can_have_is_an_error_of_the_start() {
    let error = Builder::new_multi_thread().thread_name("zero \0 byte").build().expect_err("nor a C string");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
