//! Who runs what after a task has ended, and on which thread.

mod support;

use shopfloor_protocol::cells::Counter;
use shopfloor_scheduler::{Config, Flavor, Handle, yield_now};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use support::{WIDTHS, runtime};

#[test]
fn a_parent_that_joins_a_hundred_children_in_turn_is_polled_twice() {
    const CHILDREN: u64 = 100;
    // On one thread the order of polls is determined.
    let runtime = runtime(0);
    let polls = Arc::<Counter>::default();
    let counted = Arc::clone(&polls);
    let parent = runtime.spawn(async move {
        let mut joining = pin!(async {
            let handle = Handle::current();
            let children: Vec<_> = (0..CHILDREN).map(|number| handle.spawn(async move { number })).collect();
            let mut sum = 0;
            for child in children {
                sum += child.await.expect("nobody aborts it");
            }
            sum
        });
        poll_fn(|cx| {
            counted.add(1);
            joining.as_mut().poll(cx)
        })
        .await
    });
    let sum = runtime.block_on(parent).expect("it does not panic");
    assert_eq!(sum, CHILDREN * (CHILDREN - 1) / 2);
    // Woken by the first child, it waits behind the others, which have all ended when its turn comes.
    assert_eq!(polls.get(), 2);
}

#[test]
fn block_on_of_a_multi_thread_runtime_polls_its_root_and_nothing_else() {
    for workers in [1, 2, 4] {
        let runtime = runtime(workers);
        let caller = thread::current().id();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..200)
                .map(|_| {
                    Handle::current().spawn(async {
                        let mut places = Vec::new();
                        for _ in 0..10 {
                            places.push(thread::current().id());
                            yield_now().await;
                        }
                        places
                    })
                })
                .collect();
            for task in tasks {
                assert_eq!(thread::current().id(), caller);
                let places = task.await.expect("it does not panic");
                assert!(places.iter().all(|place| *place != caller));
                yield_now().await;
            }
            assert_eq!(thread::current().id(), caller);
        });
    }
}

#[test]
fn block_on_through_a_handle_polls_its_root_and_nothing_else() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let handle = runtime.handle().clone();
        let beside = thread::spawn(move || {
            let caller = thread::current().id();
            let tasks: Vec<_> = (0..100).map(|_| handle.spawn(async { thread::current().id() })).collect();
            for task in tasks {
                let place = handle.block_on(task).expect("it does not panic");
                assert_ne!(place, caller);
            }
        });
        runtime.block_on(async {
            while !beside.is_finished() {
                yield_now().await;
            }
        });
        beside.join().expect("it does not panic");
    }
}

#[test]
fn a_task_that_is_not_send_is_spawned_in_the_block_on_of_a_local_runtime_only() {
    use shopfloor_scheduler::{LocalScheduler, spawn_local};
    use std::panic::catch_unwind;
    use std::rc::Rc;

    fn refusal() -> String {
        let panic = catch_unwind(|| drop(spawn_local(async {}))).expect_err("there is no local runtime");
        panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
            .expect("a sentence")
    }

    let local = LocalScheduler::start(Config::new(Flavor::CurrentThread, 1), support::driver());
    let local = local.expect("it starts no thread");
    let seven = local.block_on(async {
        let shared = Rc::new(7);
        let theirs = Rc::clone(&shared);
        let inner = spawn_local(async move { *spawn_local(async move { theirs }).await.expect("no panic") });
        inner.await.expect("no panic")
    });
    assert_eq!(seven, 7);

    let mut refusals = vec![refusal()];
    refusals.push(local.block_on(async { thread::spawn(refusal).join().expect("it catches its panic") }));
    {
        // Inside the runtime, but nobody runs its tasks here.
        let _inside = local.enter();
        refusals.push(refusal());
    }
    for workers in WIDTHS {
        let runtime = runtime(workers);
        refusals.push(runtime.block_on(async { refusal() }));
        refusals.push(runtime.block_on(runtime.spawn(async { refusal() })).expect("it catches its panic"));
    }
    for refusal in refusals {
        assert!(refusal.starts_with("`spawn_local` needs a `LocalRuntime`"), "{refusal}");
    }
}
