//! Sleeping on the parker and in the driver, and the driver's token.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use protocol_loom::driver_token::DriverToken;
use protocol_loom::parker::Parker;
use protocol_loom::sync::{Condvar, Mutex, UnsafeCell};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "parker::an_unpark_ends_the_park",
        property: "Park against unpark: the park ends and sees what was written before the unpark.",
        outcomes: &["parked"],
        preemption_bound: None,
        body: park_against_unpark,
    },
    Model {
        name: "parker::two_unparks_end_one_park",
        property: "Park against two unparks: the park ends, and at most one token is left.",
        outcomes: &["no token left", "one token left"],
        preemption_bound: None,
        body: park_against_two_unparks,
    },
    Model {
        name: "parker::a_park_that_times_out_takes_the_token_or_leaves_it",
        property: "A park that times out against unpark: it sees what was written, or the token is left.",
        outcomes: &["token left", "token taken"],
        preemption_bound: None,
        body: timeout_against_unpark,
    },
    Model {
        name: "parker::an_unpark_reaches_the_driver",
        property: "A sleep in the driver against unpark: it ends, and sees what was written before.",
        outcomes: &["before the sleep", "in the driver"],
        preemption_bound: None,
        body: |order, outcomes| driver_against_unpark(order, outcomes, false),
    },
    Model {
        name: "parker::an_unpark_reaches_a_spinner_on_its_way_into_the_driver",
        property: "A spin that turns into a sleep in the driver against unpark: it ends.",
        outcomes: &["before the sleep", "in the driver"],
        preemption_bound: None,
        body: |order, outcomes| driver_against_unpark(order, outcomes, true),
    },
    Model {
        name: "driver_token::one_thread_turns_the_driver",
        property: "Two takers of the token: never do both hold it, and the next holder sees the last one's buffers.",
        outcomes: &["both in turn", "first only", "second only"],
        preemption_bound: None,
        body: two_takers,
    },
    Model {
        name: "driver_token::an_unpark_reaches_whoever_holds_it",
        property: "Two workers block, one in the driver or both on parkers, against unparks of both: both end.",
        outcomes: &["driver and parker", "driver twice"],
        preemption_bound: Some(3),
        body: two_blocked_workers,
    },
];

fn park_against_unpark(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Parker::new(), Buffer::new()));
    let other = Arc::clone(&shared);
    order.run2(
        move || {
            shared.0.park();
            assert_eq!(shared.1.get(), 1);
        },
        move || {
            other.1.add();
            other.0.unpark(|| panic!("the owner is not in the driver"));
        },
    );
    outcomes.saw("parked");
}

fn timeout_against_unpark(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Parker::new(), Buffer::new()));
    let (owner, other) = (Arc::clone(&shared), Arc::clone(&shared));
    let (taken, ()) = order.run2(
        move || {
            let taken = owner.0.park_timeout(Duration::ZERO);
            if taken {
                assert_eq!(owner.1.get(), 1);
            }
            taken
        },
        move || {
            other.1.add();
            other.0.unpark(|| panic!("the owner is not in the driver"));
        },
    );
    assert_eq!(shared.0.take_token(), !taken, "one token was given");
    outcomes.saw(if taken { "token taken" } else { "token left" });
}

fn park_against_two_unparks(order: Order, outcomes: &Outcomes) {
    let parker = Arc::new(Parker::new());
    let (owner, first, second) = (Arc::clone(&parker), Arc::clone(&parker), Arc::clone(&parker));
    order.run3(move || owner.park(), move || first.unpark(|| {}), move || second.unpark(|| {}));
    outcomes.saw(if parker.take_token() { "one token left" } else { "no token left" });
    assert!(!parker.take_token());
}

/// What the scheduler knows of a driver: a wait that an interrupt ends, also one that comes before.
pub struct Poll {
    interrupted: Mutex<bool>,
    wake: Condvar,
}

impl Poll {
    pub fn new() -> Self {
        Self { interrupted: Mutex::new(false), wake: Condvar::new() }
    }

    pub fn wait(&self) {
        let mut interrupted = self.interrupted.lock();
        while !*interrupted {
            interrupted = self.wake.wait(interrupted);
        }
        *interrupted = false;
    }

    pub fn interrupt(&self) {
        *self.interrupted.lock() = true;
        self.wake.notify_one();
    }
}

/// Something that is not atomic.
struct Buffer(UnsafeCell<u32>);

// SAFETY: the protocol under test orders the accesses; where it fails to, loom fails the model.
unsafe impl Sync for Buffer {}
// SAFETY: as above.
unsafe impl Send for Buffer {}

impl Buffer {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn add(&self) {
        // SAFETY: the protocol excludes every other access; loom checks it.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }
}

fn driver_against_unpark(order: Order, outcomes: &Outcomes, spin: bool) {
    let shared = Arc::new((Parker::new(), Poll::new(), Buffer::new()));
    let other = Arc::clone(&shared);
    let (slept, ()) = order.run2(
        move || {
            let (parker, poll, buffer) = &*shared;
            // As after a spin of one round.
            let slept = (!spin || (parker.start_spin() && !parker.is_notified())) && parker.enter_driver();
            if slept {
                poll.wait();
                assert!(parker.leave_driver(), "only a token ends the sleep");
            } else {
                parker.leave_driver();
            }
            // An unpark that was seen without its token being taken publishes nothing yet; all took it here.
            assert_eq!(buffer.get(), 1);
            slept
        },
        move || {
            let (parker, poll, buffer) = &*other;
            buffer.add();
            parker.unpark(|| poll.interrupt());
        },
    );
    outcomes.saw(if slept { "in the driver" } else { "before the sleep" });
}

fn two_takers(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((DriverToken::new(), Buffer::new()));
    let taker = || {
        let shared = Arc::clone(&shared);
        move || {
            // A failed try leaves the token with its holder, as the second try would find out.
            let turning = shared.0.try_take().or_else(|| shared.0.try_take());
            if turning.is_some() {
                shared.1.add();
            }
            turning.is_some()
        }
    };
    let (first, second) = order.run2(taker(), taker());
    assert_eq!(shared.1.get(), u32::from(first) + u32::from(second));
    let turning = shared.0.try_take();
    assert!(turning.is_some(), "the token is given back");
    assert!(shared.0.is_held());
    drop(turning);
    assert!(!shared.0.is_held());
    outcomes.saw(match (first, second) {
        (true, true) => "both in turn",
        (true, false) => "first only",
        (false, true) => "second only",
        (false, false) => "nobody",
    });
}

fn two_blocked_workers(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((DriverToken::new(), Poll::new(), [Parker::new(), Parker::new()]));
    let worker = |slot: usize| {
        let shared = Arc::clone(&shared);
        move || {
            let (token, poll, parkers) = &*shared;
            let beside = Cell::new(false);
            token.sleep(&parkers[slot], |_| false, || poll.wait(), || beside.set(true));
            !beside.get()
        }
    };
    let waker = Arc::clone(&shared);
    let (first, second, ()) = order.run3(worker(0), worker(1), move || {
        let (_, poll, parkers) = &*waker;
        parkers[0].unpark(|| poll.interrupt());
        parkers[1].unpark(|| poll.interrupt());
    });
    outcomes.saw(match (first, second) {
        (true, true) => "driver twice",
        (false, false) => "no driver",
        _ => "driver and parker",
    });
}
