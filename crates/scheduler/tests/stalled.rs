//! What a worker leaves behind that does not return from its poll.

mod support;

use shopfloor_scheduler::{Config, Flavor, Handle, JoinHandle};
use std::sync::mpsc;
use support::runtime_with;

/// Spawns a task that the spawning worker would run next, and that says so when it runs.
fn spawn_last(ran: &mpsc::Sender<()>) -> JoinHandle<()> {
    let ran = ran.clone();
    Handle::current().spawn(async move { ran.send(()).expect("the test listens") })
}

#[test]
fn a_task_woken_last_by_a_worker_that_is_stuck_is_run_by_a_parked_one() {
    // Two threads and no more: the one that is not stuck has to be woken.
    let mut config = Config::new(Flavor::MultiThread, 2);
    config.stand_ins = 0;
    let runtime = runtime_with(config);
    let (ran, runs) = mpsc::channel();
    let (push, pushes) = mpsc::channel::<()>();
    let stuck = runtime.spawn(async move {
        // All in one poll. The task in the LIFO slot is this worker's, which never comes to run it.
        pushes.iter().for_each(|()| drop(spawn_last(&ran)));
    });
    for _ in 0..3 {
        push.send(()).expect("the stuck task listens");
        runs.recv().expect("the other worker was woken for it");
        // It has looked everywhere, found nothing more and sleeps: nothing but another wake gets it up.
        while runtime.handle().metrics().workers_parked == 0 {
            std::thread::yield_now();
        }
    }
    drop(push);
    runtime.block_on(stuck).expect("it ends when nobody pushes any more");
}
