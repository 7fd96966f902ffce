//! Tasks run, wait, are stopped, continued and ended.

mod support;

use shopfloor_scheduler::{Handle, JoinHandle, State, yield_now};
use std::future::{pending, poll_fn};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use support::{WIDTHS, runtime};

#[test]
fn every_spawned_task_gives_its_output() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let sum = runtime.block_on(async {
            let handles: Vec<_> = (0..1000u64).map(|n| Handle::current().spawn(async move { n })).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("nobody aborts it");
            }
            sum
        });
        assert_eq!(sum, 499_500);
    }
}

#[test]
fn tasks_spawned_by_tasks_run_on_every_width() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let depth = runtime.block_on(runtime.spawn(async {
            let mut depth = 0;
            for _ in 0..100 {
                let handle = Handle::current().spawn(async {
                    yield_now().await;
                    1
                });
                depth += handle.await.expect("nobody aborts it");
            }
            depth
        }));
        assert_eq!(depth.expect("nobody aborts it"), 100);
    }
}

#[test]
fn a_task_woken_by_a_foreign_thread_is_polled_again() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (wakers, woken) = mpsc::channel::<Waker>();
        let waker_thread = std::thread::spawn(move || woken.into_iter().for_each(Waker::wake));
        let task = runtime.spawn(async move {
            for _ in 0..100 {
                let mut sent = false;
                poll_fn(|cx| {
                    if std::mem::replace(&mut sent, true) {
                        return Poll::Ready(());
                    }
                    wakers.send(cx.waker().clone()).expect("the thread waits for wakers");
                    Poll::Pending
                })
                .await;
            }
        });
        runtime.block_on(task).expect("nobody aborts it");
        waker_thread.join().expect("it only wakes");
    }
}

#[test]
fn an_aborted_task_drops_its_future_and_reports_cancellation() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (alive, dropped) = mpsc::channel::<()>();
        let task = runtime.spawn(async move {
            let _alive = alive;
            pending::<()>().await;
        });
        task.abort();
        let error = runtime.block_on(task).expect_err("it waits for ever");
        assert!(error.is_cancelled());
        assert!(dropped.recv().is_err(), "the future and its sender are gone");
    }
}

#[test]
fn a_suspended_task_keeps_its_wakes_and_runs_them_when_resumed() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (wakers, woken) = mpsc::channel::<Waker>();
        let mut polls = 0;
        let task = runtime.spawn(poll_fn(move |cx| {
            polls += 1;
            // The second send fails once the test has what it wants.
            let _ = wakers.send(cx.waker().clone());
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        }));
        // Run the task to its first Pending.
        runtime.block_on(async {
            while task.state() != State::Waiting {
                yield_now().await;
            }
        });
        let waker = woken.recv().expect("the task was polled");
        assert_eq!(task.suspend(), State::Waiting);
        assert_eq!(task.state(), State::Suspended);
        waker.wake();
        runtime.block_on(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
        assert_eq!(task.state(), State::Suspended, "a wake does not continue a suspended task");
        assert_eq!(task.suspend(), State::Suspended);
        assert_eq!(task.resume(), State::Suspended);
        runtime.block_on(task).expect("it completes in its second poll");
    }
}

#[test]
fn a_suspended_task_can_be_aborted() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let task = runtime.spawn(pending::<()>());
        task.suspend();
        task.abort();
        assert!(runtime.block_on(task).expect_err("it waits for ever").is_cancelled());
    }
}

#[test]
fn a_panic_is_the_output_of_its_task_alone() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let panics = runtime.spawn(async { panic!("on purpose") });
        let error = runtime.block_on(panics).expect_err("it panics");
        assert!(error.is_panic());
        assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"on purpose"));
        assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).expect("the worker lives"), 7);
    }
}

#[test]
fn blocking_closures_run_beside_the_workers() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (give, take) = mpsc::channel();
        let blocked = runtime.spawn_blocking(move || take.recv());
        runtime.block_on(runtime.spawn(async move { give.send(7) })).expect("runs").expect("received");
        assert_eq!(runtime.block_on(blocked).expect("runs"), Ok(7));
    }
}

#[test]
fn a_blocking_job_is_running_from_its_call_to_its_return() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (begin, begun) = mpsc::channel();
        let (let_go, wait) = mpsc::channel::<()>();
        let blocked = runtime.spawn_blocking(move || {
            begin.send(()).expect("the test waits");
            // Until the test lets go.
            wait.recv().expect_err("it sends nothing");
        });
        begun.recv().expect("it is called");
        assert_eq!(blocked.state(), State::Running);
        assert_eq!(blocked.suspend(), State::Running);
        drop(let_go);
        runtime.block_on(blocked).expect("it does not panic");
    }
}

#[test]
fn dropping_the_runtime_drops_every_future() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (alive, dropped) = mpsc::channel::<()>();
        for _ in 0..100 {
            let alive = alive.clone();
            drop(runtime.spawn(async move {
                let _alive = alive;
                pending::<()>().await;
            }));
        }
        drop(alive);
        drop(runtime);
        assert!(dropped.recv().is_err(), "all senders are gone");
    }
}

#[test]
fn what_a_drop_spawns_while_the_runtime_ends_is_cancelled() {
    struct SpawnsInDrop(mpsc::Sender<JoinHandle<()>>);
    impl Drop for SpawnsInDrop {
        fn drop(&mut self) {
            let spawned = Handle::current().spawn(pending());
            self.0.send(spawned).expect("the test waits");
        }
    }
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let handle = runtime.handle().clone();
        let (give, spawned) = mpsc::channel();
        for _ in 0..10 {
            let spawns = SpawnsInDrop(give.clone());
            drop(runtime.spawn(async move {
                let _spawns = spawns;
                pending::<()>().await;
            }));
        }
        drop(give);
        drop(runtime);
        let spawned: Vec<_> = spawned.into_iter().collect();
        assert_eq!(spawned.len(), 10);
        for task in spawned {
            assert!(handle.block_on(task).expect_err("the runtime ends").is_cancelled());
        }
    }
}

#[test]
fn a_spawn_beside_the_start_of_the_end_is_run_or_cancelled() {
    for _ in 0..300 {
        let runtime = runtime(2);
        let handle = runtime.handle().clone();
        let (begin, begun) = mpsc::channel();
        let spawner = std::thread::spawn(move || {
            loop {
                let task = handle.spawn(yield_now());
                // An error means that the test has seen enough.
                let _ = begin.send(());
                if handle.block_on(task).is_err() {
                    return;
                }
            }
        });
        begun.recv().expect("it spawns");
        drop(runtime);
        spawner.join().expect("every handle resolves");
    }
}

#[test]
fn a_task_may_have_tens_of_thousands_of_handles() {
    let runtime = runtime(1);
    let task = runtime.spawn(pending::<()>());
    let handles: Vec<_> = (0..100_000).map(|_| task.abort_handle()).collect();
    handles[77_777].abort();
    assert!(runtime.block_on(task).expect_err("it waits for ever").is_cancelled());
}

#[test]
fn spawning_after_the_shutdown_gives_a_cancelled_handle() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let handle = runtime.handle().clone();
        drop(runtime);
        let task = handle.spawn(async {});
        assert!(task.is_finished());
        assert!(handle.block_on(task).expect_err("the runtime is gone").is_cancelled());
    }
}
