//! An earlier deadline reaches the one who sleeps in the driver.
//!
//! The driver's block is a permit behind a mutex and a condition variable: an interrupt given before the
//! block ends it at once. There is no clock. A block until [`NOW`] or earlier returns by itself, a longer
//! one lasts until it is interrupted, so a deadline that is slept past is a deadlock, which loom reports.

use std::sync::Arc;
use std::task::Waker;

use protocol_loom::alarm::{Alarm, NONE};
use protocol_loom::sync::{AtomicBool, Condvar, Mutex, Ordering};

use super::shared_wheel::{ModelWheel, turn, wheel};
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "alarm::earlier_deadline_reaches_sleeper",
        property: "Who sleeps in the driver sees the deadline that another thread files, or is interrupted.",
        outcomes: &["seen", "interrupted", "seen and interrupted"],
        preemption_bound: None,
        body: |order, outcomes| file_against_sleep(order, outcomes, None),
    },
    Model {
        name: "alarm::deadline_before_the_earliest_reaches_sleeper",
        property: "The same if the sleeper has a deadline already, of another wheel, that is later.",
        outcomes: &["seen", "interrupted", "seen and interrupted"],
        preemption_bound: None,
        body: |order, outcomes| file_against_sleep(order, outcomes, Some(50)),
    },
    Model {
        name: "alarm::later_deadline_disturbs_no_sleeper",
        property: "Once the sleeper has told until when it sleeps, a later deadline does not interrupt it.",
        outcomes: &["not interrupted", "interrupted while it computed"],
        preemption_bound: None,
        body: later_deadline,
    },
    Model {
        name: "alarm::a_deadline_that_the_sleeper_keeps_interrupts_nobody",
        property: "Who files the very deadline that the sleeper has told interrupts nobody; before that it may.",
        outcomes: &["told, not interrupted", "not told, interrupted", "not told, not interrupted"],
        preemption_bound: None,
        body: same_deadline,
    },
    Model {
        name: "alarm::owner_parks_after_the_sleeper",
        property: "A worker that filed without a look and parks later leaves its deadline to the sleeper.",
        outcomes: &["seen", "interrupted", "seen and interrupted"],
        preemption_bound: None,
        body: owner_parks,
    },
    Model {
        name: "alarm::interrupts_coalesce_without_loss",
        property: "Of two threads that file, both deadlines are served, by one interrupt or two.",
        outcomes: &["0 interrupts", "1 interrupts", "2 interrupts"],
        preemption_bound: Some(3),
        body: two_filers,
    },
    Model {
        name: "alarm::sleeper_is_reached_again",
        property: "An interrupt claimed for one sleep does not keep a later deadline from the next sleep.",
        outcomes: &["0 interrupts", "1 interrupts", "2 interrupts"],
        preemption_bound: Some(3),
        body: sleeps_twice,
    },
];

/// What the script takes to have been reached: a block until then is over by itself.
const NOW: u64 = 10;

/// Two wheels, and the driver's block.
struct Floor {
    wheels: [Arc<ModelWheel>; 2],
    alarm: Alarm,
    permit: Mutex<bool>,
    given: Condvar,
}

impl Floor {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            wheels: [wheel(), wheel()],
            alarm: Alarm::new(),
            permit: Mutex::new(false),
            given: Condvar::new(),
        })
    }

    fn earliest(&self) -> u64 {
        self.wheels.iter().map(|wheel| wheel.earliest()).min().unwrap_or(NONE)
    }

    fn file(&self, wheel: usize, deadline: u64) {
        let filed = self.wheels[wheel].file(deadline, Waker::noop().clone());
        assert!(filed.is_ok(), "it is open");
    }

    /// What a filer that will not turn its wheel does; says how many interrupts it gave.
    fn tell(&self, wheel: usize) -> usize {
        let must = self.alarm.must_interrupt(self.wheels[wheel].earliest());
        if must {
            *self.permit.lock() = true;
            self.given.notify_one();
        }
        usize::from(must)
    }

    /// Sleeps once; says until when it meant to.
    fn sleep(&self) -> u64 {
        self.alarm.sleep(
            || self.earliest(),
            |until| {
                let mut permit = self.permit.lock();
                while until > NOW && !*permit {
                    permit = self.given.wait(permit);
                }
                *permit = false;
                until
            },
        )
    }

    /// Sleeps and turns until so many timers have fired; says until when it meant to sleep at first.
    fn serve(&self, timers: usize) -> u64 {
        let first = self.sleep();
        let mut fired = self.turn();
        while fired < timers {
            self.sleep();
            fired += self.turn();
        }
        assert_eq!(fired, timers);
        first
    }

    fn turn(&self) -> usize {
        self.wheels.iter().map(|wheel| turn(wheel, NOW)).sum()
    }
}

