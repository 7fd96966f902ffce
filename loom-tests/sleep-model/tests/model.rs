//! The sleep protocol in small worlds, and in worlds that lack a step of it.
//!
//! `SLEEP_MODEL_WORKERS` in the environment is the greatest number of workers, stand-ins included; three is what an
//! ordinary run goes through.

use sleep_model::{
    Fault, STRANDED, Scenario, SleepModel, Step, Task, UNATTENDED, UNDERFLOW, UNDRIVEN, UNFINISHED, progress,
};
use stateright::{Checker, Model};
use std::collections::BTreeSet;
use std::time::Instant;

/// Workers in an ordinary run.
const WORKERS: usize = 3;

/// A scenario for any number of workers.
struct World {
    name: &'static str,
    /// What each foreign thread pushes.
    pushers: &'static [&'static [Task]],
    events: u8,
    /// Workers that are awake at the start.
    awake: Awake,
    stand_ins: usize,
    /// Beyond so many workers it takes more than a minute.
    workers_max: usize,
    /// States with [`WORKERS`] workers, or `workers_max` if that is less: fewer would be a hole.
    states: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Awake {
    None,
    One,
    All,
}

#[rustfmt::skip] // one line each
const WORLDS: &[World] = &[
    World { name: "two foreign threads push", pushers: &[&[Task::Leaf], &[Task::Leaf]], events: 0, awake: Awake::One, stand_ins: 0, workers_max: 6, states: 35_905 },
    World { name: "a task schedules others", pushers: &[&[Task::Fork]], events: 0, awake: Awake::One, stand_ins: 0, workers_max: 6, states: 12_033 },
    World { name: "a task schedules others while a foreign thread pushes", pushers: &[&[Task::Fork], &[Task::Leaf]], events: 0, awake: Awake::None, stand_ins: 0, workers_max: 6, states: 102_275 },
    World { name: "all workers fall asleep at once", pushers: &[&[Task::Leaf]], events: 0, awake: Awake::All, stand_ins: 0, workers_max: 5, states: 23_992 },
    World { name: "an event while a foreign thread pushes", pushers: &[&[Task::Leaf]], events: 1, awake: Awake::None, stand_ins: 0, workers_max: 6, states: 102_625 },
    World { name: "a poll that never ends", pushers: &[&[Task::Stuck]], events: 0, awake: Awake::None, stand_ins: 0, workers_max: 6, states: 2_535 },
    World { name: "a poll that never ends while a foreign thread pushes", pushers: &[&[Task::Stuck], &[Task::Leaf]], events: 0, awake: Awake::None, stand_ins: 0, workers_max: 3, states: 231_659 },
    World { name: "a poll that never ends and has left the driver", pushers: &[&[Task::Hang]], events: 0, awake: Awake::None, stand_ins: 0, workers_max: 6, states: 365 },
    World { name: "all polls never end", pushers: &[&[Task::Stuck]], events: 0, awake: Awake::None, stand_ins: 1, workers_max: 2, states: 100 },
    World { name: "a stand-in comes and somebody leaves", pushers: &[&[Task::Slow]], events: 0, awake: Awake::None, stand_ins: 1, workers_max: 6, states: 50_937 },
    World { name: "a stand-in comes while a foreign thread pushes", pushers: &[&[Task::Slow], &[Task::Leaf]], events: 0, awake: Awake::None, stand_ins: 1, workers_max: 2, states: 46_308 },
    World { name: "a stand-in comes and there is an event", pushers: &[&[Task::Slow]], events: 1, awake: Awake::None, stand_ins: 1, workers_max: 2, states: 42_635 },
];

impl World {
    fn scenario(&self, slots: usize, fault: Option<Fault>) -> Scenario {
        let workers = slots - self.stand_ins;
        let awake = match self.awake {
            Awake::None => 0,
            Awake::One => 1,
            Awake::All => workers,
        };
        let pushers = self.pushers.iter().map(|pushes| pushes.to_vec()).collect();
        Scenario { workers, awake, stand_ins: self.stand_ins, pushers, events: self.events, fault }
    }
}

fn workers_max() -> usize {
    std::env::var("SLEEP_MODEL_WORKERS").map_or(WORKERS, |number| match number.parse() {
        Ok(number) => number,
        Err(error) => panic!("SLEEP_MODEL_WORKERS={number}: {error}"),
    })
}

