//! Pushes against workers that go to sleep. A lost wake-up is a deadlock, which loom reports.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use protocol_loom::groups::Groups;
use protocol_loom::idle::{Idle, Workplace};
use protocol_loom::parker::Parker;

use super::item::Item;
use super::payload::Payload;
use super::support::{Model, Order, Outcomes};
use super::workplace::ByClosures;

pub const MODELS: &[Model] = &[
    Model {
        name: "idle::a_push_reaches_a_worker_that_goes_to_sleep",
        property: "A push against a worker that parks: the worker sees the item or is woken.",
        outcomes: &["saw the item", "woken"],
        preemption_bound: None,
        body: |order, outcomes| push_against_park(order, outcomes, 1, false),
    },
    Model {
        name: "idle::a_push_reaches_a_searcher_that_goes_to_sleep",
        property: "A push that relies on a searcher against that searcher parking: it sees the item or is woken.",
        outcomes: &["saw the item", "woken"],
        preemption_bound: None,
        body: |order, outcomes| push_against_park(order, outcomes, 1, true),
    },
    Model {
        name: "idle::a_push_reaches_a_worker_of_another_group_that_goes_to_sleep",
        property: "A push that begins with a group without sleepers against a park in the other: it is seen, or wakes.",
        outcomes: &["saw the item", "woken"],
        preemption_bound: None,
        body: |order, outcomes| push_against_park(order, outcomes, 2, false),
    },
    Model {
        name: "idle::a_push_reaches_a_searcher_of_another_group_that_goes_to_sleep",
        property: "A push that begins with a group without sleepers against a searcher that parks: it is seen, or wakes.",
        outcomes: &["saw the item", "woken"],
        preemption_bound: None,
        body: |order, outcomes| push_against_park(order, outcomes, 2, true),
    },
    Model {
        name: "idle::who_wakes_a_worker_comes_after_its_announcement",
        property: "Who clears the flag of a worker comes after all that it did before it set the flag.",
        outcomes: &["needs no wake", "woken"],
        preemption_bound: None,
        body: announcement_against_wake,
    },
    Model {
        name: "idle::a_push_from_outside_wakes_the_one_in_the_driver_first",
        property: "Of two who are parked a push by a foreign thread wakes the one in the driver, the next the other.",
        outcomes: &["both woken"],
        preemption_bound: None,
        body: |_, outcomes| wakes_of_two(outcomes, 1, |idle, unpark| idle.push(0, || {}, &woken_by(unpark))),
    },
    Model {
        name: "idle::who_shares_its_work_wakes_the_one_in_the_driver_last",
        property: "Of two who are parked a worker wakes the one beside the driver, and next the one in it.",
        outcomes: &["both woken"],
        preemption_bound: None,
        body: |_, outcomes| {
            wakes_of_two(outcomes, 0, |idle, unpark| assert!(idle.wake_one(0, &woken_by(unpark))))
        },
    },
    Model {
        name: "idle::a_sleep_that_times_out_loses_no_push",
        property: "A push against a sleep that ends by itself: the item is taken and no count is left.",
        outcomes: &["first sleep", "second sleep"],
        preemption_bound: Some(3),
        body: push_against_timeout,
    },
    Model {
        name: "idle::two_pushes_reach_one_worker",
        property: "Two pushes against one worker that parks: both items are taken and no count is left.",
        outcomes: &["taken"],
        preemption_bound: Some(3),
        body: |order, outcomes| two_pushes(order, outcomes, 1),
    },
    Model {
        name: "idle::two_pushes_that_begin_with_different_groups_reach_one_worker",
        property: "The same where one of the pushes begins with another group: each is woken for, or seen.",
        outcomes: &["taken"],
        preemption_bound: Some(3),
        body: |order, outcomes| two_pushes(order, outcomes, 2),
    },
    Model {
        name: "idle::a_push_finds_the_sleeper_beside_one_that_leaves",
        property: "A push, one worker asleep, one whose sleep times out: the latter takes it or the former is woken.",
        outcomes: &["taken", "taken, sleeper woken", "sleeper woken"],
        preemption_bound: None,
        body: |order, outcomes| push_against_one_of_two(order, outcomes, 1),
    },
    Model {
        name: "idle::a_push_finds_the_sleeper_of_another_group_beside_one_that_leaves",
        property: "As before with a group for each: who finds nobody in the first group any more goes on to the second.",
        outcomes: &["taken", "taken, sleeper woken", "sleeper woken"],
        preemption_bound: None,
        body: |order, outcomes| push_against_one_of_two(order, outcomes, 2),
    },
    Model {
        name: "idle::the_last_searcher_hands_on_what_relied_on_it",
        property: "A push that relies on a searcher which found other work: the searcher wakes the sleeper.",
        outcomes: &["taken"],
        preemption_bound: Some(3),
        body: |order, outcomes| searcher_hands_on(order, outcomes, 1),
    },
    Model {
        name: "idle::who_gives_a_claim_back_asks_other_groups_for_those_who_relied_on_it",
        property: "A push relies on a wake of one group only, whose worker leaves by itself: it, or another group, has the item.",
        outcomes: &["taken", "taken, sleeper woken", "sleeper woken"],
        preemption_bound: Some(3),
        body: push_that_relies_on_a_wake_of_one_group,
    },
    Model {
        name: "idle::the_last_searcher_of_a_group_hands_on_to_another",
        property: "A push that relies on a searcher which found other work: it wakes the sleeper of another group.",
        outcomes: &["taken"],
        preemption_bound: Some(3),
        body: |order, outcomes| searcher_hands_on(order, outcomes, 2),
    },
    Model {
        name: "idle::a_push_is_left_to_the_searcher_while_there_is_one",
        property: "A push beside a searcher wakes nobody; when that one leaves, it or the next push wakes the sleeper.",
        outcomes: &["by the next push", "by the searcher"],
        preemption_bound: None,
        body: push_beside_a_searcher,
    },
];

