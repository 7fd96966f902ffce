//! Wakers of tasks: which are equal, what a wake leads to, and where it leads.

mod support;

use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::flag::Flag;
use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{Config, Flavor, JoinHandle, Scheduler, State, yield_now};
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;
use support::{WIDTHS, runtime, runtime_with};

/// A task that gives its waker away in each poll and waits for ever, and the number of its polls.
fn waiting_task(runtime: &Scheduler) -> (JoinHandle<()>, mpsc::Receiver<Waker>, Arc<Counter>) {
    let (wakers, given) = mpsc::channel();
    let polls = Arc::<Counter>::default();
    let counted = Arc::clone(&polls);
    let task = runtime.spawn(poll_fn(move |cx| {
        counted.add(1);
        // The test may have seen enough of them.
        let _: Result<(), mpsc::SendError<Waker>> = wakers.send(cx.waker().clone());
        Poll::Pending
    }));
    (task, given, polls)
}

/// Runs the runtime until the task waits: whatever woke it before has been answered then.
fn run_until_waiting(runtime: &Scheduler, task: &JoinHandle<()>) {
    runtime.block_on(async {
        while task.state() != State::Waiting {
            yield_now().await;
        }
    });
}

/// The memory of a task lives as long as its last waker.
fn run_until_no_task_is_left(runtime: &Scheduler) {
    runtime.block_on(async {
        while runtime.handle().metrics().tasks > 0 {
            yield_now().await;
        }
    });
}

/// A runtime with one worker, which no stand-in replaces however slow the machine.
fn alone() -> Scheduler {
    let mut config = Config::new(Flavor::MultiThread, 1);
    config.stand_ins = 0;
    runtime_with(config)
}

#[test]
fn wakers_of_one_task_know_each_other_and_not_those_of_another() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (task, given, polls) = waiting_task(&runtime);
        let (other_task, other_given, _) = waiting_task(&runtime);
        run_until_waiting(&runtime, &task);
        run_until_waiting(&runtime, &other_task);
        let (waker, other) = (given.recv().expect("a poll"), other_given.recv().expect("a poll"));
        let cloned_elsewhere = {
            let waker = waker.clone();
            thread::spawn(move || waker.clone()).join().expect("it only clones")
        };
        waker.wake_by_ref();
        let of_the_next_poll = runtime.block_on(async {
            loop {
                match given.try_recv() {
                    Ok(waker) => break waker,
                    Err(_) => yield_now().await,
                }
            }
        });
        assert!(waker.will_wake(&waker.clone()));
        assert!(waker.will_wake(&cloned_elsewhere));
        assert!(waker.will_wake(&of_the_next_poll));
        assert!(!waker.will_wake(&other) && !other.will_wake(&waker));
        assert_eq!(polls.get(), 2);
    }
}

