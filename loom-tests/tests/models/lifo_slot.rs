//! The owner and a thief at one LIFO slot.

use std::ptr::NonNull;
use std::sync::Arc;

use protocol_loom::lifo_slot::{LifoSlot, RawToken};
use protocol_loom::sync::UnsafeCell;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "lifo_slot::a_task_goes_to_owner_or_thief",
        property: "Put and take by the owner against a thief: the task goes to one, with what was written to it.",
        outcomes: &["owner", "thief"],
        preemption_bound: None,
        body: take_against_thief,
    },
    Model {
        name: "lifo_slot::a_displaced_task_is_not_stolen_too",
        property: "A put over a full slot against a thief: each of the two tasks comes out exactly once.",
        outcomes: &["displaced 1, stolen 2", "stolen 1, displaced none"],
        preemption_bound: None,
        body: displace_against_thief,
    },
    Model {
        name: "lifo_slot::two_thieves_get_one_task_once",
        property: "Two thieves at a slot that its owner fills: the task goes to one, or stays.",
        outcomes: &["first", "second", "stays"],
        preemption_bound: None,
        body: two_thieves,
    },
    Model {
        name: "lifo_slot::a_task_that_is_left_goes_with_the_slot",
        property: "A task that no thief gets is dropped with the slot, and once.",
        outcomes: &["left", "stolen", "stolen at once"],
        preemption_bound: None,
        body: drop_against_thief,
    },
];

/// A task that its owner writes to before it gives it away.
struct Task(Box<UnsafeCell<u32>>);

// SAFETY: a task has one owner at a time; loom checks its content.
unsafe impl Send for Task {}

// SAFETY: the address of a leaked box, turned back once.
unsafe impl RawToken for Task {
    fn into_raw(self) -> NonNull<()> {
        NonNull::from(Box::leak(self.0)).cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: by contract `raw` is the address of a box that `into_raw` leaked, and it is ours now.
        Self(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }
}

impl Task {
    fn new(number: u32) -> Self {
        let task = Self(Box::new(UnsafeCell::new(0)));
        // SAFETY: the task is owned; loom checks it.
        task.0.with_mut(|value| unsafe { *value = number });
        task
    }

    fn number(&self) -> u32 {
        // SAFETY: the task is owned; loom checks it.
        self.0.with_mut(|value| unsafe { *value })
    }
}

/// A task that somebody got, who looks at it at once: nothing but the slot has ordered that after the put.
fn seen(task: Option<Task>) -> Option<Task> {
    task.inspect(|task| assert_ne!(task.number(), 0))
}

fn numbers(tasks: &[Option<Task>]) -> Vec<u32> {
    let mut numbers: Vec<u32> = tasks.iter().flatten().map(Task::number).collect();
    numbers.sort_unstable();
    numbers
}

fn take_against_thief(order: Order, outcomes: &Outcomes) {
    let slot = Arc::new(LifoSlot::new());
    let thief = Arc::clone(&slot);
    let (taken, stolen) = order.run2(
        move || {
            assert!(slot.put(Task::new(1)).is_none());
            seen(slot.take())
        },
        move || seen(thief.take()),
    );
    outcomes.saw(if taken.is_some() { "owner" } else { "thief" });
    assert_eq!(numbers(&[taken, stolen]), [1]);
}

fn displace_against_thief(order: Order, outcomes: &Outcomes) {
    let slot = Arc::new(LifoSlot::new());
    assert!(slot.put(Task::new(1)).is_none());
    let (owner, thief) = (Arc::clone(&slot), Arc::clone(&slot));
    let (displaced, stolen) = order.run2(move || seen(owner.put(Task::new(2))), move || seen(thief.take()));
    let rest = slot.take();
    outcomes.saw(match (displaced.as_ref().map(Task::number), stolen.as_ref().map(Task::number)) {
        (Some(1), Some(2)) => "displaced 1, stolen 2",
        (None, Some(1)) => "stolen 1, displaced none",
        other => panic!("displaced and stolen: {other:?}"),
    });
    assert_eq!(numbers(&[displaced, stolen, rest]), [1, 2]);
}

fn two_thieves(order: Order, outcomes: &Outcomes) {
    let slot = Arc::new(LifoSlot::new());
    let (owner, first, second) = (Arc::clone(&slot), Arc::clone(&slot), Arc::clone(&slot));
    let ((), first, second) = order.run3(
        move || assert!(owner.put(Task::new(1)).is_none()),
        move || seen(first.take()),
        move || seen(second.take()),
    );
    let rest = slot.take();
    assert!(slot.is_empty());
    outcomes.saw(match (&first, &second) {
        (Some(_), _) => "first",
        (_, Some(_)) => "second",
        _ => "stays",
    });
    assert_eq!(numbers(&[first, second, rest]), [1]);
}

/// A task of which the count says whether it is there.
struct Counted(Arc<()>);

// SAFETY: the address of a count that `into_raw` keeps up, given back once.
unsafe impl RawToken for Counted {
    fn into_raw(self) -> NonNull<()> {
        NonNull::new(Arc::into_raw(self.0).cast_mut()).expect("an allocation has an address")
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: by contract `raw` came from `Arc::into_raw`, whose count is ours now.
        Self(unsafe { Arc::from_raw(raw.as_ptr()) })
    }
}

fn drop_against_thief(order: Order, outcomes: &Outcomes) {
    let slot = Arc::new(LifoSlot::new());
    let task = Arc::new(());
    assert!(slot.is_empty());
    let (owner, thief, left) = (Arc::clone(&slot), Arc::clone(&slot), Counted(Arc::clone(&task)));
    let (is_empty, stolen) = order.run2(
        move || {
            assert!(owner.put(left).is_none());
            owner.is_empty()
        },
        move || thief.take(),
    );
    assert!(!is_empty || stolen.is_some());
    let is_stolen = stolen.is_some();
    drop((slot, stolen));
    assert_eq!(Arc::strong_count(&task), 1);
    outcomes.saw(match (is_stolen, is_empty) {
        (true, true) => "stolen at once",
        (true, false) => "stolen",
        (false, _) => "left",
    });
}
