//! The end of a runtime against workers that sleep and threads that spawn, and the foreman's sleep.

use std::sync::Arc;
use std::task::Poll;

use protocol_loom::flag::Flag;
use protocol_loom::foreman_sleep::ForemanSleep;
use protocol_loom::groups::Groups;
use protocol_loom::idle::Idle;
use protocol_loom::parker::Parker;
use protocol_loom::roster::Roster;
use protocol_loom::shutdown::{Lifecycle, RuntimePhase};

use super::cell::{Cell, End, Output};
use super::idle::woken_by;
use super::payload::Payload;
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "shutdown::a_sleeping_worker_learns_of_it",
        property: "A worker that parks against the start of closing: it sees the phase or is woken.",
        outcomes: &["leaves"],
        preemption_bound: None,
        body: closing_against_park,
    },
    Model {
        name: "shutdown::one_of_two_closers_wins",
        property: "Two threads start to close: exactly one is told that it did.",
        outcomes: &["first", "second"],
        preemption_bound: None,
        body: two_closers,
    },
    Model {
        name: "shutdown::who_sees_a_phase_sees_what_led_to_it",
        property: "Who reads a phase comes after what the closer did before it set that phase.",
        outcomes: &["Closed", "Draining", "Open"],
        preemption_bound: None,
        body: phases_against_look,
    },
    Model {
        name: "shutdown::a_waiter_learns_of_the_end",
        property: "A wait for Closed against the close: the wait ends.",
        outcomes: &["closed"],
        preemption_bound: None,
        body: close_against_wait,
    },
    Model {
        name: "shutdown::a_spawn_is_refused_or_cancelled",
        property: "A spawn by a worker against closing: refused, or listed, seen by the walk and cancelled.",
        outcomes: &["cancelled by the spawner", "cancelled by the walk", "refused"],
        preemption_bound: None,
        body: closing_against_spawn,
    },
    Model {
        name: "shutdown::it_is_not_closed_before_every_roster_is",
        property: "Closing against a worker that parks and a foreign spawn: Closed means refused or complete.",
        outcomes: &["cancelled", "refused"],
        preemption_bound: Some(3),
        body: closing_against_park_and_spawn,
    },
    Model {
        name: "shutdown::a_root_that_joins_learns_of_the_end",
        property: "A thread in `block_on` joins a task that shutdown aborts: it sees the end, or is woken.",
        outcomes: &["at once", "woken"],
        preemption_bound: None,
        body: closing_against_root,
    },
    Model {
        name: "foreman_sleep::a_worker_that_leaves_park_wakes_the_foreman",
        property: "The foreman's deep sleep against a worker leaving park: it does not sleep, or is woken.",
        outcomes: &["awake", "woken"],
        preemption_bound: None,
        body: sleep_against_leaving,
    },
    Model {
        name: "foreman_sleep::two_workers_that_leave_park_wake_the_foreman",
        property: "The foreman's deep sleep against two workers leaving park: it does not sleep, or is woken.",
        outcomes: &["awake", "woken"],
        preemption_bound: Some(3),
        body: sleep_against_two,
    },
    Model {
        name: "foreman_sleep::who_wakes_a_parked_worker_wakes_the_foreman",
        property: "The foreman's deep sleep against a push that wakes a worker, before that one has done anything: it does not sleep, or is woken.",
        outcomes: &["awake", "woken"],
        preemption_bound: None,
        body: sleep_against_push,
    },
];

fn closing_against_park(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Idle::new(1, Groups::new(1)), Parker::new(), Lifecycle::new()));
    let closer = Arc::clone(&shared);
    order.run2(
        move || {
            let (idle, parker, lifecycle) = &*shared;
            let look = || parker.take_token() || lifecycle.phase() != RuntimePhase::Open;
            while lifecycle.phase() == RuntimePhase::Open {
                let _ = idle.park(0, false, look, || parker.park());
            }
        },
        move || {
            let (_, parker, lifecycle) = &*closer;
            assert!(lifecycle.start_closing());
            parker.unpark(|| {});
        },
    );
    outcomes.saw("leaves");
}

