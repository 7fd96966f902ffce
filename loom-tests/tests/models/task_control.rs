//! Suspension, abort and shutdown of a task against its wakes, polls and completion.

use std::sync::Arc;
use std::task::Poll;

use protocol_loom::roster::Roster;
use protocol_loom::sync::{AtomicBool, Ordering};
use protocol_loom::task_state::{Phase, Snapshot, TaskState, WakeAction};

use super::cell::{Cell, End, Output};
use super::payload::Payload;
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "task_state::suspend_and_resume_against_a_pop_lose_and_double_nothing",
        property: "A queued task is suspended, resumed and popped at once: polled exactly once, by one thread.",
        outcomes: &["main resumes", "resumer", "worker"],
        preemption_bound: None,
        body: suspend_resume_pop,
    },
    Model {
        name: "task_state::suspend_and_resume_against_the_end_of_a_poll_lose_and_double_nothing",
        property: "A task that woke itself is suspended and resumed as its poll ends: polled exactly once more.",
        outcomes: &["main resumes", "main resumes, never woken", "resumer", "resumer, never woken", "worker"],
        preemption_bound: None,
        body: suspend_resume_end_of_poll,
    },
    Model {
        name: "task_state::a_wake_during_suspension_is_kept",
        property: "A waiting task is suspended and woken at once: it is polled by the waker or after resume.",
        outcomes: &["after resume", "waker"],
        preemption_bound: None,
        body: suspend_against_wake,
    },
    Model {
        name: "task_state::of_two_resumes_one_schedules",
        property: "Two resumes of a task that was set aside: polled exactly once.",
        outcomes: &["first", "second"],
        preemption_bound: None,
        body: resume_against_resume,
    },
    Model {
        name: "task_state::a_resume_passes_on_what_the_waker_wrote",
        property: "What a waker wrote before its wake is seen by the poll that resume leads to.",
        outcomes: &["resumer", "waker"],
        preemption_bound: None,
        body: wake_against_resume,
    },
    Model {
        name: "task_state::a_poll_after_resume_sees_what_the_resumer_wrote",
        property: "What was written before a resume is seen by the next poll, whoever polls.",
        outcomes: &["resumer", "worker"],
        preemption_bound: None,
        body: resume_against_pop,
    },
    Model {
        name: "task_state::who_finds_a_task_done_by_suspending_sees_what_it_did",
        property: "A suspend that finds the task done comes after all that the task did.",
        outcomes: &["done", "not done"],
        preemption_bound: None,
        body: |order, outcomes| control_against_complete(order, outcomes, TaskState::suspend),
    },
    Model {
        name: "task_state::who_finds_a_task_done_by_resuming_sees_what_it_did",
        property: "A resume that finds the task done comes after all that the task did.",
        outcomes: &["done", "not done"],
        preemption_bound: None,
        body: |order, outcomes| {
            control_against_complete(order, outcomes, |state| {
                let (found, action) = state.resume();
                assert_eq!(action, WakeAction::None);
                found
            });
        },
    },
    Model {
        name: "task_state::a_future_that_an_abort_ends_is_dropped_after_it",
        property: "What was written before an abort is seen by the drop of the future, whoever drops it.",
        outcomes: &["aborter", "worker before the poll", "worker after the poll"],
        preemption_bound: None,
        body: abort_against_drop,
    },
    Model {
        name: "task_state::abort_ends_a_suspended_task",
        property: "Suspend, abort and wake of a waiting task: cancelled exactly once, or polled before.",
        outcomes: &["aborter", "aborter after a poll", "waker", "waker after a poll"],
        preemption_bound: None,
        body: suspend_abort_wake,
    },
    Model {
        name: "task_state::abort_or_resume_takes_over_what_was_set_aside",
        property: "Abort against resume of a task that was set aside: one of them gets it and cancels it.",
        outcomes: &["aborter", "resumer", "resumer after a poll", "resumer polls, aborter cancels"],
        preemption_bound: None,
        body: abort_against_resume,
    },
    Model {
        name: "task_state::abort_of_a_waiting_task_drops_its_future_once",
        property: "Abort against a wake of a waiting task: cancelled exactly once.",
        outcomes: &["aborter", "aborter after a poll", "waker", "waker after a poll"],
        preemption_bound: None,
        body: abort_against_wake,
    },
    Model {
        name: "task_state::abort_during_a_poll_drops_the_future_after_it",
        property: "Abort against a poll that ends Pending: cancelled exactly once, by worker or aborter.",
        outcomes: &["aborter", "worker before the poll", "worker after the poll"],
        preemption_bound: None,
        body: abort_against_poll,
    },
    Model {
        name: "task_state::abort_of_a_completing_task_ends_it_either_way",
        property: "Abort against a completing poll: the joiner reads exactly one of Ready and Cancelled.",
        outcomes: &["Cancelled", "Ready"],
        preemption_bound: None,
        body: abort_against_complete,
    },
    Model {
        name: "task_state::shutdown_ends_a_task_that_is_polled_and_woken",
        property: "A walker that aborts against poll and wake: completed once, freed once, the joiner served.",
        outcomes: &["waker Cancelled", "waker Ready", "walker Cancelled", "worker Cancelled", "worker Ready"],
        preemption_bound: Some(3),
        body: shutdown_against_poll_and_wake,
    },
    Model {
        name: "task_state::shutdown_waits_for_a_push_that_is_delayed",
        property: "A walk between a wake and its push: the task is not complete until the push arrives.",
        outcomes: &["waker", "walker"],
        preemption_bound: None,
        body: shutdown_against_delayed_push,
    },
];

