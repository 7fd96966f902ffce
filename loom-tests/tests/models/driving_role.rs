//! Threads that want to drive one current-thread runtime.

use std::sync::Arc;

use protocol_loom::driving_role::DrivingRole;
use protocol_loom::parker::Parker;
use protocol_loom::sync::{Arc as SharedArc, UnsafeCell};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "driving_role::it_passes_to_one_who_waits",
        property: "Two threads want to drive: each does, one after the other, with what the other did.",
        outcomes: &["first, second", "second, first"],
        preemption_bound: None,
        body: two_drivers,
    },
    Model {
        name: "driving_role::one_who_gave_up_waiting_keeps_nobody_from_it",
        property: "The driver leaves, one waits and gives up, another waits: that one drives.",
        outcomes: &["at once", "told"],
        preemption_bound: None,
        body: one_gives_up,
    },
    Model {
        name: "driving_role::who_gave_up_waiting_is_forgotten",
        property: "Two wait for a role that stays taken, and both give up: the role keeps neither parker.",
        outcomes: &["forgotten"],
        preemption_bound: None,
        body: both_give_up,
    },
];

struct Runtime {
    role: DrivingRole,
    /// How many have driven: what only the driver may touch.
    driven: UnsafeCell<u32>,
}

// SAFETY: `driven` belongs to whoever has the role; loom checks it.
unsafe impl Sync for Runtime {}

impl Runtime {
    fn new() -> Arc<Self> {
        Arc::new(Self { role: DrivingRole::new(), driven: UnsafeCell::new(0) })
    }

    /// What `block_on` does: drives once it may. How many have driven before.
    fn drive(&self) -> u32 {
        let parker = SharedArc::new(Parker::new());
        while !self.role.take_or_wait(&parker) {
            parker.park();
        }
        let before = self.driven.with_mut(|driven| {
            // SAFETY: the role is ours; loom checks it.
            let driven = unsafe { &mut *driven };
            std::mem::replace(driven, *driven + 1)
        });
        self.role.leave();
        before
    }
}

fn two_drivers(order: Order, outcomes: &Outcomes) {
    let runtime = Runtime::new();
    let other = Arc::clone(&runtime);
    outcomes.saw(match order.run2(move || runtime.drive(), move || other.drive()) {
        (0, 1) => "first, second",
        (1, 0) => "second, first",
        counts => panic!("driven before: {counts:?}"),
    });
}

fn one_gives_up(order: Order, outcomes: &Outcomes) {
    let runtime = Runtime::new();
    let (leaver, quitter, waiter) = (Arc::clone(&runtime), Arc::clone(&runtime), Arc::clone(&runtime));
    assert!(runtime.role.take_or_wait(&SharedArc::new(Parker::new())));
    let waiting = SharedArc::new(Parker::new());
    assert!(!runtime.role.take_or_wait(&waiting));
    let parker = SharedArc::new(Parker::new());
    let own = SharedArc::clone(&parker);
    let ((), (), drives) = order.run3(
        move || leaver.role.leave(),
        move || quitter.role.stop_waiting(&waiting),
        move || waiter.role.take_or_wait(&own),
    );
    if !drives {
        assert!(parker.take_token(), "it sleeps, and the role is free");
        assert!(runtime.role.take_or_wait(&parker));
    }
    outcomes.saw(if drives { "at once" } else { "told" });
}

fn both_give_up(order: Order, outcomes: &Outcomes) {
    let role = Arc::new(DrivingRole::new());
    assert!(role.take_or_wait(&SharedArc::new(Parker::new())));
    let wait = |role: Arc<DrivingRole>| {
        move || {
            let parker = SharedArc::new(Parker::new());
            assert!(!role.take_or_wait(&parker));
            role.stop_waiting(&parker);
            parker
        }
    };
    let (mut first, mut second) = order.run2(wait(Arc::clone(&role)), wait(Arc::clone(&role)));
    assert!(SharedArc::get_mut(&mut first).is_some() && SharedArc::get_mut(&mut second).is_some());
    outcomes.saw("forgotten");
}
