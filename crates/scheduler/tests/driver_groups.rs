//! Runtimes whose workers are in groups, each with a driver of its own.

mod support;

use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{Config, Driver, Flavor, JoinHandle, Scheduler, driver_count};
use std::future::poll_fn;
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;
use support::driver::TestDriver;

/// With `workers` in so many groups, and as many stand-ins.
fn runtime(workers: usize, groups: usize) -> (Scheduler, Vec<Arc<TestDriver>>) {
    let drivers: Vec<_> = (0..groups).map(|_| Arc::new(TestDriver::default())).collect();
    let config = Config::new(Flavor::MultiThread, workers);
    let shared = drivers.iter().map(|driver| Arc::clone(driver) as Arc<dyn Driver>).collect();
    (Scheduler::start(config, shared).expect("threads can be started"), drivers)
}

/// A task that is done once it has been woken, and its waker.
fn waiting(runtime: &Scheduler) -> (JoinHandle<ThreadId>, Waker) {
    let (give, given) = mpsc::channel();
    let mut polled = false;
    let task = runtime.spawn(poll_fn(move |cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(thread::current().id());
        }
        give.send(cx.waker().clone()).expect("the test waits for it");
        Poll::Pending
    }));
    (task, given.recv().expect("it is polled"))
}

/// Occupies so many workers of a group, each until what belongs to it is dropped.
fn occupy(
    runtime: &Scheduler,
    drivers: &[Arc<TestDriver>],
    group: usize,
    workers: usize,
) -> Vec<(JoinHandle<()>, mpsc::Sender<()>)> {
    let groups = drivers.len();
    let occupied = (0..workers).map(|_| {
        let handle = runtime.handle().clone();
        let (give, given) = mpsc::channel();
        let (let_go, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let task = runtime.spawn(poll_fn(move |cx| {
            // A worker of another group may have stolen it.
            if handle.wheel() % groups != group {
                give.send(Some(cx.waker().clone())).expect("the test waits for it");
                return Poll::Pending;
            }
            give.send(None).expect("the test waits for it");
            wait.lock().recv().expect_err("nothing is sent");
            Poll::Ready(())
        }));
        while let Some(waker) = given.recv().expect("it is polled") {
            drivers[group].load([waker]);
        }
        (task, let_go)
    });
    occupied.collect()
}

#[test]
fn somebody_sleeps_in_each_driver() {
    let (_runtime, drivers) = runtime(5, 3);
    let mut sleepers: Vec<_> =
        drivers.iter().map(|driver| driver.sleeper().expect("it is attended")).collect();
    sleepers.sort_by_key(|sleeper| format!("{sleeper:?}"));
    sleepers.dedup();
    assert_eq!(sleepers.len(), 3, "one thread sleeps in two drivers");
}

#[test]
fn an_event_of_any_driver_wakes_its_task() {
    let (runtime, drivers) = runtime(4, 4);
    for driver in &drivers {
        let (task, waker) = waiting(&runtime);
        driver.load([waker]);
        runtime.block_on(task).expect("it is woken");
    }
}

#[test]
fn a_timer_is_fired_in_whatever_group_filed_it() {
    let (runtime, drivers) = runtime(4, 2);
    drivers.iter().for_each(|driver| assert!(driver.somebody_comes()));
    for driver in drivers.iter().cycle().take(20) {
        let handle = runtime.handle().clone();
        let (woken, is_woken) = mpsc::channel();
        let mut timer = None;
        let mut files = false;
        let task = runtime.spawn(poll_fn(move |cx| {
            if !std::mem::replace(&mut files, true) {
                woken.send(cx.waker().clone()).expect("the test waits for it");
                return Poll::Pending;
            }
            if timer.is_some() {
                return Poll::Ready(());
            }
            let deadline = handle.clock().now() + 1_000_000;
            timer = handle.timers().file(handle.wheel(), deadline, cx.waker());
            Poll::Pending
        }));
        driver.load([is_woken.recv().expect("it is polled")]);
        runtime.block_on(task).expect("its timer fires");
    }
}

#[test]
fn a_group_whose_workers_are_all_stuck_gets_stand_ins_of_its_own() {
    let (runtime, drivers) = runtime(4, 2);
    let stuck = occupy(&runtime, &drivers, 1, 2);
    // Nobody of the other group may come: it has a driver of its own.
    let (task, waker) = waiting(&runtime);
    drivers[1].load([waker]);
    runtime.block_on(task).expect("a stand-in turns the driver");
    // Counted once it has been started; it may be faster.
    while runtime.handle().metrics().stand_ins_started == 0 {
        thread::yield_now();
    }
    for (task, let_go) in stuck {
        drop(let_go);
        runtime.block_on(task).expect("it is let go");
    }
}

#[test]
fn the_drivers_take_turns_at_new_sources() {
    let (runtime, drivers) = runtime(3, 3);
    for turn in 0..6 {
        let given: Arc<TestDriver> = runtime.handle().next_driver().expect("they are test drivers");
        // As one that accepts and spawns in turn.
        runtime.block_on(runtime.spawn(async {})).expect("it is run");
        // Each spawn from outside has a turn, too; there was none.
        assert!(Arc::ptr_eq(&given, &drivers[turn % 3]));
    }
    let is_one = |it: &TestDriver| {
        runtime.handle().is_one_of_several_drivers::<TestDriver>(|driver| std::ptr::eq(driver, it))
    };
    assert!(is_one(&drivers[2]) && !is_one(&TestDriver::default()));
}

#[test]
fn a_shutdown_ends_all_groups_and_their_drivers() {
    for groups in 1..=4 {
        let (runtime, drivers) = runtime(4, groups);
        let tasks: Vec<_> = drivers.iter().map(|_| waiting(&runtime)).collect();
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert!(report.is_clean(), "{report:?}");
        for (task, _waker) in tasks {
            assert!(task.is_finished());
        }
        assert!(drivers.iter().all(|driver| driver.is_shut_down()));
    }
}

#[test]
#[should_panic(expected = "each driver needs a worker")]
fn a_driver_without_a_worker_is_refused() {
    drop(runtime(2, 3));
}

#[test]
fn up_to_sixteen_workers_share_a_driver_and_more_have_one_for_eight() {
    assert_eq!([1, 16, 17, 24, 25, 128].map(driver_count), [1, 1, 3, 3, 4, 16]);
}
