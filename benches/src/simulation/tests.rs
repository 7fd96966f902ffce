//! What is known of the simulated runtime without simulating it.
use super::costs::Costs;
use super::random::PollLength;
use super::rules::{DEFER_BATCH, EVENT_TIME, LOOK_INTERVAL, Rules, TIMED_AFTER};
use super::{Outcome, Setup, run};

const RULES: [Rules; 4] = [Rules::Shopfloor, Rules::SharedBatches, Rules::KeptBatches, Rules::Tokio];

fn setup(rules: Rules, workers: usize) -> Setup {
    Setup {
        rules,
        workers,
        groups: 1,
        load: 0.5,
        poll: PollLength::Fixed(5_000),
        wakes: 0,
        events: 6_000,
        seed: 1,
        costs: Costs::MEASURED,
    }
}

fn all_sizes(check: impl Fn(&Setup, &Outcome)) {
    let tail = PollLength::HeavyTailed { min: 2_000.0, max: 10_000_000.0, shape: 1.3 };
    for rules in RULES {
        for (workers, groups) in [(1, 1), (2, 1), (3, 2), (16, 1), (16, 4)] {
            for (poll, wakes) in [(PollLength::Fixed(500), 15), (PollLength::Fixed(50_000), 0), (tail, 2)] {
                for load in [0.1, 0.9] {
                    let events = 300;
                    let setup = Setup { groups, poll, wakes, load, events, ..setup(rules, workers) };
                    check(&setup, &run(&setup));
                }
            }
        }
    }
}

#[test]
fn every_task_that_becomes_ready_is_done() {
    all_sizes(|setup, outcome| {
        assert_eq!(outcome.ready, setup.events * u64::from(1 + setup.wakes), "{setup:?}");
        assert_eq!(outcome.done, outcome.ready, "{setup:?}");
    });
}

#[test]
fn a_seed_decides_the_outcome() {
    all_sizes(|setup, outcome| assert_eq!(run(setup), *outcome, "{setup:?}"));
    let base = setup(Rules::Shopfloor, 2);
    assert_ne!(run(&base), run(&Setup { seed: 2, ..base }));
}

/// The formula of Pollaczek and Khinchine for polls of one length: D + D ρ / 2 (1 − ρ).
#[test]
fn one_worker_without_costs_is_the_queue_of_the_textbook() {
    for rules in RULES {
        for load in [0.3, 0.5, 0.8] {
            let length = 10_000.0;
            let setup = Setup {
                load,
                poll: PollLength::Fixed(10_000),
                events: 60_000,
                costs: Costs::NOTHING,
                ..setup(rules, 1)
            };
            let outcome = run(&setup);
            let expected = length + length * load / (2.0 * (1.0 - load));
            let error = outcome.mean_ns / expected - 1.0;
            assert!(error.abs() < 0.04, "{rules:?} at {load}: {} for {expected}", outcome.mean_ns);
            assert_eq!(outcome.wakes, 0.0);
        }
    }
}

#[test]
fn cpu_time_is_that_of_the_polls_and_what_is_charged_for_the_rest() {
    let free = run(&Setup { costs: Costs::NOTHING, ..setup(Rules::Tokio, 1) });
    assert_eq!(free.cpu_ns, 5_000.0);
    // Alone and far from each other: each event is a sleep, a turn, and a search among nobody.
    let costs = Costs { sleep: 2_000, turn: 500, event: 300, ..Costs::NOTHING };
    let rare = run(&Setup { costs, load: 0.0001, ..setup(Rules::Tokio, 1) });
    assert!((rare.cpu_ns - 7_800.0).abs() < 10.0, "{}", rare.cpu_ns);
}

#[test]
fn no_task_waits_longer_than_the_rule_allows_while_a_worker_sleeps() {
    for workers in [2, 4, 16] {
        for length in [2_000, 20_000, 50_000] {
            let poll = PollLength::Fixed(length);
            let setup = Setup { poll, load: 0.6, costs: Costs::NOTHING, ..setup(Rules::Shopfloor, workers) };
            let stranded = run(&setup).stranded_ns;
            // A look comes after each fourth poll, until polls are known to be long.
            let allowed = DEFER_BATCH + u64::from(LOOK_INTERVAL) * length;
            assert!(stranded <= allowed, "{workers} workers, {length} ns: {stranded} > {allowed}");
        }
    }
}

#[test]
fn no_event_waits_longer_than_the_rule_allows_in_a_group() {
    for groups in [1, 4] {
        for length in [20_000, 50_000, 150_000] {
            // Now and then with nothing to do, and never.
            for load in [0.3, 0.6, 1.5] {
                let poll = PollLength::Fixed(length);
                let events = 20_000;
                let base = setup(Rules::Shopfloor, 16);
                let setup = Setup { groups, poll, load, events, costs: Costs::NOTHING, ..base };
                let waited = run(&setup).waited_ns;
                let allowed = EVENT_TIME.end() + TIMED_AFTER.max(length);
                assert!(waited <= allowed, "{groups} groups, {length} ns, {load}: {waited} > {allowed}");
            }
        }
    }
}

#[test]
fn a_worker_that_finds_enough_to_steal_looks_at_its_driver_first() {
    for workers in [16, 64] {
        let length = 50_000;
        let poll = PollLength::Fixed(length);
        let base = setup(Rules::Shopfloor, workers);
        let unseen = run(&Setup { groups: workers / 4, poll, load: 0.3, ..base }).unseen_ns;
        assert!(unseen <= 2 * length, "{workers} workers: {unseen}");
    }
}

#[test]
fn a_push_wakes_somebody_of_another_group_if_nobody_of_its_own_sleeps() {
    for rules in RULES {
        let poll = PollLength::Fixed(50_000);
        let outcome = run(&Setup { groups: 2, poll, wakes: 15, load: 0.3, ..setup(rules, 2) });
        assert!(outcome.wakes > 0.01, "{rules:?}: {outcome:?}");
    }
}

#[test]
fn what_half_of_the_workers_could_do_is_kept_up_with() {
    for rules in RULES {
        for workers in [2, 8, 32] {
            let poll = PollLength::Fixed(50_000);
            let outcome = run(&Setup { poll, ..setup(rules, workers) });
            assert!(outcome.kept_up > 0.99, "{rules:?}, {workers}: {outcome:?}");
        }
    }
}

#[test]
fn events_that_come_faster_than_a_driver_delivers_are_not_kept_up_with() {
    let slow = Costs { event: 10_000, ..Costs::MEASURED };
    let one = Setup { costs: slow, load: 0.9, ..setup(Rules::Tokio, 16) };
    let outcome = run(&one);
    assert!(outcome.kept_up < 0.1 && outcome.events_per_s < 100_000.0, "{outcome:?}");
    let four = run(&Setup { groups: 4, ..one });
    assert!(four.tasks_per_s > 3.0 * outcome.tasks_per_s, "{four:?}");
}
