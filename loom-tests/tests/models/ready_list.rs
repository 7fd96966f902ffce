//! Wakers that list numbers, and the task that polls what is listed: the members of a `JoinSet`.

#![allow(clippy::disallowed_types, reason = "who was woken is noted outside loom's view")]

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};

use protocol_loom::parker::Parker;
use protocol_loom::ready_list::{Listing, ReadyList};
use protocol_loom::sync::{AtomicBool, Ordering};

use super::cell::{Cell, End, Output, by_me};
use super::payload::Payload;
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "ready_list::a_number_is_taken_or_wakes_the_task",
        property: "A wake against a task that takes or waits: it gets the number, with what the waker wrote.",
        outcomes: &["after a sleep", "at once"],
        preemption_bound: None,
        body: wake_against_take,
    },
    Model {
        name: "ready_list::two_numbers_come_out_once_each",
        property: "Two wakes against a task that takes: each number comes once, and the task is woken for the rest.",
        outcomes: &[
            "[1, 2], 0 at once",
            "[1, 2], 1 at once",
            "[1, 2], 2 at once",
            "[2, 1], 0 at once",
            "[2, 1], 1 at once",
            "[2, 1], 2 at once",
        ],
        preemption_bound: None,
        body: two_wakes,
    },
    Model {
        name: "ready_list::a_wake_during_a_poll_leads_to_another",
        property: "A wake of a future that is listed and polled: a poll sees its cause, or another one is to come.",
        outcomes: &["another poll", "seen"],
        preemption_bound: None,
        body: wake_against_poll,
    },
    Model {
        name: "ready_list::a_member_that_completes_is_joined_or_wakes_the_set",
        property: "A task that completes against the join of its set: joined at once, or the set is woken for it.",
        outcomes: &["at once", "woken"],
        preemption_bound: None,
        body: completion_against_join_next,
    },
    Model {
        name: "ready_list::a_member_that_completes_while_its_set_is_dropped_ends_once",
        property: "A task that completes against the drop of the set that waits for it: output and cell freed once.",
        outcomes: &[
            "Cancelled, set wakes for nothing, set",
            "Cancelled, set wakes for nothing, worker",
            "Cancelled, set",
            "Cancelled, worker",
            "Ready, set wakes for nothing, set",
            "Ready, set wakes for nothing, worker",
            "Ready, set",
            "Ready, worker",
        ],
        preemption_bound: None,
        body: completion_against_drop,
    },
    Model {
        name: "ready_list::a_number_may_be_taken_without_a_wait",
        property: "A take that leaves no waker against two pushes: what it does not get comes later, in order.",
        outcomes: &["none yet", "the first"],
        preemption_bound: None,
        body: pushes_against_take,
    },
];

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
            if let Some(number) = list.poll_listed(Some(&waker), Some) {
                return (number, slept);
            }
            self.0.park();
            slept = true;
        }
    }
}

fn wake_against_take(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((ReadyList::new(), Listing::new(7), Payload::new()));
    let other = Arc::clone(&shared);
    let ((), (number, slept)) = order.run2(
        move || {
            let (list, listing, written) = &*other;
            written.write();
            list.wake(listing);
        },
        move || {
            let (list, _, written) = &*shared;
            let next = Arc::new(Task(Parker::new())).next(list);
            written.read();
            next
        },
    );
    assert_eq!(number, 7);
    outcomes.saw(if slept { "after a sleep" } else { "at once" });
}

/// Notes that it was called. Looked at when the threads have ended, which takes fewer steps than to sleep.
#[derive(Default)]
struct Noting(Mutex<bool>);

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

impl Noting {
    fn new() -> (Arc<Self>, Waker) {
        let noting = Arc::new(Self::default());
        (Arc::clone(&noting), Waker::from(noting))
    }

