//! Waking, completing, joining and releasing a task. Suspension and abort are in `task_control`.

use std::sync::Arc;
use std::task::Poll;

use loom::thread::ThreadId;
use protocol_loom::roster::Roster;
use protocol_loom::sync::{AtomicBool, AtomicU32, Ordering};

use super::cell::{Cell, End, Output, by_me};
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "task_state::a_wake_leads_to_a_poll_that_sees_its_cause",
        property: "A wake before, during or after a poll leads to one more poll, which sees what the waker wrote.",
        outcomes: &["waker", "worker"],
        preemption_bound: None,
        body: wake_against_poll,
    },
    Model {
        name: "task_state::a_wake_by_reference_leads_to_a_poll_that_sees_its_cause",
        property: "A wake that keeps its waker leads to one more poll, which sees what the waker wrote.",
        outcomes: &["waker", "worker"],
        preemption_bound: None,
        body: wake_by_reference_against_poll,
    },
    Model {
        name: "task_state::two_wakers_schedule_once_per_poll",
        property: "Two wakers and a poll: no wake is lost, and never are two polls under way.",
        outcomes: &["first waker", "second waker", "worker"],
        preemption_bound: Some(3),
        body: two_wakers,
    },
    Model {
        name: "task_state::a_late_wake_schedules_nothing",
        property: "A wake of a task that completes meanwhile is dropped, and the last of both frees the cell.",
        outcomes: &["waker", "worker"],
        preemption_bound: None,
        body: late_wake,
    },
    Model {
        name: "task_state::the_joiner_sees_the_output_or_is_woken",
        property: "Completion against a join that leaves its waker: the output is read exactly once.",
        outcomes: &["saw the output", "woken"],
        preemption_bound: None,
        body: complete_against_join,
    },
    Model {
        name: "task_state::a_second_join_waker_replaces_the_first",
        property: "Completion against a join that changes its waker: no stale waker fires but to an output taken.",
        outcomes: &[
            "no waker fires for an output that was taken",
            "the first waker fires for an output that was taken",
            "the second waker fires",
        ],
        preemption_bound: None,
        body: complete_against_join_again,
    },
    Model {
        name: "task_state::the_output_is_dropped_once",
        property: "Completion against the drop of the join handle: one of the two drops the output.",
        outcomes: &["the waker does not fire, handle", "the waker does not fire, worker"],
        preemption_bound: None,
        body: |order, outcomes| complete_against_join_drop(order, outcomes, false),
    },
    Model {
        name: "task_state::a_join_waker_left_behind_is_dropped_once",
        property: "Completion against the drop of a join handle that has left a waker: one of the two takes it.",
        outcomes: &[
            "the waker does not fire, handle",
            "the waker does not fire, worker",
            "the waker fires, handle",
            "the waker fires, worker",
        ],
        preemption_bound: None,
        body: |order, outcomes| complete_against_join_drop(order, outcomes, true),
    },
    Model {
        name: "task_state::the_last_reference_frees_the_cell",
        property: "Completion, drop of the last waker, drop of the join handle: freed once, after every access.",
        outcomes: &["handle", "waker", "worker"],
        preemption_bound: None,
        body: last_reference,
    },
    Model {
        name: "task_state::an_owner_drops_waker_and_handles_of_a_completing_task",
        property: "Completion against the drop of waker, join handle and abort handle in turn: freed once.",
        outcomes: &["owner", "worker"],
        preemption_bound: None,
        body: drop_of_all_references,
    },
    Model {
        name: "task_state::an_orphan_is_found_once",
        property: "Drop of a waker against a wake and a poll that keeps none: exactly one finds the orphan.",
        outcomes: &["drop", "end of poll"],
        preemption_bound: None,
        body: orphan,
    },
    Model {
        name: "task_state::a_kept_waker_is_no_orphan",
        property: "A poll that clones its waker against the drop of the old one: never found an orphan.",
        outcomes: &["no orphan"],
        preemption_bound: None,
        body: no_orphan,
    },
    Model {
        name: "task_state::a_pinned_cell_is_not_freed",
        property: "A walker that pins a listed cell against its last release: the cell outlives the pin.",
        outcomes: &["dead", "pinned", "unlisted"],
        preemption_bound: None,
        body: pin_against_release,
    },
];

