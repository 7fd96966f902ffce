//! Workers that park, leave, or begin: somebody stays in the driver, and the foreman is awake while anybody runs.

use std::cell::Cell;
use std::sync::Arc;

use protocol_loom::driver_token::{DriverToken, Turning};
use protocol_loom::foreman_sleep::ForemanSleep;
use protocol_loom::groups::Groups;
use protocol_loom::idle::{Idle, Workplace};
use protocol_loom::parker::Parker;
use protocol_loom::seats::Seats;

use super::item::Item;
use super::parker::Poll;
use super::support::{Model, Order, Outcomes};
use super::workplace::ByClosures;

pub const MODELS: &[Model] = &[
    Model {
        name: "driver_token::a_worker_that_leaves_hands_on_the_driver",
        property: "One turns the driver and leaves while another parks: that one sleeps in the driver in the end.",
        outcomes: &["at once", "woken beside it"],
        preemption_bound: None,
        body: |order, outcomes| leave_against_park(order, outcomes, 1),
    },
    Model {
        name: "driver_token::a_worker_that_leaves_hands_the_driver_on_within_its_group",
        property: "The same while a worker of another group sleeps: that one is left alone.",
        outcomes: &["at once", "woken beside it"],
        preemption_bound: None,
        body: |order, outcomes| leave_against_park(order, outcomes, 2),
    },
    Model {
        name: "driver_token::a_push_reaches_a_worker_wherever_it_sleeps",
        property: "A push against two workers that park, in the driver and beside it: one of them gets the item.",
        outcomes: &["first", "second"],
        preemption_bound: Some(3),
        body: push_against_sleepers,
    },
    Model {
        name: "driver_token::a_push_reaches_a_worker_that_spins_and_then_sleeps",
        property: "A push against a worker that looks at the driver for a while and then sleeps in it: it is reached.",
        outcomes: &["asleep", "awake", "spinning"],
        preemption_bound: None,
        body: push_against_spinner,
    },
    Model {
        name: "idle::a_worker_shares_its_own_queue_with_a_sleeper",
        property: "A push to the own queue against a peer whose sleep may end at any time: the item is run once.",
        outcomes: &["by the peer", "by the pusher"],
        preemption_bound: None,
        body: own_push_against_park,
    },
    Model {
        name: "seats::a_returning_worker_and_its_stand_in_leave_one_of_them",
        property: "A stuck poll ends while the foreman brings in a stand-in: one slot is run in the end.",
        outcomes: &["the stand-in stays", "the worker stays"],
        preemption_bound: None,
        body: return_against_stand_in,
    },
    Model {
        name: "seats::a_free_seat_is_taken_once",
        property: "A thread that gave its slot away against the foreman: one free slot goes to one of them.",
        outcomes: &["foreman", "thread"],
        preemption_bound: None,
        body: two_takers_of_a_seat,
    },
    Model {
        name: "foreman_sleep::a_caller_of_block_on_wakes_the_foreman",
        property: "The foreman's deep sleep against a thread that begins to run a slot: no sleep, or it is woken.",
        outcomes: &["awake", "woken"],
        preemption_bound: None,
        body: deep_sleep_against_block_on,
    },
];

struct Floor {
    idle: Idle,
    token: DriverToken,
    driver: Poll,
    parkers: [Parker; 2],
    item: Item,
}

impl Floor {
    fn new(workers: usize, groups: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Idle::new(workers, Groups::new(groups)),
            token: DriverToken::new(),
            driver: Poll::new(),
            parkers: [Parker::new(), Parker::new()],
            item: Item::new(),
        })
    }

    /// As the scheduler's worker parks.
    fn park(&self, slot: usize, searching: bool, has_work: bool, in_driver: impl FnOnce()) -> bool {
        let parker = &self.parkers[slot];
        let look = || parker.take_token() || has_work && self.item.is_there();
        let spin = |_: &dyn Fn() -> bool| {
            self.idle.note_in_driver(slot);
            false
        };
        self.idle.park(slot, searching, look, || self.token.sleep(parker, spin, in_driver, || {}))
    }
}

impl Workplace for Floor {
    fn has_work(&self) -> bool {
        self.item.is_there()
    }

    fn needs_a_worker(&self, _: usize) -> bool {
        self.has_work()
    }

    fn unpark(&self, slot: usize) {
        self.parkers[slot].unpark(|| self.driver.interrupt());
    }
}

/// The two are in the last of so many groups; in the others everybody sleeps.
fn leave_against_park(order: Order, outcomes: &Outcomes, groups: usize) {
    let floor = Floor::new(groups, groups);
    let group = groups - 1;
    let mut parks = 0;
    let mut meanwhile = || {
        // Before the other one begins to park: if that one got the driver first, there would be nothing to hand on.
        let turning = HeldToken::take(Arc::clone(&floor));
        let (leaver, sleeper) = (Arc::clone(&floor), Arc::clone(&floor));
        ((), parks) = order.run2(
            move || {
                drop(turning);
                let unpark = |slot| leaver.unpark(slot);
                leaver.idle.hand_on_driver(group, &ByClosures { has_work: || false, unpark });
            },
            move || {
                let slept_in_driver = Cell::new(false);
                let (mut searching, mut parks) = (false, 0);
                while !slept_in_driver.get() {
                    searching = sleeper.park(group, searching, false, || slept_in_driver.set(true));
                    parks += 1;
                }
                parks
            },
        );
    };
    if group == 0 {
        meanwhile();
    } else {
        assert!(!floor.idle.park(0, false, || false, meanwhile), "nobody has woken it");
    }
    outcomes.saw(if parks == 1 { "at once" } else { "woken beside it" });
}

