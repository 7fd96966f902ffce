//! Wakers that put numbers on a list, and the task that takes them.

use std::sync::Arc;
use std::task::{Wake, Waker};

use protocol_loom::parker::Parker;
use protocol_loom::ready_list::ReadyList;
use protocol_loom::sync::UnsafeCell;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "ready_list::a_number_is_taken_or_wakes_the_task",
        property: "A push against take-or-wait: the task gets the number, with what was written before the push.",
        outcomes: &["after a sleep", "at once"],
        preemption_bound: None,
        body: push_against_take,
    },
    Model {
        name: "ready_list::two_numbers_come_out_once_each",
        property: "Two pushes against a task that takes two numbers: each number comes once.",
        outcomes: &["1, 2", "2, 1"],
        preemption_bound: None,
        body: two_pushes,
    },
];

struct Shared {
    list: ReadyList,
    written: UnsafeCell<u32>,
}

// SAFETY: `written` is written before the push and read after the taking; loom checks it.
unsafe impl Sync for Shared {}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self { list: ReadyList::new(), written: UnsafeCell::new(0) })
    }
}

/// The one task: a thread that sleeps on its parker until it is woken.
struct Task(Parker);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.unpark(|| {});
    }
}

impl Task {
    /// The next number, and whether the task slept for it.
    fn next(self: &Arc<Self>, list: &ReadyList) -> (usize, bool) {
        let waker = Waker::from(Arc::clone(self));
        let mut slept = false;
        loop {
            if let Some(number) = list.take_or_wait(&waker) {
                return (number, slept);
            }
            self.0.park();
            slept = true;
        }
    }
}

fn push_against_take(order: Order, outcomes: &Outcomes) {
    let shared = Shared::new();
    let pusher = Arc::clone(&shared);
    let ((), (number, slept, written)) = order.run2(
        move || {
            // SAFETY: the number is not pushed yet; loom checks it.
            pusher.written.with_mut(|written| unsafe { *written = 1 });
            pusher.list.push(7);
        },
        move || {
            let (number, slept) = Arc::new(Task(Parker::new())).next(&shared.list);
            // SAFETY: the number was taken; loom checks it.
            (number, slept, shared.written.with(|written| unsafe { *written }))
        },
    );
    assert_eq!((number, written), (7, 1));
    outcomes.saw(if slept { "after a sleep" } else { "at once" });
}

fn two_pushes(order: Order, outcomes: &Outcomes) {
    let shared = Shared::new();
    let (first, second, list) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
    let ((), (), (one, two)) = order.run3(
        move || first.list.push(1),
        move || second.list.push(2),
        move || {
            let task = Arc::new(Task(Parker::new()));
            (task.next(&list.list).0, task.next(&list.list).0)
        },
    );
    assert!(shared.list.take().is_none());
    assert!(matches!((one, two), (1, 2) | (2, 1)), "{one} and {two}");
    outcomes.saw(format!("{one}, {two}"));
}