struct Floor {
    groups: usize,
    idle: Idle,
    parkers: Vec<Parker>,
    items: Vec<Item>,
}

impl Floor {
    /// With no more than a model uses: each flag and item that is looked at multiplies the executions.
    fn new(workers: usize, groups: usize, items: usize) -> Arc<Self> {
        Arc::new(Self {
            groups,
            idle: Idle::new(workers, Groups::new(groups)),
            parkers: (0..workers).map(|_| Parker::new()).collect(),
            items: (0..items).map(|_| Item::new()).collect(),
        })
    }

    fn push(&self, item: usize) {
        self.push_from(0, item);
    }

    fn push_from(&self, group: usize, item: usize) {
        self.idle.push(group, || self.items[item].put(), self);
    }

    /// As the scheduler's worker parks.
    fn park(&self, slot: usize, searching: bool, also: impl FnOnce() -> bool) -> bool {
        let parker = &self.parkers[slot];
        let look = || parker.take_token() || self.has_work() || also();
        self.idle.park(slot, searching, look, || parker.park())
    }

    fn stop_searching(&self, group: usize) {
        self.idle.stop_searching(group, self);
    }

    /// Worker 0: parks until it has taken the one item.
    fn sleep_until_taken(&self) {
        let mut searching = false;
        while !self.items[0].take() {
            searching = self.park(0, searching, || false);
        }
        if searching {
            self.stop_searching(0);
        }
    }

    /// After all threads have ended.
    fn assert_nobody_is_counted(&self) {
        // After relaxed exchanges of several threads loom lets even the last load read an older count.
        if !loads_are_fresh() {
            return;
        }
        assert_eq!(self.idle.parked(), 0);
        assert!(!self.idle.could_wake(0));
        for group in 0..self.groups {
            assert!(self.idle.start_searching(group, 1), "somebody is counted as searching");
        }
    }
}

impl Workplace for Floor {
    fn has_work(&self) -> bool {
        self.items.iter().any(Item::is_there)
    }

    fn needs_a_worker(&self, _: usize) -> bool {
        self.has_work()
    }

    fn unpark(&self, slot: usize) {
        self.parkers[slot].unpark(|| {});
    }
}

/// The push begins with the last of so many groups, the worker is in the first.
fn push_against_park(order: Order, outcomes: &Outcomes, groups: usize, was_searching: bool) {
    let floor = Floor::new(1, groups, 1);
    if was_searching {
        assert!(floor.idle.start_searching(0, 1));
    }
    let (worker, submitter) = (Arc::clone(&floor), Arc::clone(&floor));
    let (blocked, ()) = order.run2(
        move || {
            let parker = &worker.parkers[0];
            let look = || parker.take_token() || worker.has_work();
            let mut searching = was_searching;
            let mut blocked = false;
            while !worker.items[0].take() {
                searching = worker.idle.park(0, searching, look, || {
                    blocked = true;
                    parker.park();
                });
            }
            if searching {
                worker.stop_searching(0);
            }
            blocked
        },
        move || submitter.push_from(groups - 1, 0),
    );
    floor.assert_nobody_is_counted();
    outcomes.saw(if blocked { "woken" } else { "saw the item" });
}