/// A queued task with one waker, kept by nobody in particular, and handles for two threads and main.
fn queued() -> Arc<Cell> {
    Arc::new(Cell::detached(1, 3))
}

/// Ends a task that waits, and drops all that `queued` made.
fn put_away(cell: &Cell) {
    assert_eq!(cell.abort(), End::Complete(Output::Cancelled));
    cell.drop_waker();
    for _ in 0..3 {
        cell.unpin();
    }
    assert!(cell.is_freed());
}

fn suspend_resume_pop(order: Order, outcomes: &Outcomes) {
    let cell = queued();
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (by_worker, by_resumer) =
        order.run2(move || polled_by(&task, |task, poll| task.run(poll)), move || stop_go_stop(&task2));
    let by_main = polled_by(&cell, |task, poll| task.resume(poll));
    assert_eq!(cell.polls(), Some(1));
    assert_eq!(cell.state.load().phase(), Phase::Waiting);
    outcomes.saw(name_of([(by_worker, "worker"), (by_resumer, "resumer"), (by_main, "main resumes")]));
    put_away(&cell);
}

fn suspend_resume_end_of_poll(order: Order, outcomes: &Outcomes) {
    let cell = queued();
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (by_worker, by_resumer) = order.run2(
        move || {
            let mut polls = 0;
            let end = task.run(|| {
                polls += 1;
                if polls == 1 {
                    assert_eq!(task.wake_by_ref(|| panic!("the worker has the obligation")), End::Left);
                }
                Poll::Pending
            });
            assert_eq!(end, End::Left);
            polls == 2
        },
        move || stop_go_stop(&task2),
    );
    let by_main = polled_by(&cell, |task, poll| task.resume(poll));
    let last = name_of([(by_worker, "worker"), (by_resumer, "resumer"), (by_main, "main resumes")]);
    outcomes.saw(match cell.polls() {
        // Set aside before its first poll, the task never woke itself.
        Some(1) => format!("{last}, never woken"),
        Some(2) => last.to_owned(),
        other => panic!("polled {other:?} times"),
    });
    put_away(&cell);
}

