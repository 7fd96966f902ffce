//! The id of the running task, and how many tasks there are.

use std::panic::catch_unwind;
use std::sync::mpsc;
use std::time::Duration;

use shopfloor::runtime::{Builder, Handle, Runtime};
use shopfloor::task::{self, Id, block_in_place, yield_now};
use shopfloor::time::timeout;

fn runtimes() -> [Runtime; 2] {
    let several = Builder::new_multi_thread().worker_threads(2).build();
    [several.expect("a runtime"), Builder::new_current_thread().build().expect("a runtime")]
}

/// Tells the id of the task that is running when it is dropped.
struct TellsId(mpsc::Sender<Option<Id>>);

impl Drop for TellsId {
    fn drop(&mut self) {
        self.0.send(task::try_id()).expect("the test listens");
    }
}

#[test]
fn every_poll_of_a_task_knows_its_id() {
    for runtime in runtimes() {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                runtime.spawn(async {
                    let first = task::id();
                    for _ in 0..10 {
                        yield_now().await;
                        assert_eq!(task::id(), first);
                    }
                    first
                })
            })
            .collect();
        for task in tasks {
            let id = task.id();
            assert_eq!(runtime.block_on(task).expect("no panic"), id);
        }
    }
}

#[test]
fn blocking_code_knows_the_id_of_its_task() {
    let [runtime, _] = runtimes();
    let task = runtime.spawn(async { (task::id(), block_in_place(task::id), task::id()) });
    let id = task.id();
    assert_eq!(runtime.block_on(task).expect("no panic"), (id, id, id));
    let job = runtime.spawn_blocking(task::id);
    let id = job.id();
    assert_eq!(runtime.block_on(job).expect("no panic"), id);
}

#[test]
fn a_future_is_dropped_under_the_id_of_its_task_whether_done_or_cancelled() {
    for runtime in runtimes() {
        let (tell, told) = mpsc::channel();
        let held = TellsId(tell.clone());
        let done = runtime.spawn(async move { drop(held) });
        let id = done.id();
        runtime.block_on(done).expect("no panic");
        assert_eq!(told.recv(), Ok(Some(id)));

        let held = TellsId(tell);
        let cancelled = runtime.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        let id = cancelled.id();
        cancelled.abort();
        assert!(runtime.block_on(cancelled).expect_err("it is aborted").is_cancelled());
        assert_eq!(told.recv(), Ok(Some(id)));
    }
}

#[test]
fn a_refused_blocking_job_is_dropped_under_its_own_id() {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).max_blocking_threads(1).max_blocking_queue(1).build();
    let runtime = runtime.expect("a runtime");
    let (start, started) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let running = runtime.spawn_blocking(move || {
        start.send(()).expect("the test listens");
        ended.recv().expect_err("the sender is dropped");
    });
    started.recv().expect("the thread runs");
    let queued = runtime.spawn_blocking(|| ());
    let (tell, told) = mpsc::channel();
    let held = TellsId(tell);
    let refused = runtime.spawn_blocking(move || drop(held));
    assert_eq!(told.recv(), Ok(Some(refused.id())));
    drop(end);
    runtime.block_on(async {
        running.await.expect("no panic");
        queued.await.expect("no panic");
        assert!(refused.await.expect_err("it is refused").is_cancelled());
    });
}

#[test]
fn outside_a_task_there_is_no_id() {
    assert_eq!(task::try_id(), None);
    catch_unwind(task::id).expect_err("there is no task");
    for runtime in runtimes() {
        runtime.block_on(async {
            assert_eq!(task::try_id(), None, "the root is no task");
            task::spawn(async {}).await.expect("no panic");
            assert_eq!(task::try_id(), None, "nor after a task ran here");
        });
    }
}

#[test]
fn a_task_that_drives_a_runtime_has_its_id_back_afterwards() {
    let [runtime, inner] = runtimes();
    let job = runtime.spawn_blocking(move || {
        let outer = task::id();
        let task = inner.spawn(async { task::id() });
        let id = task.id();
        assert_eq!(inner.block_on(task).expect("no panic"), id);
        assert_ne!(id, outer);
        assert_eq!(task::id(), outer);
    });
    runtime.block_on(job).expect("no panic");
}

/// Ends when so many tasks are alive: a joiner may be told of an end before it is counted.
async fn until_alive(count: usize) {
    let counted = async {
        while Handle::current().metrics().num_alive_tasks() != count {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), counted).await.expect("the count is reached");
}

#[test]
fn tasks_are_alive_from_their_spawn_to_their_end_wherever_these_happen() {
    for runtime in runtimes() {
        let has_workers = runtime.metrics().num_workers() == 2;
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
        let outside = runtime.spawn(std::future::pending::<()>());
        assert_eq!(runtime.metrics().num_alive_tasks(), 1);
        runtime.block_on(async {
            let inside = task::spawn(async move {
                let forked = task::spawn(std::future::pending::<()>());
                yield_now().await;
                if has_workers {
                    block_in_place(|| ());
                }
                (task::id(), forked)
            });
            let done = inside.abort_handle();
            let (id, forked) = inside.await.expect("no panic");
            assert_eq!(id, done.id());
            until_alive(2).await;
            assert!(done.is_finished(), "it has a handle and is not alive");
            task::spawn_blocking(|| ()).await.expect("no panic");
            assert_eq!(Handle::current().metrics().num_alive_tasks(), 2, "a job is not counted");
            forked.abort();
            outside.abort();
            assert!(forked.await.expect_err("aborted").is_cancelled());
            assert!(outside.await.expect_err("aborted").is_cancelled());
            until_alive(0).await;
        });
    }
}

#[test]
fn tasks_that_nobody_drives_wait_in_the_global_queue() {
    let [_, runtime] = runtimes();
    assert_eq!(runtime.metrics().num_workers(), 1);
    let tasks: Vec<_> = (0..5).map(|_| runtime.spawn(async {})).collect();
    assert_eq!(runtime.metrics().global_queue_depth(), 5);
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    assert_eq!(runtime.metrics().global_queue_depth(), 0);
}