fn two_closers(order: Order, outcomes: &Outcomes) {
    let lifecycle = Arc::new(Lifecycle::new());
    let (first, second) = (Arc::clone(&lifecycle), Arc::clone(&lifecycle));
    let (first, second) = order.run2(move || first.start_closing(), move || second.start_closing());
    assert!(first != second);
    assert_eq!(lifecycle.phase(), RuntimePhase::Draining);
    outcomes.saw(if first { "first" } else { "second" });
}

fn phases_against_look(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Lifecycle::new(), Payload::new(), Payload::new()));
    let looker = Arc::clone(&shared);
    let ((), phase) = order.run2(
        move || {
            let (lifecycle, first, second) = &*shared;
            first.write();
            assert!(lifecycle.start_closing());
            second.write();
            assert!(lifecycle.close());
        },
        move || {
            let (lifecycle, first, second) = &*looker;
            let phase = lifecycle.phase();
            if phase >= RuntimePhase::Draining {
                first.read();
            }
            if phase == RuntimePhase::Closed {
                second.read();
            }
            phase
        },
    );
    outcomes.saw(format!("{phase:?}"));
}

fn close_against_wait(order: Order, outcomes: &Outcomes) {
    let lifecycle = Arc::new(Lifecycle::new());
    assert!(lifecycle.start_closing());
    let (waiter, closer) = (Arc::clone(&lifecycle), lifecycle);
    let (done, closed) = order.run2(
        move || waiter.wait(|| waiter.phase() == RuntimePhase::Closed, || None),
        move || closer.close(),
    );
    assert!(done && closed);
    outcomes.saw("closed");
}

fn closing_against_spawn(order: Order, outcomes: &Outcomes) {
    let roster = Arc::new(Roster::new(false));
    let cell = Arc::new(Cell::detached(1, 0).for_roster(Arc::clone(&roster)));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (spawned, walked) = order.run2(
        move || task.list().then(|| task.run(|| Poll::Pending)),
        move || {
            let _nothing_kept: Option<()> = roster.close();
            let state = roster.lock();
            let pinned = state.list && task2.state.pin();
            drop(state);
            pinned.then(|| {
                let end = task2.abort();
                task2.unpin();
                end
            })
        },
    );
    outcomes.saw(match (spawned, walked) {
        (None, None) => "refused",
        (Some(End::Complete(Output::Cancelled)), Some(End::Left)) => "cancelled by the spawner",
        (Some(End::Left), Some(End::Complete(Output::Cancelled))) => "cancelled by the walk",
        other => panic!("spawned and walked: {other:?}"),
    });
    if spawned.is_some() {
        cell.drop_waker();
        assert!(cell.is_freed());
    }
}

fn closing_against_park_and_spawn(order: Order, outcomes: &Outcomes) {
    let roster = Arc::new(Roster::new(false));
    let lifecycle = Arc::new(Lifecycle::new());
    let task = Arc::new(Cell::detached(1, 0).for_roster(Arc::clone(&roster)));
    // What a worker asks before it parks, and the closer when all tasks are aborted.
    let try_close = |task: &Cell, roster: &Roster<bool, ()>, lifecycle: &Lifecycle| {
        let is_incomplete = |listed: &bool| *listed && !task.state.load().is_complete();
        if lifecycle.phase() == RuntimePhase::Draining && roster.lock().is_drained(is_incomplete) {
            lifecycle.close();
        }
    };
    let spawn = (Arc::clone(&task), Arc::clone(&lifecycle));
    let park = (Arc::clone(&task), Arc::clone(&roster), Arc::clone(&lifecycle));
    let close = (Arc::clone(&task), roster, Arc::clone(&lifecycle));
    let (listed, (), ()) = order.run3(
        move || {
            let (task, lifecycle) = spawn;
            let listed = task.list();
            if listed {
                task.run(|| Poll::Pending);
                let closed = lifecycle.phase() == RuntimePhase::Closed;
                assert!(!closed || task.state.load().is_complete(), "nobody is left who would run it");
            }
            listed
        },
        move || try_close(&park.0, &park.1, &park.2),
        move || {
            let (task, roster, lifecycle) = close;
            assert!(lifecycle.start_closing());
            let _nothing_kept: Option<()> = roster.close();
            let state = roster.lock();
            let pinned = state.list && task.state.pin();
            drop(state);
            if pinned {
                task.abort();
                task.unpin();
            }
            try_close(&task, &roster, &lifecycle);
        },
    );
    outcomes.saw(if listed { "cancelled" } else { "refused" });
    if listed {
        task.drop_waker();
        assert!(task.is_freed());
    }
}

