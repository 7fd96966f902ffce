//! Shutdown: what is waited for, what is cancelled, what is left.

use super::super::{BlockingPool, BlockingReport, SubmitError};
use super::{Gate, TestJob, doomed, gated, job, pool, shut_down, wait_until, wait_until_idle};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn shutdown_ends_idle_threads_and_reports_them() {
    let pool = pool(4, 4);
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    for _ in 0..3 {
        pool.submit(gated(&started, &gate)).expect("there is room");
    }
    (0..3).for_each(|_| starts.recv().expect("all run at once"));
    gate.open();
    wait_until_idle(&pool, 3);
    let report = pool.shutdown(Duration::MAX);
    assert_eq!(report, BlockingReport { threads_finished: 3, ..BlockingReport::default() });
    assert_eq!(pool.shutdown(Duration::MAX), BlockingReport::default());
    assert_eq!(pool.shutdown(Duration::ZERO), BlockingReport::default());
}

#[test]
fn shutdown_cancels_what_waits_and_waits_for_what_runs() {
    let pool = Arc::new(pool(1, 4));
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    let cancelled = Arc::default();
    pool.submit(gated(&started, &gate)).expect("there is room");
    starts.recv().expect("the job runs");
    (0..3).for_each(|_| pool.submit(doomed(&cancelled)).expect("there is room"));
    let waiting = {
        let pool = Arc::clone(&pool);
        std::thread::spawn(move || pool.shutdown(Duration::MAX))
    };
    // The cancelled jobs show that the shutdown is under way, while the running one holds it up.
    wait_until(|| cancelled.get() == 3);
    assert_eq!(pool.counts().busy, 1);
    gate.open();
    let report = waiting.join().expect("the shutdown does not panic");
    assert_eq!(
        report,
        BlockingReport { threads_finished: 1, jobs_cancelled: 3, ..BlockingReport::default() }
    );
}

#[test]
fn job_that_does_not_end_is_left_after_the_timeout() {
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let pool = pool(2, 4);
        let (started, starts) = channel();
        let gate = Arc::new(Gate::default());
        pool.submit(gated(&started, &gate)).expect("there is room");
        pool.submit(gated(&started, &gate)).expect("there is room");
        (0..2).for_each(|_| starts.recv().expect("both run"));
        let left = BlockingReport { threads_detached: 2, jobs_running: 2, ..BlockingReport::default() };
        assert_eq!(pool.shutdown(timeout), left);
        gate.open();
        let report = pool.shutdown(Duration::MAX);
        // They may have ended before the second call.
        assert_eq!((report.threads_detached, report.jobs_running), (0, 0));
    }
}

#[test]
fn submission_after_the_shutdown_gives_the_job_back() {
    let pool = pool(1, 4);
    shut_down(&pool);
    assert!(matches!(pool.submit(job(|| {})), Err(SubmitError::ShutDown(_))));
    assert_eq!(pool.counts().threads, 0);
}

#[test]
fn shutdown_by_a_job_waits_for_nothing() {
    // Two jobs of one pool that wait for each other's thread would wait for ever.
    let pool = Arc::new(pool(2, 4));
    let (reported, reports) = channel();
    let gate = Arc::new(Gate::default());
    for _ in 0..2 {
        let (weak, reported, gate) = (Arc::downgrade(&pool), reported.clone(), Arc::clone(&gate));
        pool.submit(job(move || {
            gate.pass();
            let pool = weak.upgrade().expect("the test holds it");
            reported.send(pool.shutdown(Duration::MAX)).expect("the test waits for it");
        }))
        .expect("there is room");
    }
    wait_until(|| pool.counts().busy == 2);
    gate.open();
    for _ in 0..2 {
        let report: BlockingReport = reports.recv().expect("both come back");
        assert!(report.threads_detached >= 1, "the thread that asks is still there: {report:?}");
    }
    shut_down(&pool);
}

#[test]
fn job_of_one_pool_does_not_wait_for_another() {
    let (outer, inner) = (pool(1, 4), pool(1, 4));
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    inner.submit(gated(&started, &gate)).expect("there is room");
    starts.recv().expect("the job runs");
    let (reported, reports) = channel();
    outer
        .submit(job(move || {
            reported.send(inner.shutdown(Duration::MAX)).expect("the test waits for it");
        }))
        .expect("there is room");
    assert_eq!(reports.recv().expect("it comes back").jobs_running, 1);
    gate.open();
    wait_until_idle(&outer, 1);
    shut_down(&outer);
}

#[test]
fn pool_dropped_by_its_own_job_ends_its_threads() {
    let pool: Arc<BlockingPool<TestJob>> = Arc::new(pool(1, 4));
    let queue = Arc::clone(&pool.core.queue);
    let cancelled = Arc::default();
    let (gate, (dropped, drops)) = (Arc::new(Gate::default()), channel());
    let (held, passed) = (Arc::clone(&pool), Arc::clone(&gate));
    pool.submit(job(move || {
        passed.pass();
        drop(held);
        dropped.send(()).expect("the test waits for it");
    }))
    .expect("there is room");
    wait_until(|| pool.counts().busy == 1);
    pool.submit(doomed(&cancelled)).expect("there is room");
    drop(pool);
    gate.open();
    drops.recv().expect("the drop comes back");
    wait_until(|| queue.counts().threads == 0);
    assert_eq!(cancelled.get(), 1);
}

#[test]
fn panic_of_a_cancelled_job_does_not_keep_the_others_from_being_cancelled() {
    let pool = pool(1, 4);
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    let cancelled = Arc::default();
    pool.submit(gated(&started, &gate)).expect("there is room");
    starts.recv().expect("the job runs");
    // `job` panics when it is cancelled.
    pool.submit(job(|| {})).expect("there is room");
    pool.submit(doomed(&cancelled)).expect("there is room");
    assert_eq!(pool.shutdown(Duration::ZERO).jobs_cancelled, 2);
    assert_eq!((cancelled.get(), pool.panics_count()), (1, 1));
    gate.open();
    shut_down(&pool);
}