fn reached(outcomes: &Outcomes, interrupts: usize, first: u64) {
    outcomes.saw(match (first <= NOW, interrupts) {
        (true, 0) => "seen",
        (true, 1) => "seen and interrupted",
        (false, 1) => "interrupted",
        other => panic!("one filer, one sleep: {other:?}"),
    });
}

fn file_against_sleep(order: Order, outcomes: &Outcomes, other_deadline: Option<u64>) {
    let floor = Floor::new();
    if let Some(deadline) = other_deadline {
        floor.file(0, deadline);
    }
    let (filer, sleeper) = (Arc::clone(&floor), Arc::clone(&floor));
    let (interrupts, first) = order.run2(
        move || {
            filer.file(1, NOW);
            filer.tell(1)
        },
        move || sleeper.serve(1),
    );
    reached(outcomes, interrupts, first);
}

fn later_deadline(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new();
    floor.file(0, NOW);
    let (filer, sleeper) = (Arc::clone(&floor), Arc::clone(&floor));
    let (interrupts, _) = order.run2(
        move || {
            filer.file(1, 20);
            filer.tell(1)
        },
        move || sleeper.serve(1),
    );
    outcomes.saw(match interrupts {
        0 => "not interrupted",
        _ => "interrupted while it computed",
    });
}

fn same_deadline(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Alarm::new(), AtomicBool::new(false)));
    let filer = Arc::clone(&shared);
    let ((told, interrupts), ()) = order.run2(
        move || {
            let (alarm, told) = &*filer;
            (told.load(Ordering::Acquire), alarm.must_interrupt(NOW))
        },
        move || {
            let (alarm, told) = &*shared;
            alarm.sleep(|| NOW, |_| told.store(true, Ordering::Release));
        },
    );
    outcomes.saw(match (told, interrupts) {
        (true, false) => "told, not interrupted",
        (false, true) => "not told, interrupted",
        (false, false) => "not told, not interrupted",
        (true, true) => panic!("it returns by then without an interrupt"),
    });
}

fn owner_parks(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new();
    floor.file(0, 50);
    let (owner, sleeper) = (Arc::clone(&floor), Arc::clone(&floor));
    let (interrupts, first) = order.run2(
        move || {
            // It means to turn its wheel itself, so it files without a look; a first timer and, at the
            // next poll, an earlier one. Then it finds nothing to do and parks.
            owner.file(1, 40);
            owner.file(1, NOW);
            owner.tell(1)
        },
        move || sleeper.serve(1),
    );
    reached(outcomes, interrupts, first);
}

fn two_filers(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new();
    let (first, second, sleeper) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    let (a, b, ()) = order.run3(
        move || {
            first.file(0, 20);
            first.tell(0)
        },
        move || {
            second.file(1, NOW);
            second.tell(1)
        },
        // It has nothing to fire before NOW, so each time that it is interrupted it sleeps again.
        move || while sleeper.sleep() > NOW {},
    );
    outcomes.saw(format!("{} interrupts", a + b));
}

fn sleeps_twice(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new();
    let (filer, sleeper) = (Arc::clone(&floor), Arc::clone(&floor));
    let (interrupts, _) = order.run2(
        move || {
            filer.file(0, NOW);
            let first = filer.tell(0);
            filer.file(1, NOW - 1);
            first + filer.tell(1)
        },
        move || sleeper.serve(2),
    );
    outcomes.saw(format!("{interrupts} interrupts"));
}