/// The driver token of a floor, held by whoever owns this.
struct HeldToken {
    /// Dropped first.
    _turning: Turning<'static>,
    _floor: Arc<Floor>,
}

impl HeldToken {
    fn take(floor: Arc<Floor>) -> Self {
        let turning = floor.token.try_take().expect("nobody holds it");
        // SAFETY: the floor that it borrows from is kept behind it, at an address that does not change.
        let turning = unsafe { std::mem::transmute::<Turning<'_>, Turning<'static>>(turning) };
        Self { _turning: turning, _floor: floor }
    }
}

fn push_against_sleepers(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(2, 1);
    let worker = |slot: usize| {
        let floor = Arc::clone(&floor);
        move || {
            floor.park(slot, false, true, || floor.driver.wait());
            let got = floor.item.take();
            // The other one is let go.
            floor.unpark(1 - slot);
            got
        }
    };
    let submitter = Arc::clone(&floor);
    let (first, second, ()) = order.run3(worker(0), worker(1), move || {
        submitter.idle.push(0, || submitter.item.put(), &*submitter);
    });
    assert!(first != second, "one gets it");
    outcomes.saw(if first { "first" } else { "second" });
}

fn push_against_spinner(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 1);
    let (worker, submitter) = (Arc::clone(&floor), floor);
    let (ended, ()) = order.run2(
        move || {
            let ended = Cell::new("awake");
            let parker = &worker.parkers[0];
            // A spin of one round.
            let spin = |is_notified: &dyn Fn() -> bool| {
                let notified = is_notified();
                if notified {
                    ended.set("spinning");
                }
                notified
            };
            let in_driver = || {
                ended.set("asleep");
                worker.driver.wait();
            };
            let look = || parker.take_token() || worker.item.is_there();
            let _ = worker.idle.park(0, false, look, || worker.token.sleep(parker, spin, in_driver, || {}));
            assert!(worker.item.take(), "the push ends the park");
            ended.get()
        },
        move || submitter.idle.push(0, || submitter.item.put(), &*submitter),
    );
    outcomes.saw(ended);
}

/// The queue is the stub's, so the deque gives no edge that crossbeam does not promise.
fn own_push_against_park(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Idle::new(1, Groups::new(1)), Item::new()));
    let peer = Arc::clone(&shared);
    let (kept, stolen) = order.run2(
        move || {
            let (idle, item) = &*shared;
            item.put();
            if idle.could_wake(0) {
                idle.wake_one(0, &ByClosures { has_work: || item.is_there(), unpark: |_| {} });
            }
            // The end of the poll: whatever was decided above, the pusher runs what is still there.
            item.take()
        },
        move || {
            let (idle, item) = &*peer;
            // It sleeps no time.
            let _ = idle.park(0, false, || item.is_there(), || {});
            item.take()
        },
    );
    outcomes.saw(match (kept, stolen) {
        (true, false) => "by the pusher",
        (false, true) => "by the peer",
        other => panic!("kept and stolen: {other:?}"),
    });
}

fn return_against_stand_in(order: Order, outcomes: &Outcomes) {
    let seats = Arc::new(Seats::new(1, 0..2));
    let worker_slot = seats.take_if_short().expect("nobody makes progress");
    let (foreman, worker) = (Arc::clone(&seats), Arc::clone(&seats));
    let (stays, retired) = order.run2(
        move || {
            foreman.note_stuck(1);
            let slot = foreman.take_if_short().expect("the one that is run is stuck");
            foreman.note_stuck(0);
            // The stand-in finds nothing to do.
            let retires = foreman.retire();
            if retires {
                foreman.give_back(slot);
            }
            !retires
        },
        move || {
            // Its poll has ended, and there is nothing else to do.
            let retires = worker.retire();
            if retires {
                worker.give_back(worker_slot);
            }
            retires
        },
    );
    assert_eq!(stays, retired);
    outcomes.saw(if stays { "the stand-in stays" } else { "the worker stays" });
    assert_eq!(seats.seated(), 1);
}

fn two_takers_of_a_seat(order: Order, outcomes: &Outcomes) {
    let seats = Arc::new(Seats::new(1, 0..2));
    // The slot of a worker that is stuck.
    assert!(seats.take_if_short().is_some());
    seats.note_stuck(1);
    let (foreman, thread) = (Arc::clone(&seats), Arc::clone(&seats));
    let taken = order.run2(move || foreman.take_if_short(), move || thread.take_if_short());
    outcomes.saw(match taken {
        (Some(_), None) => "foreman",
        (None, Some(_)) => "thread",
        other => panic!("taken: {other:?}"),
    });
    assert_eq!(seats.seated(), 2);
}

fn deep_sleep_against_block_on(order: Order, outcomes: &Outcomes) {
    let shared =
        Arc::new((Idle::new(1, Groups::new(1)), Seats::new(1, 0..1), Parker::new(), ForemanSleep::new()));
    let caller = Arc::clone(&shared);
    let (slept, ()) = order.run2(
        move || {
            let (idle, seats, parker, sleep) = &*shared;
            let mut slept = false;
            sleep.sleep(
                || idle.parked() >= seats.seated(),
                || {
                    slept = true;
                    parker.park();
                },
            );
            slept
        },
        move || {
            let (_, seats, parker, sleep) = &*caller;
            assert!(seats.take_if_short().is_some());
            sleep.worker_left_park(|| parker.unpark(|| {}));
        },
    );
    outcomes.saw(if slept { "woken" } else { "awake" });
}