#[test]
fn wakes_inside_the_own_poll_lead_to_exactly_one_more() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let polls = Arc::<Counter>::default();
        let (counted, kept) = (Arc::clone(&polls), Arc::new(Mutex::new(None)));
        let task = runtime.spawn(poll_fn(move |cx| {
            counted.add(1);
            *kept.lock() = Some(cx.waker().clone());
            if counted.get() == 1 {
                cx.waker().wake_by_ref();
                let by_value = cx.waker().clone();
                by_value.wake();
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        run_until_waiting(&runtime, &task);
        assert_eq!(polls.get(), 2, "{workers} workers");
    }
}

#[test]
fn a_million_wakes_of_a_running_task_lead_to_one_more_poll() {
    const WAKES: usize = 1_000_000;
    for workers in [0, 2] {
        let runtime = runtime(workers);
        let polls = Arc::<Counter>::default();
        let (counted, kept) = (Arc::clone(&polls), Arc::new(Mutex::new(None)));
        let task = runtime.spawn(poll_fn(move |cx| {
            counted.add(1);
            *kept.lock() = Some(cx.waker().clone());
            if counted.get() == 1 {
                let waker = cx.waker();
                thread::scope(|scope| {
                    scope.spawn(|| (0..WAKES / 2).for_each(|_| waker.wake_by_ref()));
                    (0..WAKES / 2).for_each(|_| waker.wake_by_ref());
                });
            }
            Poll::Pending
        }));
        run_until_waiting(&runtime, &task);
        assert_eq!(polls.get(), 2, "{workers} workers");
    }
}

#[test]
fn a_wake_from_another_runtimes_worker_goes_to_the_tasks_own_runtime() {
    const ROUNDS: usize = 200;
    let waking = alone();
    for home in [runtime(0), alone()] {
        let (waker, ended) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(Flag::new(false)));
        let (given, ends) = (Arc::clone(&waker), Arc::clone(&ended));
        let mut places = Vec::new();
        let task = home.spawn(poll_fn(move |cx| {
            *given.lock() = Some(cx.waker().clone());
            places.push(thread::current().id());
            if places.len() < ROUNDS {
                return Poll::Pending;
            }
            ends.raise();
            Poll::Ready(std::mem::take(&mut places))
        }));
        let woken_from = waking.spawn(async move {
            while !ended.is_raised() {
                let waker = waker.lock().clone();
                waker.iter().for_each(Waker::wake_by_ref);
                yield_now().await;
            }
            thread::current().id()
        });
        let places = home.block_on(task).expect("it does not panic");
        let place = home.block_on(home.spawn(async { thread::current().id() })).expect("it does not panic");
        assert_eq!(places, [place; ROUNDS]);
        assert_ne!(home.block_on(woken_from).expect("it does not panic"), place);
    }
}

#[test]
fn a_wake_after_the_end_of_its_task_does_nothing() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (wakers, given) = mpsc::channel::<Waker>();
        let task = runtime.spawn(poll_fn(move |cx| {
            wakers.send(cx.waker().clone()).expect("the test has the other end");
            Poll::Ready(())
        }));
        runtime.block_on(task).expect("nobody aborts it");
        let waker = given.recv().expect("it was polled");
        // On a worker too, whose own slot a wake would use.
        let on_a_worker = waker.clone();
        let wakes_late = runtime.spawn(async move {
            (0..100).for_each(|_| on_a_worker.wake_by_ref());
            on_a_worker.wake();
        });
        runtime.block_on(wakes_late).expect("nobody aborts it");
        (0..100).for_each(|_| waker.wake_by_ref());
        waker.wake();
        run_until_no_task_is_left(&runtime);
        assert_eq!(runtime.handle().metrics().injector_len, 0, "{workers} workers");
        assert!(runtime.shutdown_timeout(Duration::MAX).is_clean(), "{workers} workers");
    }
}

#[test]
fn ten_thousand_clones_of_a_waker_dropped_anywhere_leak_nothing() {
    const CLONES: usize = 10_000;
    let other = runtime(1);
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (task, given, _) = waiting_task(&runtime);
        run_until_waiting(&runtime, &task);
        let waker = given.recv().expect("a poll");
        let clones = || (0..CLONES / 4).map(|_| waker.clone()).collect::<Vec<_>>();
        let (here, there, on_worker, on_other) = (clones(), clones(), clones(), clones());
        let thread = thread::spawn(move || drop(there));
        let dropping =
            [runtime.spawn(async move { drop(on_worker) }), other.spawn(async move { drop(on_other) })];
        task.abort();
        drop((task, here, waker, given));
        thread.join().expect("it only drops");
        for task in dropping {
            runtime.block_on(task).expect("it only drops");
        }
        run_until_no_task_is_left(&runtime);
    }
    run_until_no_task_is_left(&other);
}

#[test]
fn a_waker_that_outlives_its_runtime_is_woken_and_dropped_in_vain() {
    for workers in WIDTHS {
        /// What a hook has captured is dropped with the last of the runtime.
        struct Fragile;

        impl Drop for Fragile {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }

        let flavor = if workers == 0 { Flavor::CurrentThread } else { Flavor::MultiThread };
        let mut config = Config::new(flavor, workers.max(1));
        let fragile = Fragile;
        config.on_thread_stop = Some(Arc::new(move || {
            let _captured = &fragile;
        }));
        let runtime = runtime_with(config);
        let (wakers, given) = mpsc::channel::<Waker>();
        let task = runtime.spawn(async move {
            poll_fn(|cx| {
                wakers.send(cx.waker().clone()).expect("the test has the other end");
                Poll::Ready(())
            })
            .await;
            pending::<()>().await;
        });
        run_until_waiting(&runtime, &task);
        drop(runtime);
        let waker = given.recv().expect("it was polled");
        waker.wake_by_ref();
        assert!(waker.will_wake(&waker.clone()) && task.is_finished());
        drop(task);
        waker.wake();
    }
}
