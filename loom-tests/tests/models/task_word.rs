//! What the state word says of a task, and what changes nothing when it is done again.

use std::sync::Arc;
use std::task::Poll;

use protocol_loom::task_state::{CompleteAction, JoinDropAction, Phase, StartAction, TaskState};

use super::cell::{Cell, End, Output};
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "task_state::two_suspensions_are_ended_by_one_resume",
        property: "A task that is suspended twice stays suspended until one resume; the word says so at each step.",
        outcomes: &["polled after the resume"],
        preemption_bound: None,
        body: two_suspensions,
    },
    Model {
        name: "task_state::of_two_aborts_one_cancels",
        property: "Two aborts of a suspended task: one cancels it. From then on it is done and no orphan.",
        outcomes: &["the first cancels", "the second cancels"],
        preemption_bound: None,
        body: two_aborts,
    },
    Model {
        name: "task_state::a_suspended_task_that_is_aborted_is_shown_as_ready",
        property: "From the abort on a suspended task is owed a look, and is shown so, until it is done.",
        outcomes: &["aborted before the worker looked", "set aside, then aborted"],
        preemption_bound: None,
        body: abort_of_a_suspended,
    },
    Model {
        name: "task_state::a_refused_task_is_done_and_has_its_handle_only",
        property: "A task that was refused is complete, cannot be woken or aborted, and goes with its join handle.",
        outcomes: &["refused"],
        preemption_bound: None,
        body: refused,
    },
    Model {
        name: "task_state::many_references_are_counted",
        property: "Many wakers and handles are given up, the last two by two threads: the last one frees the cell.",
        outcomes: &["a handle was the last", "a waker was the last"],
        preemption_bound: None,
        body: many_references,
    },
    Model {
        name: "task_state::a_join_waker_is_shown_while_it_is_there",
        property: "The word shows a join waker from when it is left until it is taken back, or taken by the worker.",
        outcomes: &["shown"],
        preemption_bound: None,
        body: join_waker,
    },
];

fn phase(cell: &Cell) -> Phase {
    cell.state.load().phase()
}

fn two_suspensions(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 1));
    assert_eq!(phase(&cell), Phase::ReadyOrRunning);
    let suspend = || {
        let task = Arc::clone(&cell);
        move || assert!(!task.state.suspend().is_complete())
    };
    order.run2(suspend(), suspend());
    assert_eq!(phase(&cell), Phase::Suspended { at_rest: false });
    assert_eq!(cell.run(|| panic!("a suspended task is not polled")), End::Left);
    assert_eq!(phase(&cell), Phase::Suspended { at_rest: true });
    assert_eq!(cell.resume(|| Poll::Pending), End::Left);
    assert_eq!((phase(&cell), cell.polls()), (Phase::Waiting, Some(1)));
    cell.state.suspend();
    assert_eq!(phase(&cell), Phase::Suspended { at_rest: true });
    assert_eq!(cell.abort(), End::Complete(Output::Cancelled));
    cell.drop_waker();
    cell.unpin();
    assert!(cell.is_freed());
    outcomes.saw("polled after the resume");
}

fn two_aborts(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 1).waiting());
    cell.state.suspend();
    let abort = || {
        let task = Arc::clone(&cell);
        move || task.abort()
    };
    outcomes.saw(match order.run2(abort(), abort()) {
        (End::Complete(Output::Cancelled), End::Left) => "the first cancels",
        (End::Left, End::Complete(Output::Cancelled)) => "the second cancels",
        other => panic!("{other:?}"),
    });
    cell.state.suspend();
    assert_eq!(phase(&cell), Phase::Done);
    let word = format!("{:?}", cell.state.load());
    assert!(
        !word.contains("SUSPENDED"),
        "neither the suspension before the end nor one after it is left: {word}"
    );
    cell.drop_waker();
    assert_eq!(cell.orphaned_by(), None);
    cell.unpin();
    assert!(cell.is_freed());
}

fn abort_of_a_suspended(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 1));
    cell.state.suspend();
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (worker, (shown, aborter)) = order.run2(
        move || task.run(|| panic!("an aborted task is not polled")),
        move || {
            let action = task2.state.abort();
            let shown = task2.state.load().phase();
            (shown, task2.follow(action, || panic!("an aborted task is not polled")))
        },
    );
    outcomes.saw(match (worker, aborter) {
        (End::Complete(Output::Cancelled), End::Left) => {
            assert!(matches!(shown, Phase::ReadyOrRunning | Phase::Done));
            "aborted before the worker looked"
        }
        (End::Left, End::Complete(Output::Cancelled)) => {
            assert_eq!(shown, Phase::ReadyOrRunning);
            "set aside, then aborted"
        }
        other => panic!("{other:?}"),
    });
    cell.drop_waker();
    cell.unpin();
    assert!(cell.is_freed());
}

/// One thread: nobody else has a reference.
fn refused(_: Order, outcomes: &Outcomes) {
    let state = TaskState::refused();
    assert_eq!(state.load().phase(), Phase::Done);
    assert!(state.load().is_complete() && !state.load().has_join_waker() && !state.load().is_dead());
    assert!(!state.set_join_waker(), "its output is there");
    assert!(!state.clear_join_waker());
    assert!(!state.load().is_noted_orphan() && !state.take_orphan());
    assert_eq!(state.drop_join_interest(), JoinDropAction::DropOutput);
    assert!(state.release_join(), "the handle was all that referred to it");
    assert!(state.load().is_dead());
    assert!(!state.pin(), "a dead cell is not pinned");
    outcomes.saw("refused");
}

fn many_references(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(20, 140).waiting());
    assert_eq!(cell.abort(), End::Complete(Output::Cancelled));
    (1..20).for_each(|_| cell.drop_waker());
    (1..140).for_each(|_| cell.unpin());
    assert!(!cell.is_freed());
    let (waker, handle) = (Arc::clone(&cell), Arc::clone(&cell));
    let (waker, ()) = order.run2(
        move || {
            waker.drop_waker();
            loom::thread::current().id()
        },
        move || handle.unpin(),
    );
    let freed_by = cell.freed_by().expect("nobody refers to it");
    outcomes.saw(if freed_by == waker { "a waker was the last" } else { "a handle was the last" });
}

/// One thread: what the others may do meanwhile is in other models.
fn join_waker(_: Order, outcomes: &Outcomes) {
    let state = TaskState::new();
    let is_shown = || state.load().has_join_waker();
    assert!(!is_shown());
    assert!(state.set_join_waker() && is_shown());
    assert!(state.clear_join_waker() && !is_shown());
    assert!(state.set_join_waker());
    assert_eq!(state.start_poll(), StartAction::Poll);
    assert_eq!(state.complete(false), CompleteAction::WakeJoiner);
    assert!(is_shown() && !state.finish(), "the join handle is there still");
    assert!(!is_shown());
    assert!(state.release_join());
    outcomes.saw("shown");
}