/// The root's waker raises a flag and unparks, as that of `block_on` does; a park that ends has a raise behind it.
fn closing_against_root(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Cell::new(1, 1).waiting(), Flag::new(false), Parker::new()));
    let (root, closer) = (Arc::clone(&shared), Arc::clone(&shared));
    let (polls, ()) = order.run2(
        move || {
            let (task, woken, parker) = &*root;
            let (polls, output) = match task.join(1) {
                Some(output) => (1, output),
                None => {
                    parker.park();
                    assert!(woken.lower(), "unparked before it is woken");
                    (2, task.join_again(1).expect("woken at the end"))
                }
            };
            assert_eq!(output, Output::Cancelled);
            polls
        },
        move || {
            let (task, woken, parker) = &*closer;
            match task.abort() {
                End::Complete(Output::Cancelled) => {}
                End::WakeJoiner(Output::Cancelled, 1) => {
                    woken.raise();
                    parker.unpark(|| {});
                }
                other => panic!("the abort of a task that waits: {other:?}"),
            }
        },
    );
    shared.0.unpin();
    shared.0.drop_waker();
    outcomes.saw(if polls == 1 { "at once" } else { "woken" });
}

fn sleep_against_leaving(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Idle::new(1, Groups::new(1)), Parker::new(), ForemanSleep::new()));
    let worker = Arc::clone(&shared);
    let (slept, ()) = order.run2(move || deep_sleep(&shared, 1), move || leave_park(&worker, 0));
    outcomes.saw(if slept { "woken" } else { "awake" });
}

fn sleep_against_two(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Idle::new(2, Groups::new(1)), Parker::new(), ForemanSleep::new()));
    let (first, second) = (Arc::clone(&shared), Arc::clone(&shared));
    let (slept, (), ()) = order.run3(
        move || deep_sleep(&shared, 2),
        move || leave_park(&first, 0),
        move || leave_park(&second, 1),
    );
    outcomes.saw(if slept { "woken" } else { "awake" });
}

fn sleep_against_push(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Idle::new(1, Groups::new(1)), Parker::new(), ForemanSleep::new()));
    let (parked, pusher) = (Arc::clone(&shared), Arc::clone(&shared));
    let mut slept = false;
    // The worker is in park until both are through.
    let meanwhile = || {
        let push = move || {
            let (idle, parker, sleep) = &*pusher;
            idle.push(0, || {}, &woken_by(|_| sleep.worker_left_park(|| parker.unpark(|| {}))));
        };
        (slept, ()) = order.run2(move || deep_sleep(&shared, 1), push);
    };
    assert!(parked.0.park(0, false, || false, meanwhile), "the push has woken it");
    outcomes.saw(if slept { "woken" } else { "awake" });
}

/// Whether the foreman slept; it is over only if somebody woke it.
fn deep_sleep((idle, parker, sleep): &(Idle, Parker, ForemanSleep), workers: usize) -> bool {
    let mut slept = false;
    sleep.sleep(
        || idle.parked() == workers,
        || {
            slept = true;
            parker.park();
        },
    );
    slept
}

/// A worker whose sleep ends by itself.
fn leave_park((idle, parker, sleep): &(Idle, Parker, ForemanSleep), slot: usize) {
    let searching = idle.park(slot, false, || false, || {});
    assert!(!searching);
    sleep.worker_left_park(|| parker.unpark(|| {}));
}