/// Whoever controls the task; whether the resume polls it.
fn stop_go_stop(cell: &Cell) -> bool {
    cell.state.suspend();
    let polled = polled_by(cell, |task, poll| task.resume(poll));
    cell.state.suspend();
    polled
}

/// Whether what `act` does polls the task.
fn polled_by(cell: &Cell, act: impl FnOnce(&Cell, &mut dyn FnMut() -> Poll<()>) -> End) -> bool {
    let mut polled = false;
    let end = act(cell, &mut || {
        assert!(!polled, "polled twice");
        polled = true;
        Poll::Pending
    });
    assert_eq!(end, End::Left);
    polled
}

fn name_of<const N: usize>(who: [(bool, &'static str); N]) -> &'static str {
    let mut did = who.into_iter().filter(|(did, _)| *did);
    let one = did.next().expect("nobody polled the task").1;
    assert_eq!(did.next(), None, "two threads polled the task");
    one
}

fn suspend_against_wake(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(2, 3).waiting());
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let ((), by_waker) = order.run2(
        move || {
            task.state.suspend();
        },
        move || polled_by(&task2, |task, poll| task.wake(poll)),
    );
    let by_main = polled_by(&cell, |task, poll| task.resume(poll));
    assert_eq!(cell.polls(), Some(2));
    outcomes.saw(name_of([(by_waker, "waker"), (by_main, "after resume")]));
    put_away(&cell);
}

fn resume_against_resume(order: Order, outcomes: &Outcomes) {
    let cell = queued();
    cell.state.suspend();
    assert_eq!(cell.run(|| panic!("a suspended task is not polled")), End::Left);
    let resume = || {
        let task = Arc::clone(&cell);
        move || polled_by(&task, |task, poll| task.resume(poll))
    };
    let (first, second) = order.run2(resume(), resume());
    assert_eq!(cell.polls(), Some(1));
    outcomes.saw(name_of([(first, "first"), (second, "second")]));
    put_away(&cell);
}

fn wake_against_resume(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 1).waiting());
    cell.state.suspend();
    let flag = Arc::new(AtomicBool::new(false));
    let (task, cause) = (Arc::clone(&cell), Arc::clone(&flag));
    let (task2, cause2) = (Arc::clone(&cell), flag);
    let poll = |cause: &AtomicBool| {
        assert!(cause.load(Ordering::Relaxed), "the poll does not see its cause");
        Poll::Ready(())
    };
    let (resumed, woken) = order.run2(
        move || {
            let end = task.resume(|| poll(&cause));
            task.unpin();
            end
        },
        move || {
            cause2.store(true, Ordering::Relaxed);
            task2.wake(|| poll(&cause2))
        },
    );
    assert!(cell.is_freed(), "the wake was lost");
    outcomes.saw(match (resumed, woken) {
        (End::Complete(Output::Ready), End::Left) => "resumer",
        (End::Left, End::Complete(Output::Ready)) => "waker",
        other => panic!("{other:?}"),
    });
}

fn resume_against_pop(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 1));
    cell.state.suspend();
    let payload = Arc::new(Payload::new());
    let (task, read) = (Arc::clone(&cell), Arc::clone(&payload));
    let (task2, written) = (Arc::clone(&cell), payload);
    let poll = |payload: &Payload| {
        payload.read();
        Poll::Ready(())
    };
    let (polled, resumed) = order.run2(
        move || task.run(|| poll(&read)),
        move || {
            written.write();
            let end = task2.resume(|| poll(&written));
            task2.unpin();
            end
        },
    );
    cell.drop_waker();
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (polled, resumed) {
        (End::Complete(Output::Ready), End::Left) => "worker",
        (End::Left, End::Complete(Output::Ready)) => "resumer",
        other => panic!("{other:?}"),
    });
}

