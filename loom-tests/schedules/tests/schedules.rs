//! Scenarios; what each ends with is checked by the ledger, what they do is in `program.rs`.

use schedules::{Latch, Mix, digest_of, explore, run_schedules};
use std::time::Duration;

/// Spawns by the first thread, by tasks and by foreign threads at once.
#[test]
fn every_task_of_a_spawn_storm_runs_and_ends() {
    let mix = Mix { roots: 12, tasks: 60, detached: 4, joins: 1, yields: 1, spawners: 2, ..Mix::NONE };
    explore("every_task_of_a_spawn_storm_runs_and_ends", mix);
}

/// Tasks wait for their children.
#[test]
fn joins_of_trees_of_tasks_all_return() {
    let mix = Mix { roots: 4, tasks: 40, joins: 4, yields: 1, self_wakes: 1, ..Mix::NONE };
    explore("joins_of_trees_of_tasks_all_return", mix);
}

/// Workers run out of work all the time, and two foreign threads wake.
#[test]
fn no_wake_by_a_foreign_thread_is_lost() {
    let mix = Mix { roots: 4, tasks: 12, steps: 6, gates: 6, yields: 1, joins: 1, wakers: 2, ..Mix::NONE };
    explore("no_wake_by_a_foreign_thread_is_lost", mix);
}

/// Aborted, suspended and resumed in any state.
#[test]
fn tasks_that_are_aborted_suspended_and_resumed_end_once() {
    let mix = Mix { gates: 2, joins: 3, yields: 3, self_wakes: 2, detached: 1, meddlers: 2, ..Mix::NONE };
    explore("tasks_that_are_aborted_suspended_and_resumed_end_once", mix);
}

/// Deadlines on all wheels, one sleeper in the driver.
#[test]
fn timers_fire_whoever_sleeps_in_the_driver() {
    let mix = Mix { tasks: 16, steps: 5, sleeps: 5, gates: 1, joins: 1, yields: 1, spawners: 1, ..Mix::NONE };
    explore("timers_fire_whoever_sleeps_in_the_driver", mix);
}

/// Few threads that end soon when idle, jobs that wait for tasks.
#[test]
fn blocking_jobs_run_and_wake_their_joiners() {
    let mix = Mix { tasks: 16, jobs: 4, joins: 1, sleeps: 1, yields: 1, spawners: 1, ..Mix::NONE };
    explore("blocking_jobs_run_and_wake_their_joiners", mix);
}

/// Slots change threads in the middle of polls.
#[test]
fn block_in_place_hands_queue_and_driver_over() {
    let mix = Mix { tasks: 16, in_place: 4, sleeps: 3, yields: 1, joins: 1, gates: 1, ..Mix::NONE };
    explore("block_in_place_hands_queue_and_driver_over", mix);
}

/// The task that ends a stuck poll lies in the LIFO slot of the stuck worker.
#[test]
fn stuck_workers_are_stolen_from_and_stood_in_for() {
    let mix = Mix { roots: 8, tasks: 16, stalls: 4, sleeps: 2, yields: 1, joins: 1, ..Mix::NONE };
    explore("stuck_workers_are_stolen_from_and_stood_in_for", mix);
}

/// All are parked until the foreman sleeps, or is about to; then polls get stuck.
#[test]
fn a_worker_that_leaves_a_quiet_floor_has_a_foreman() {
    let mix = Mix { roots: 3, tasks: 6, steps: 3, quiet: 1, ..Mix::NONE };
    explore("a_worker_that_leaves_a_quiet_floor_has_a_foreman", mix);
}

/// The runtime is shut down in the middle of everything.
#[test]
fn a_shutdown_at_any_moment_ends_every_task() {
    explore("a_shutdown_at_any_moment_ends_every_task", Mix { ends_early: true, ..Mix::ALL });
}

/// Everything at once, to the end.
#[test]
fn programs_of_every_kind_of_step_end() {
    explore("programs_of_every_kind_of_step_end", Mix::ALL);
}

#[test]
fn the_same_seed_makes_the_same_schedule_and_another_one_does_not() {
    let digests = || (0..20).map(|seed| digest_of(seed, Mix::ALL)).collect::<Vec<_>>();
    let mut first = digests();
    assert_eq!(first, digests());
    first.sort_unstable();
    first.dedup();
    assert_eq!(first.len(), 20);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_thread_that_nobody_wakes_is_found_as_a_deadlock() {
    run_schedules(0, 1, || Latch::default().wait());
}

#[test]
fn a_timed_wait_ends_at_its_deadline_though_nobody_wakes_it() {
    use shopfloor_protocol::sync::{Condvar, Instant, Mutex};
    run_schedules(0, 20, || {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let start = Instant::now();
        let (_guard, timed_out) = condvar.wait_timeout(mutex.lock(), Duration::from_secs(1));
        assert!(timed_out && start.elapsed() >= Duration::from_secs(1));
    });
}
