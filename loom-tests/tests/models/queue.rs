//! The stub that stands in for crossbeam's queues under loom keeps crossbeam's promises and no others.

use std::sync::Arc;

use protocol_loom::sync::{AtomicBool, Injector, LocalQueue, Ordering, Steal, fence};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "queue::each_local_item_is_taken_once",
        property: "Owner and thief together take each item of a local queue exactly once.",
        outcomes: &["1 2", "1 none", "2 1"],
        preemption_bound: None,
        body: owner_against_thief,
    },
    Model {
        name: "queue::two_thieves_do_not_share_an_item",
        property: "An item that two thieves reach for at once goes to one of them.",
        outcomes: &["first thief", "second thief"],
        preemption_bound: None,
        body: two_thieves,
    },
    Model {
        name: "queue::each_injected_item_is_taken_once",
        property: "Two takers of an injector together take each item exactly once.",
        outcomes: &["1 2", "1 none", "2 1"],
        preemption_bound: None,
        body: two_takers,
    },
    Model {
        name: "queue::a_fenced_recheck_sees_a_fenced_push",
        property: "After push, fence, look and announce, fence, look, one of the two sides sees the other.",
        outcomes: &["pusher sees sleeper", "sleeper sees item", "both see"],
        preemption_bound: None,
        body: |order, outcomes| push_against_sleep(order, outcomes, true, true),
    },
    Model {
        name: "queue::the_push_has_no_fence_of_its_own",
        property: "Without the pusher's fence an item can stay behind an empty answer: the stub hides no fence.",
        outcomes: &["pusher sees sleeper", "sleeper sees item", "both see", "neither sees"],
        preemption_bound: None,
        body: |order, outcomes| push_against_sleep(order, outcomes, false, true),
    },
    Model {
        name: "queue::the_empty_answer_has_no_fence_of_its_own",
        property: "Without the sleeper's fence an item can stay behind an empty answer: the stub hides no fence.",
        outcomes: &["pusher sees sleeper", "sleeper sees item", "both see", "neither sees"],
        preemption_bound: None,
        body: |order, outcomes| push_against_sleep(order, outcomes, true, false),
    },
];

fn owner_against_thief(order: Order, outcomes: &Outcomes) {
    let queue = LocalQueue::new_fifo();
    let stealer = queue.stealer();
    let ((queue, popped), stolen) = order.run2(
        move || {
            queue.push(Box::new(1));
            queue.push(Box::new(2));
            let popped = queue.pop();
            (queue, popped)
        },
        move || stealer.steal().success(),
    );
    let rest: Vec<Box<u32>> = std::iter::from_fn(|| queue.pop()).collect();
    let mut all: Vec<u32> = popped.iter().chain(&stolen).chain(&rest).map(|item| **item).collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
    outcomes.saw(format!("{} {}", shown(popped.as_deref()), shown(stolen.as_deref())));
}

fn two_thieves(order: Order, outcomes: &Outcomes) {
    let queue = LocalQueue::new_fifo();
    queue.push(Box::new(1));
    let (first, second) = (queue.stealer(), queue.stealer());
    outcomes.saw(match order.run2(move || first.steal().success(), move || second.steal().success()) {
        (Some(_), None) => "first thief",
        (None, Some(_)) => "second thief",
        other => panic!("one item was taken as {other:?}"),
    });
}

fn two_takers(order: Order, outcomes: &Outcomes) {
    let injector = Arc::new(Injector::new());
    injector.push(Box::new(1));
    let (first, second) = (Arc::clone(&injector), Arc::clone(&injector));
    let (a, b) = order.run2(
        move || {
            first.push(Box::new(2));
            first.steal().success()
        },
        move || second.steal().success(),
    );
    let rest: Vec<Box<u32>> = std::iter::from_fn(|| injector.steal().success()).collect();
    let mut all: Vec<u32> = a.iter().chain(&b).chain(&rest).map(|item| **item).collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
    outcomes.saw(format!("{} {}", shown(a.as_deref()), shown(b.as_deref())));
}

fn shown(item: Option<&u32>) -> String {
    item.map_or("none".to_owned(), u32::to_string)
}

fn push_against_sleep(order: Order, outcomes: &Outcomes, push_fenced: bool, sleep_fenced: bool) {
    let injector = Arc::new(Injector::new());
    let asleep = Arc::new(AtomicBool::new(false));
    let (injector_in, asleep_in) = (Arc::clone(&injector), Arc::clone(&asleep));
    let (sleeper_seen, item_seen) = order.run2(
        move || {
            injector_in.push(1);
            if push_fenced {
                fence(Ordering::SeqCst);
            }
            asleep_in.load(Ordering::Relaxed)
        },
        move || {
            asleep.store(true, Ordering::Relaxed);
            if sleep_fenced {
                fence(Ordering::SeqCst);
            }
            !matches!(injector.steal(), Steal::Empty)
        },
    );
    outcomes.saw(match (sleeper_seen, item_seen) {
        (true, true) => "both see",
        (true, false) => "pusher sees sleeper",
        (false, true) => "sleeper sees item",
        (false, false) => "neither sees",
    });
}