fn control_against_complete(order: Order, outcomes: &Outcomes, control: fn(&TaskState) -> Snapshot) {
    let cell = Arc::new(Cell::detached(0, 1));
    let payload = Arc::new(Payload::new());
    let (task, written) = (Arc::clone(&cell), Arc::clone(&payload));
    let (task2, read) = (Arc::clone(&cell), payload);
    let (end, done) = order.run2(
        move || {
            task.run(|| {
                written.write();
                Poll::Ready(())
            })
        },
        move || {
            let done = control(&task2.state).is_complete();
            if done {
                read.read();
            }
            done
        },
    );
    if end == End::Left {
        // The suspension came before the poll, and the task was set aside.
        assert_eq!(cell.abort(), End::Complete(Output::Cancelled));
    }
    cell.unpin();
    assert!(cell.is_freed());
    outcomes.saw(if done { "done" } else { "not done" });
}

fn abort_against_drop(order: Order, outcomes: &Outcomes) {
    let payload = Arc::new(Payload::new());
    let read = Arc::clone(&payload);
    let cell = Arc::new(Cell::detached(1, 1).dropping(move || read.read()));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let ((polled, end), aborted) = order.run2(
        move || {
            let mut polled = false;
            let end = task.run(|| {
                polled = true;
                Poll::Pending
            });
            (polled, end)
        },
        move || {
            payload.write();
            let end = task2.abort();
            task2.unpin();
            end
        },
    );
    cell.drop_waker();
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (polled, end, aborted) {
        (false, End::Complete(Output::Cancelled), End::Left) => "worker before the poll",
        (true, End::Complete(Output::Cancelled), End::Left) => "worker after the poll",
        (true, End::Left, End::Complete(Output::Cancelled)) => "aborter",
        other => panic!("{other:?}"),
    });
}

fn suspend_abort_wake(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(2, 1).waiting());
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (aborted, woken) = order.run2(
        move || {
            task.state.suspend();
            let end = task.abort();
            task.unpin();
            end
        },
        move || {
            let mut polled = false;
            let end = task2.wake(|| {
                polled = true;
                Poll::Pending
            });
            (end, polled)
        },
    );
    cell.drop_waker();
    assert!(cell.is_freed(), "the task is stranded");
    let by = match (aborted, woken.0) {
        (End::Complete(Output::Cancelled), End::Left) => "aborter",
        (End::Left, End::Complete(Output::Cancelled)) => "waker",
        other => panic!("{other:?}"),
    };
    outcomes.saw(if woken.1 { format!("{by} after a poll") } else { by.to_owned() });
}

fn abort_against_resume(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 2));
    cell.state.suspend();
    assert_eq!(cell.run(|| panic!("a suspended task is not polled")), End::Left);
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (aborted, (resumed, polled)) = order.run2(
        move || {
            let end = task.abort();
            task.unpin();
            end
        },
        move || {
            let mut polled = false;
            let end = task2.resume(|| {
                polled = true;
                Poll::Pending
            });
            task2.unpin();
            (end, polled)
        },
    );
    cell.drop_waker();
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (aborted, resumed, polled) {
        (End::Complete(Output::Cancelled), End::Left, false) => "aborter",
        (End::Complete(Output::Cancelled), End::Left, true) => "resumer polls, aborter cancels",
        (End::Left, End::Complete(Output::Cancelled), false) => "resumer",
        (End::Left, End::Complete(Output::Cancelled), true) => "resumer after a poll",
        other => panic!("{other:?}"),
    });
}

fn abort_against_wake(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(2, 1).waiting());
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (aborted, (woken, polled)) = order.run2(
        move || {
            let end = task.abort();
            task.unpin();
            end
        },
        move || {
            let mut polled = false;
            let end = task2.wake(|| {
                polled = true;
                Poll::Pending
            });
            (end, polled)
        },
    );
    cell.drop_waker();
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (aborted, woken, polled) {
        (End::Complete(Output::Cancelled), End::Left, false) => "aborter",
        (End::Complete(Output::Cancelled), End::Left, true) => "aborter after a poll",
        (End::Left, End::Complete(Output::Cancelled), false) => "waker",
        (End::Left, End::Complete(Output::Cancelled), true) => "waker after a poll",
        other => panic!("{other:?}"),
    });
}