/// Which of the threads freed the cell; that one did is asserted.
fn freed_by<'a>(cell: &Cell, threads: &[(&'a str, ThreadId)]) -> &'a str {
    let freed_by = cell.freed_by().expect("the cell leaks");
    threads.iter().find(|(_, thread)| *thread == freed_by).expect("freed by one of the threads").0
}

/// Ready once the flag is up; the flag itself publishes nothing.
fn once(flag: &AtomicBool) -> Poll<()> {
    if flag.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
}

fn wake_against_poll(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 0));
    let flag = Arc::new(AtomicBool::new(false));
    let (task, cause) = (Arc::clone(&cell), Arc::clone(&flag));
    let (task2, cause2) = (Arc::clone(&cell), flag);
    let (polled, woken) = order.run2(
        move || task.run(|| once(&cause)),
        move || {
            cause2.store(true, Ordering::Relaxed);
            task2.wake(|| once(&cause2))
        },
    );
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (polled, woken) {
        (End::Complete(Output::Ready), End::Left) => "worker",
        (End::Left, End::Complete(Output::Ready)) => "waker",
        other => panic!("completed by {other:?}"),
    });
}

fn wake_by_reference_against_poll(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 0));
    let flag = Arc::new(AtomicBool::new(false));
    let (task, cause) = (Arc::clone(&cell), Arc::clone(&flag));
    let (task2, cause2) = (Arc::clone(&cell), flag);
    let (polled, woken) = order.run2(
        move || task.run(|| once(&cause)),
        move || {
            cause2.store(true, Ordering::Relaxed);
            let end = task2.wake_by_ref(|| once(&cause2));
            task2.drop_waker();
            end
        },
    );
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (polled, woken) {
        (End::Complete(Output::Ready), End::Left) => "worker",
        (End::Left, End::Complete(Output::Ready)) => "waker",
        other => panic!("completed by {other:?}"),
    });
}

fn two_wakers(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(2, 0));
    let causes = Arc::new(AtomicU32::new(0));
    let ready = |causes: &AtomicU32| match causes.load(Ordering::Relaxed) {
        2 => Poll::Ready(()),
        _ => Poll::Pending,
    };
    let waker = || {
        let (cell, causes) = (Arc::clone(&cell), Arc::clone(&causes));
        move || {
            causes.fetch_add(1, Ordering::Relaxed);
            cell.wake(|| ready(&causes))
        }
    };
    let (task, seen) = (Arc::clone(&cell), Arc::clone(&causes));
    let (polled, first, second) = order.run3(move || task.run(|| ready(&seen)), waker(), waker());
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (polled.output(), first.output(), second.output()) {
        (Some(Output::Ready), None, None) => "worker",
        (None, Some(Output::Ready), None) => "first waker",
        (None, None, Some(Output::Ready)) => "second waker",
        other => panic!("completed by {other:?}"),
    });
}

fn late_wake(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 0));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let ((worker, polled), (waker, woken)) = order.run2(
        move || by_me(|| task.run(|| Poll::Ready(()))),
        move || by_me(|| task2.wake(|| panic!("a task that was never idle is not scheduled"))),
    );
    assert_eq!((polled, woken), (End::Complete(Output::Ready), End::Left));
    outcomes.saw(freed_by(&cell, &[("worker", worker), ("waker", waker)]));
}

fn complete_against_join(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::new(0, 0));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (woken, joined) = order.run2(
        move || match task.run(|| Poll::Ready(())) {
            // The waker runs the joiner here.
            End::WakeJoiner(_, 1) => task.join(2),
            _ => None,
        },
        move || task2.join(1),
    );
    assert!(cell.is_freed());
    outcomes.saw(match (woken, joined) {
        (Some(Output::Ready), None) => "woken",
        (None, Some(Output::Ready)) => "saw the output",
        other => panic!("joined as {other:?}"),
    });
}

fn complete_against_join_again(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::new(0, 0));
    assert_eq!(cell.join(1), None);
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (fired, joined) = order.run2(
        move || match task.run(|| Poll::Ready(())) {
            End::WakeJoiner(Output::Ready, waker) => Some(waker),
            End::Complete(Output::Ready) => None,
            other => panic!("{other:?}"),
        },
        move || task2.join_again(2),
    );
    let seen = match (fired, joined) {
        (Some(2), None) => "the second waker fires",
        (Some(1), Some(Output::Ready)) => "the first waker fires for an output that was taken",
        (None, Some(Output::Ready)) => "no waker fires for an output that was taken",
        other => panic!("fired and joined: {other:?}"),
    };
    if joined.is_none() {
        assert_eq!(cell.join_again(3), Some(Output::Ready));
    }
    assert!(cell.is_freed());
    outcomes.saw(seen);
}

