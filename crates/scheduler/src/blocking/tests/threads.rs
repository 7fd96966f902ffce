//! How many threads there are, and which of them runs a job.

use super::super::{BlockingConfig, BlockingPool, SubmitError};
use super::{Gate, config, gated, job, pool, scripted_spawner, shut_down, wait_until, wait_until_idle};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// After so long a wait has failed.
const WATCHDOG: Duration = Duration::from_secs(60);

#[test]
fn no_thread_exists_before_the_first_job() {
    let pool = pool(4, 4);
    assert_eq!(pool.counts().threads, 0);
    shut_down(&pool);
}

#[test]
fn cap_bounds_the_threads_and_the_rest_runs_later() {
    let pool = pool(3, 8);
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    for _ in 0..6 {
        pool.submit(gated(&started, &gate)).expect("there is room");
    }
    for _ in 0..3 {
        starts.recv().expect("a job per thread starts");
    }
    let counts = pool.counts();
    assert_eq!((counts.threads, counts.busy, counts.queued), (3, 3, 3));
    gate.open();
    for _ in 0..3 {
        starts.recv().expect("the queued jobs run");
    }
    assert_eq!(pool.counts().threads, 3);
    shut_down(&pool);
}

#[test]
fn full_queue_gives_the_job_back_until_a_job_ends() {
    let pool = pool(1, 2);
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    for _ in 0..3 {
        pool.submit(gated(&started, &gate)).expect("one runs and two wait");
    }
    let refused = pool.submit(gated(&started, &gate));
    let Err(SubmitError::QueueFull(refused)) = refused else { panic!("{refused:?}") };
    gate.open();
    (0..3).for_each(|_| starts.recv().expect("accepted jobs run"));
    wait_until(|| pool.counts().busy == 0);
    pool.submit(refused).expect("there is room again");
    starts.recv().expect("the job that was refused runs now");
    shut_down(&pool);
}

#[test]
fn idle_thread_takes_the_next_job() {
    let pool = pool(8, 8);
    let (ran, runs) = channel();
    for _ in 0..20 {
        let ran = ran.clone();
        pool.submit(job(move || ran.send(thread::current().id()).expect("the test waits for it")))
            .expect("there is room");
        wait_until_idle(&pool, 1);
    }
    drop(ran);
    let first = runs.recv().expect("the first job ran");
    assert_eq!(runs.iter().filter(|id| *id == first).count(), 19);
    assert_eq!(pool.counts().threads, 1);
    shut_down(&pool);
}

#[test]
fn idle_thread_ends_after_its_keep_alive_and_is_replaced() {
    let (stopped, stops) = channel();
    let config = BlockingConfig {
        keep_alive: Duration::from_millis(1),
        on_stop: Some(Arc::new(move || stopped.send(()).expect("the test waits for it"))),
        ..config(4, 4)
    };
    let pool = BlockingPool::new(config);
    for _ in 0..3 {
        pool.submit(job(|| {})).expect("there is room");
        stops.recv().expect("the thread ends");
        wait_until(|| pool.counts().threads == 0);
    }
    shut_down(&pool);
}

#[test]
fn no_job_is_stranded_by_threads_that_end_all_the_time() {
    for keep_alive in [Duration::ZERO, Duration::from_micros(1), Duration::from_micros(50)] {
        let pool = BlockingPool::new(BlockingConfig { keep_alive, ..config(2, 4) });
        let (ran, runs) = channel();
        for _ in 0..300 {
            let ran = ran.clone();
            pool.submit(job(move || ran.send(()).expect("the test waits for it"))).expect("there is room");
            runs.recv().expect("the job runs");
        }
        shut_down(&pool);
    }
}

#[test]
fn spawn_failure_without_a_thread_is_an_error_that_gives_the_job_back() {
    let pool = BlockingPool::with_spawner(config(4, 4), scripted_spawner(&[2]));
    let refused = pool.submit(job(|| {}));
    let Err(SubmitError::ThreadSpawn(error, refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let counts = pool.counts();
    assert_eq!((counts.threads, counts.queued, counts.spawn_failures), (0, 0, 1));
    pool.submit(refused).expect("the second spawn succeeds");
    shut_down_after_running(&pool);
}

/// The jobs still queued are run before the shutdown cancels them.
fn shut_down_after_running(pool: &BlockingPool<super::TestJob>) {
    wait_until(|| pool.counts().busy + pool.counts().queued == 0);
    shut_down(pool);
}

#[test]
fn spawn_failure_beside_a_thread_leaves_the_job_to_that_thread() {
    let pool = BlockingPool::with_spawner(config(4, 4), scripted_spawner(&[1]));
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    pool.submit(gated(&started, &gate)).expect("the first spawn succeeds");
    starts.recv().expect("the thread is there");
    let (ran, runs) = channel();
    pool.submit(job(move || ran.send(thread::current().id()).expect("the test waits for it")))
        .expect("the job waits for the thread that is there");
    assert_eq!(pool.counts().spawn_failures, 1);
    assert_eq!(pool.counts().queued, 1);
    gate.open();
    runs.recv().expect("the job runs after the first");
    shut_down(&pool);
}

#[test]
fn panicking_job_ends_neither_its_thread_nor_the_accounting() {
    let pool = pool(1, 4);
    let (ran, runs) = channel();
    for round in 0..4 {
        let ran = ran.clone();
        pool.submit(job(move || {
            ran.send(thread::current().id()).expect("the test waits for it");
            assert!(round % 2 == 1, "this job panics on purpose");
        }))
        .expect("there is room");
    }
    drop(ran);
    let ids: Vec<_> = runs.iter().collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| *id == ids[0]));
    shut_down_after_running(&pool);
    assert_eq!(pool.panics_count(), 2);
}

#[test]
fn each_of_many_jobs_that_block_gets_a_thread_from_a_new_pool_and_from_an_idle_one() {
    let pool = pool(16, 16);
    for _ in 0..2 {
        let (started, starts) = channel();
        let gate = Arc::new(Gate::default());
        for _ in 0..16 {
            pool.submit(gated(&started, &gate)).expect("there is room");
        }
        (0..16).for_each(|_| starts.recv_timeout(WATCHDOG).expect("each starts while the others block"));
        assert_eq!(pool.counts().busy, 16);
        gate.open();
        wait_until_idle(&pool, 16);
    }
    shut_down(&pool);
}

#[test]
fn start_hooks_that_wait_for_each_other_are_all_called() {
    let barrier = Arc::new(std::sync::Barrier::new(4));
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    let pool = BlockingPool::new(BlockingConfig {
        on_start: Some(Arc::new(move || {
            barrier.wait();
        })),
        ..config(4, 4)
    });
    for _ in 0..4 {
        pool.submit(gated(&started, &gate)).expect("there is room");
    }
    (0..4).for_each(|_| starts.recv_timeout(WATCHDOG).expect("each job has a thread"));
    gate.open();
    shut_down(&pool);
}