/// The properties that do not hold, each with the shortest way to where it fails.
fn failures(scenario: Scenario) -> (usize, Vec<(&'static str, Vec<Step>)>) {
    let checked = SleepModel(scenario).checker().threads(2).spawn_bfs().join();
    let failures = checked.discoveries().into_iter();
    let failures = failures.map(|(name, path)| (name, path.into_actions()));
    (checked.unique_state_count(), failures.collect())
}

#[test]
fn every_pushed_task_is_run_and_nobody_oversleeps() {
    let most = workers_max();
    for world in WORLDS {
        for slots in 2..=most.min(world.workers_max) {
            let start = Instant::now();
            let scenario = world.scenario(slots, None);
            let (states, failures) = failures(scenario.clone());
            assert!(failures.is_empty(), "{}, {slots} workers: {failures:#?}", world.name);
            match progress::states_without_circle(&SleepModel(scenario)) {
                Ok(walked) => assert_eq!(walked, states, "{}, {slots} workers", world.name),
                Err(circle) => panic!("{}, {slots} workers: a task waits for ever: {circle:#?}", world.name),
            }
            if slots == WORKERS.min(world.workers_max) {
                assert_eq!(states, world.states, "{}, {slots} workers: the states have changed", world.name);
            }
            println!("{}, {slots} workers: {states} states in {:.1?}", world.name, start.elapsed());
        }
    }
}

/// Leaves a step out, in all worlds of two workers, and says which properties fail in any.
fn found_without(fault: Fault) -> BTreeSet<&'static str> {
    let worlds =
        WORLDS.iter().map(|world| world.scenario(WORKERS.min(world.workers_max).min(2), Some(fault)));
    worlds.flat_map(|scenario| failures(scenario).1).map(|(name, _)| name).collect()
}

#[test]
fn a_worker_that_parks_without_a_second_look_strands_a_task() {
    assert_eq!(found_without(Fault::ParkWithoutLook), [STRANDED, UNATTENDED, UNFINISHED].into());
}

#[test]
fn a_push_that_wakes_nobody_strands_its_task() {
    assert_eq!(found_without(Fault::PushWithoutWake), [STRANDED, UNATTENDED, UNFINISHED].into());
}

#[test]
fn a_last_searcher_that_does_not_hand_on_leaves_a_task_waiting_for_its_poll() {
    assert_eq!(found_without(Fault::NoHandOn), [UNATTENDED].into());
}

#[test]
fn a_waker_that_does_not_look_again_strands_what_relied_on_it() {
    assert_eq!(
        found_without(Fault::NoLookAfterGiveBack),
        [STRANDED, UNATTENDED, UNDRIVEN, UNFINISHED].into()
    );
}

/// A thread leaves the driver to a waker that counts as searching, gives its claim back, and sees no task.
#[test]
fn a_waker_that_looks_again_at_tasks_only_leaves_the_driver_to_nobody() {
    assert_eq!(found_without(Fault::GiveBackBlindToDriver), [UNDRIVEN].into());
}

#[test]
fn a_worker_that_leaves_without_handing_the_driver_on_leaves_it_to_nobody() {
    assert_eq!(found_without(Fault::LeaveWithoutHandOver), [UNDRIVEN].into());
}

#[test]
fn a_flag_that_is_set_before_the_count_makes_it_negative() {
    assert_eq!(found_without(Fault::FlagBeforeCount), [UNDERFLOW].into());
}

#[test]
fn a_foreman_that_sees_no_lifo_slot_strands_the_task_in_it() {
    assert_eq!(found_without(Fault::ForemanBlindToLifo), [STRANDED, UNFINISHED].into());
}

#[test]
fn a_foreman_that_does_not_look_at_the_driver_leaves_it_to_nobody() {
    assert_eq!(found_without(Fault::ForemanBlindToDriver), [UNDRIVEN].into());
}

#[test]
fn without_a_stand_in_tasks_wait_for_a_poll_that_never_ends() {
    assert_eq!(found_without(Fault::NoStandIn), [UNFINISHED].into());
}

#[test]
fn an_unpark_without_a_token_is_lost_on_a_worker_that_does_not_sleep_yet() {
    assert_eq!(found_without(Fault::UnparkWithoutToken), [STRANDED, UNDRIVEN, UNFINISHED].into());
}