fn abort_against_poll(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::detached(1, 1));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let ((polled, end), aborted) = order.run2(
        move || {
            let mut polled = false;
            let end = task.run(|| {
                polled = true;
                Poll::Pending
            });
            (polled, end)
        },
        move || {
            let end = task2.abort();
            task2.unpin();
            end
        },
    );
    cell.drop_waker();
    assert!(cell.is_freed(), "the task is stranded");
    outcomes.saw(match (polled, end, aborted) {
        (false, End::Complete(Output::Cancelled), End::Left) => "worker before the poll",
        (true, End::Complete(Output::Cancelled), End::Left) => "worker after the poll",
        (true, End::Left, End::Complete(Output::Cancelled)) => "aborter",
        other => panic!("{other:?}"),
    });
}

fn abort_against_complete(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::new(0, 1));
    let (task, task2) = (Arc::clone(&cell), Arc::clone(&cell));
    let (end, aborted) = order.run2(
        move || task.run(|| Poll::Ready(())),
        move || {
            let end = task2.abort();
            task2.unpin();
            end
        },
    );
    assert_eq!(aborted, End::Left);
    let output = cell.join(1).expect("the task is complete");
    assert_eq!(end, End::Complete(output));
    assert!(cell.is_freed());
    outcomes.saw(format!("{output:?}"));
}

/// The walk of a shutdown over a roster of one: pins the task if it is listed, and aborts it.
fn walk(roster: &Roster<bool, ()>, cell: &Cell) -> End {
    let state = roster.lock();
    let pinned = state.list && cell.state.pin();
    drop(state);
    if !pinned {
        return End::Left;
    }
    let end = cell.abort();
    cell.unpin();
    end
}

fn shutdown_against_poll_and_wake(order: Order, outcomes: &Outcomes) {
    let cell = Arc::new(Cell::new(1, 1));
    let flag = Arc::new(AtomicBool::new(false));
    let (task, task2, task3) = (Arc::clone(&cell), Arc::clone(&cell), Arc::clone(&cell));
    let (cause, cause2) = (Arc::clone(&flag), flag);
    let once = |flag: &AtomicBool| match flag.load(Ordering::Relaxed) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    };
    let (worker, waker, walker) = order.run3(
        move || task.run(|| once(&cause)),
        move || {
            cause2.store(true, Ordering::Relaxed);
            task2.wake(|| once(&cause2))
        },
        move || {
            let end = task3.abort();
            task3.unpin();
            end
        },
    );
    let output = cell.join(1).expect("the task is stranded");
    assert!(cell.is_freed());
    let by = match (worker.output(), waker.output(), walker.output()) {
        (Some(by), None, None) if by == output => "worker",
        (None, Some(by), None) if by == output => "waker",
        (None, None, Some(by)) if by == output => "walker",
        other => panic!("completed by {other:?}"),
    };
    outcomes.saw(format!("{by} {output:?}"));
}

fn shutdown_against_delayed_push(order: Order, outcomes: &Outcomes) {
    let roster = Arc::new(Roster::new(false));
    let cell = Arc::new(Cell::detached(1, 0).waiting().listed(Arc::clone(&roster)));
    let (list, task, task2) = (Arc::clone(&roster), Arc::clone(&cell), Arc::clone(&cell));
    let (woken, walked) = order.run2(
        // Between the transition and the run the task is in no queue.
        move || task2.wake(|| Poll::Pending),
        move || walk(&list, &task),
    );
    outcomes.saw(match (woken, walked) {
        (End::Complete(Output::Cancelled), End::Left) => "waker",
        (End::Left, End::Complete(Output::Cancelled)) => "walker",
        other => panic!("{other:?}"),
    });
    assert!(roster.lock().is_empty());
    assert!(cell.is_freed());
}