/// The count that a worker adds itself to before it sets its flag stands for what it did before. loom runs
/// read-modify-writes in the order of the program, so the count alone would not show that the edge is missing.
fn announcement_against_wake(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 1, 0);
    let announced = Arc::new(Payload::new());
    let (worker, before) = (Arc::clone(&floor), Arc::clone(&announced));
    let ((), woken) = order.run2(
        move || {
            before.write();
            // It looks at nothing, so that the wake alone ends the sleep, and sleeps no time.
            let _ = worker.idle.park(0, false, || false, || {});
        },
        move || {
            let woken = Cell::new(false);
            let unpark = |_| {
                announced.read();
                woken.set(true);
            };
            floor.idle.push(0, || {}, &ByClosures { has_work: || false, unpark });
            woken.get()
        },
    );
    outcomes.saw(if woken { "woken" } else { "needs no wake" });
}

fn push_against_timeout(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 1, 1);
    let (worker, submitter) = (Arc::clone(&floor), Arc::clone(&floor));
    let (sleeps, ()) = order.run2(
        move || {
            // The first sleep times out at once.
            let mut searching = worker.idle.park(0, false, || worker.has_work(), || {});
            let mut sleeps = 1;
            while !worker.items[0].take() {
                searching = worker.park(0, searching, || false);
                sleeps += 1;
            }
            if searching {
                worker.stop_searching(0);
            }
            sleeps
        },
        move || submitter.push(0),
    );
    floor.assert_nobody_is_counted();
    outcomes.saw(if sleeps == 1 { "first sleep" } else { "second sleep" });
}

fn two_pushes(order: Order, outcomes: &Outcomes, groups: usize) {
    let floor = Floor::new(1, groups, 2);
    let (worker, first, second) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    order.run3(
        move || {
            let (mut searching, mut taken) = (false, 0);
            while taken < 2 {
                let got = worker.items.iter().filter(|item| item.take()).count();
                taken += got;
                if got == 0 {
                    searching = worker.park(0, searching, || false);
                } else if std::mem::take(&mut searching) {
                    worker.stop_searching(0);
                }
            }
            if searching {
                worker.stop_searching(0);
            }
        },
        move || first.push(0),
        move || second.push_from(groups - 1, 1),
    );
    floor.assert_nobody_is_counted();
    outcomes.saw("taken");
}

fn push_against_one_of_two(order: Order, outcomes: &Outcomes, groups: usize) {
    let floor = Floor::new(2 * groups, groups, 1);
    let sleeper = 2 * groups - 1;
    let (worker, submitter) = (Arc::clone(&floor), Arc::clone(&floor));
    let mut taken = false;
    floor.idle.note_in_driver(sleeper);
    // The sleeper is asleep all the time: here its sleep consists of what the others do.
    let searching = floor.idle.park(
        sleeper,
        false,
        || false,
        || {
            assert!(floor.idle.could_wake(0));
            (taken, ()) = order.run2(
                move || {
                    worker.idle.note_in_driver(0);
                    let searching = worker.idle.park(0, false, || worker.has_work(), || {});
                    let taken = worker.items[0].take();
                    if searching {
                        worker.stop_searching(0);
                    }
                    taken
                },
                move || submitter.push(0),
            );
        },
    );
    let woken = floor.parkers[sleeper].take_token();
    assert_eq!(searching, woken, "who clears the flag wakes");
    if searching {
        floor.stop_searching(groups - 1);
    }
    floor.assert_nobody_is_counted();
    outcomes.saw(match (taken, woken) {
        (true, true) => "taken, sleeper woken",
        (true, false) => "taken",
        (false, true) => "sleeper woken",
        (false, false) => panic!("the item is stranded"),
    });
}

/// A workplace with work.
pub(super) fn woken_by(unpark: impl Fn(usize)) -> impl Workplace {
    ByClosures { has_work: || true, unpark }
}