    fn was_called(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn two_wakes(order: Order, outcomes: &Outcomes) {
    let list = Arc::new(ReadyList::new());
    let waker = |number| {
        let list = Arc::clone(&list);
        move || list.wake(&Listing::new(number))
    };
    let (noting, noted) = Noting::new();
    let taker = Arc::clone(&list);
    let take_all = |list: &ReadyList, waker: Option<&Waker>, numbers: &mut Vec<usize>| {
        let none: Option<()> = list.poll_listed(waker, |number| {
            numbers.push(number);
            None
        });
        assert!(none.is_none());
    };
    let ((), (), mut numbers) = order.run3(waker(1), waker(2), move || {
        let mut numbers = Vec::new();
        take_all(&taker, Some(&noted), &mut numbers);
        numbers
    });
    let at_once = numbers.len();
    take_all(&list, None, &mut numbers);
    assert_eq!(noting.was_called(), at_once < 2, "woken for what is to come, and for nothing else");
    outcomes.saw(format!("{numbers:?}, {at_once} at once"));
}

fn wake_against_poll(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((ReadyList::new(), Listing::new(0), AtomicBool::new(false)));
    shared.0.wake(&shared.1);
    let (noting, waker) = Noting::new();
    let (task, other) = (Arc::clone(&shared), Arc::clone(&shared));
    let poll = |shared: &(ReadyList, Listing, AtomicBool), waker: Option<&Waker>| {
        let (list, listing, cause) = shared;
        let look = |_| (listing.start_poll() && cause.load(Ordering::Relaxed)).then_some(());
        list.poll_listed(waker, look).is_some()
    };
    let (seen, ()) = order.run2(
        move || poll(&task, Some(&waker)),
        move || {
            let (list, listing, cause) = &*other;
            cause.store(true, Ordering::Relaxed);
            list.wake(listing);
        },
    );
    if !seen {
        assert!(noting.was_called(), "the wake is lost");
        assert!(poll(&shared, None), "the number is not listed");
    }
    outcomes.saw(if seen { "seen" } else { "another poll" });
}

/// A set with one member.
struct Set {
    member: Cell,
    list: ReadyList,
    listing: Listing,
}

impl Set {
    /// As the insertion leaves it: listed, so that the first poll leaves the member's waker with the task.
    fn new(handles: u32) -> Arc<Self> {
        let set = Self { member: Cell::new(0, handles), list: ReadyList::new(), listing: Listing::new(0) };
        set.list.wake(&set.listing);
        Arc::new(set)
    }

    /// As `join_next` is polled.
    fn poll(&self, waker: Option<&Waker>, mut is_first: bool) -> Option<Output> {
        self.list.poll_listed(waker, |_| {
            assert!(self.listing.start_poll());
            if std::mem::take(&mut is_first) { self.member.join(1) } else { self.member.join_again(1) }
        })
    }

    /// The worker that runs the member; whether it woke the join waker.
    fn run(&self) -> (Output, bool) {
        match self.member.run(|| Poll::Ready(())) {
            End::WakeJoiner(output, 1) => {
                self.list.wake(&self.listing);
                (output, true)
            }
            End::Complete(output) => (output, false),
            other => panic!("{other:?}"),
        }
    }
}

fn completion_against_join_next(order: Order, outcomes: &Outcomes) {
    let set = Set::new(0);
    let (noting, waker) = Noting::new();
    let (worker, joiner) = (Arc::clone(&set), Arc::clone(&set));
    let (_, joined) = order.run2(move || worker.run(), move || joiner.poll(Some(&waker), true));
    let at_once = joined.is_some();
    let joined = joined.or_else(|| {
        assert!(noting.was_called(), "the set sleeps through the end of its member");
        set.poll(None, false)
    });
    assert_eq!(joined, Some(Output::Ready));
    assert!(set.member.is_freed());
    outcomes.saw(if at_once { "at once" } else { "woken" });
}

fn completion_against_drop(order: Order, outcomes: &Outcomes) {
    let set = Set::new(1);
    let (noting, waker) = Noting::new();
    assert_eq!(set.poll(Some(&waker), true), None);
    let (worker, owner) = (Arc::clone(&set), Arc::clone(&set));
    let ((ran, (output, woke)), (dropped, ())) = order.run2(
        move || by_me(|| worker.run()),
        move || {
            by_me(|| {
                // All members are aborted, then their handles are dropped.
                assert_eq!(owner.member.abort(), End::Left);
                owner.member.unpin();
                owner.member.drop_join();
            })
        },
    );
    assert_eq!(noting.was_called(), woke);
    let freed_by = set.member.freed_by().expect("the cell leaks");
    let by = if freed_by == ran { "worker" } else { "set" };
    assert!(freed_by == ran || freed_by == dropped);
    let woke = if woke { "set wakes for nothing, " } else { "" };
    outcomes.saw(format!("{output:?}, {woke}{by}"));
}

fn pushes_against_take(order: Order, outcomes: &Outcomes) {
    let list = Arc::new(ReadyList::new());
    let (pusher, task) = (Arc::clone(&list), Arc::clone(&list));
    let take = |list: &ReadyList| list.poll_listed(None, Some);
    let ((), taken) = order.run2(
        move || {
            pusher.wake(&Listing::new(7));
            pusher.wake(&Listing::new(8));
        },
        move || take(&task),
    );
    let rest = [(); 3].map(|()| take(&list));
    outcomes.saw(match (taken, rest) {
        (None, [Some(7), Some(8), None]) => "none yet",
        (Some(7), [Some(8), None, None]) => "the first",
        other => panic!("taken: {other:?}"),
    });
}