fn complete_against_join_drop(order: Order, outcomes: &Outcomes, with_waker: bool) {
    let cell = Arc::new(Cell::new(0, 0));
    if with_waker {
        assert_eq!(cell.join(1), None);
    }
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let ((worker, end), (handle, ())) =
        order.run2(move || by_me(|| task.run(|| Poll::Ready(()))), move || by_me(|| task2.drop_join()));
    let fired = match end {
        End::Complete(Output::Ready) => "the waker does not fire",
        End::WakeJoiner(Output::Ready, 1) => "the waker fires",
        other => panic!("{other:?}"),
    };
    outcomes.saw(format!("{fired}, {}", freed_by(&cell, &[("worker", worker), ("handle", handle)])));
}

fn last_reference(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::new(1, 0));
    let (task, task2, task3) = (Arc::clone(&cell), Arc::clone(&cell), Arc::clone(&cell));
    let ((worker, end), (waker, ()), (handle, ())) = order.run3(
        move || by_me(|| task.run(|| Poll::Ready(()))),
        move || by_me(|| task2.drop_waker()),
        move || by_me(|| task3.drop_join()),
    );
    assert_eq!(end, End::Complete(Output::Ready));
    outcomes.saw(freed_by(&cell, &[("worker", worker), ("waker", waker), ("handle", handle)]));
}

fn drop_of_all_references(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::new(1, 1));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let ((worker, end), (owner, ())) = order.run2(
        move || by_me(|| task.run(|| Poll::Ready(()))),
        move || {
            by_me(|| {
                task2.drop_waker();
                task2.drop_join();
                task2.unpin();
            })
        },
    );
    assert_eq!(end, End::Complete(Output::Ready));
    outcomes.saw(freed_by(&cell, &[("worker", worker), ("owner", owner)]));
}

fn orphan(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(2, 1).waiting());
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let ((dropper, ()), (waker, woken)) =
        order.run2(move || by_me(|| task.drop_waker()), move || by_me(|| task2.wake(|| Poll::Pending)));
    assert_eq!(woken, End::Left);
    assert_eq!(cell.polls(), Some(2));
    let found_by = cell.orphaned_by().expect("the orphan is not found");
    outcomes.saw(if found_by == dropper { "drop" } else { "end of poll" });
    assert!(found_by == dropper || found_by == waker);
    assert!(cell.state.load().is_noted_orphan());
    assert!(cell.state.take_orphan());
    assert!(!cell.state.take_orphan());
    assert_eq!(cell.abort(), End::Complete(Output::Cancelled));
    cell.unpin();
    assert!(cell.is_freed());
}

fn no_orphan(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 1));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (polled, ()) = order.run2(
        move || {
            let kept = Arc::clone(&task);
            task.run(move || {
                kept.state.clone_waker();
                Poll::Pending
            })
        },
        move || task2.drop_waker(),
    );
    assert_eq!(polled, End::Left);
    assert_eq!(cell.orphaned_by(), None);
    cell.drop_waker();
    assert!(cell.orphaned_by().is_some());
    assert_eq!(cell.abort(), End::Complete(Output::Cancelled));
    cell.unpin();
    assert!(cell.is_freed());
    outcomes.saw("no orphan");
}

fn pin_against_release(order: Order, outcomes: &Outcomes) {
    let roster = Arc::new(Roster::new(false));
    let cell = Arc::new(Cell::detached(0, 0).listed(Arc::clone(&roster)));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (end, found) = order.run2(
        move || task.run(|| Poll::Ready(())),
        move || {
            let state = roster.lock();
            if !state.list {
                return "unlisted";
            }
            task2.touch();
            let pinned = task2.state.pin();
            drop(state);
            if !pinned {
                return "dead";
            }
            task2.unpin();
            "pinned"
        },
    );
    assert_eq!(end, End::Complete(Output::Ready));
    assert!(cell.is_freed());
    outcomes.saw(found);
}