/// Slots 0 and 1 are parked, and 1 is expected to be woken first. The sleep of the one consists of the other's, and that one's of
/// two wakes.
fn wakes_of_two(outcomes: &Outcomes, in_driver: usize, wake: fn(&Idle, &dyn Fn(usize))) {
    let floor = Floor::new(3, 1, 0);
    let woken = RefCell::new(Vec::new());
    let unpark = |slot| woken.borrow_mut().push(slot);
    let wakes = || {
        floor.idle.note_in_driver(in_driver);
        wake(&floor.idle, &unpark);
        // Nobody is woken while the first one searches.
        floor.stop_searching(0);
        wake(&floor.idle, &unpark);
    };
    let mut is_one_woken = false;
    let is_zero_woken =
        floor.idle.park(0, false, || false, || is_one_woken = floor.idle.park(1, false, || false, wakes));
    assert!(is_zero_woken && is_one_woken);
    assert_eq!(*woken.borrow(), [1, 0]);
    floor.stop_searching(0);
    floor.assert_nobody_is_counted();
    outcomes.saw("both woken");
}

/// As `push_against_one_of_two`; the push and a wake that is for the second group begin there.
fn push_that_relies_on_a_wake_of_one_group(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(2, 2, 1);
    let (worker, waker, submitter) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    let mut taken = false;
    let searching = floor.idle.park(
        0,
        false,
        || false,
        || {
            (taken, (), ()) = order.run3(
                move || {
                    let searching = worker.idle.park(1, false, || worker.has_work(), || {});
                    let taken = worker.items[0].take();
                    if searching {
                        worker.stop_searching(1);
                    }
                    taken
                },
                move || waker.idle.wake_one_of(1, &*waker),
                move || submitter.push_from(1, 0),
            );
        },
    );
    let woken = floor.parkers[0].take_token();
    assert_eq!(searching, woken, "who clears the flag wakes");
    if searching {
        floor.stop_searching(0);
    }
    floor.assert_nobody_is_counted();
    outcomes.saw(match (taken, woken) {
        (true, true) => "taken, sleeper woken",
        (true, false) => "taken",
        (false, true) => "sleeper woken",
        (false, false) => panic!("the item is stranded"),
    });
}

/// The sleeper is in the first of so many groups, the searcher and the push in the last.
fn searcher_hands_on(order: Order, outcomes: &Outcomes, groups: usize) {
    let floor = Floor::new(1, groups, 1);
    let group = groups - 1;
    assert!(floor.idle.start_searching(group, 2));
    let (sleeper, searcher, submitter) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    order.run3(
        move || sleeper.sleep_until_taken(),
        // It has found something else, which it does for ever.
        move || searcher.stop_searching(group),
        move || submitter.push_from(group, 0),
    );
    floor.assert_nobody_is_counted();
    outcomes.saw("taken");
}

fn push_beside_a_searcher(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 1, 2);
    let (searcher, submitter) = (Arc::clone(&floor), Arc::clone(&floor));
    let mut woken_by = (None, None);
    // As in `push_against_one_of_two`: the sleep consists of what the others do.
    let searching = floor.idle.park(
        0,
        false,
        || false,
        || {
            assert_eq!(floor.idle.parked(), 1);
            assert!(floor.idle.could_wake(0));
            assert!(floor.idle.start_searching(0, 2));
            assert!(!floor.idle.start_searching(0, 2), "one of two searches already");
            assert!(!floor.idle.could_wake(0));
            let unpark = |_| panic!("the searcher will find it");
            let without_a_wake = ByClosures { has_work: || floor.has_work(), unpark };
            floor.idle.push(0, || floor.items[0].put(), &without_a_wake);
            woken_by = order.run2(
                move || {
                    let woken = Cell::new(None);
                    let unpark = |slot| woken.set(Some(slot));
                    let has_work = || searcher.has_work();
                    searcher.idle.stop_searching(0, &ByClosures { has_work, unpark });
                    woken.get()
                },
                move || {
                    let woken = Cell::new(None);
                    let unpark = |slot| woken.set(Some(slot));
                    let has_work = || submitter.has_work();
                    submitter.idle.push(0, || submitter.items[1].put(), &ByClosures { has_work, unpark });
                    woken.get()
                },
            );
        },
    );
    assert!(searching, "who is woken counts as searching");
    floor.stop_searching(0);
    floor.assert_nobody_is_counted();
    outcomes.saw(match woken_by {
        (Some(0), None) => "by the searcher",
        (None, Some(0)) => "by the next push",
        other => panic!("woken by {other:?}"),
    });
}

/// Whether this run of the model has loads that read the newest store only.
fn loads_are_fresh() -> bool {
    std::env::var_os("LOOM_TESTS_LOADS").is_some_and(|loads| loads == "fresh")
}
