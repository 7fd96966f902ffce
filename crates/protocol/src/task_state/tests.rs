//! Every transition over every legal word.

use super::*;

const FLAGS: u64 = COMPLETE | CANCELLED | SUSPENDED | HELD | JOIN_INTEREST | JOIN_WAKER | ORPHAN;

/// Every word that the transitions can produce, with 0 to 2 handles and wakers.
fn legal() -> impl Iterator<Item = Snapshot> {
    let counts = (0..3).flat_map(|wakes| (0..3).flat_map(move |h| (0..3).map(move |w| (wakes, h, w))));
    counts.flat_map(|(wakes, handles, wakers)| {
        (0..=FLAGS).filter_map(move |flags| {
            let word = Snapshot(flags + wakes * WAKE + handles * HANDLE + wakers * WAKER);
            is_legal(word).then_some(word)
        })
    })
}

fn is_legal(word: Snapshot) -> bool {
    let held_is_suspended = !word.has(HELD) || word.has(SUSPENDED) && word.wakes() > 0;
    let cancelled_has_owner =
        !word.has(CANCELLED) || word.has(COMPLETE) || word.wakes() > 0 && !word.has(HELD);
    let join_waker_has_handle = !word.has(JOIN_WAKER) || word.has(JOIN_INTEREST) || word.has(COMPLETE);
    let complete_is_terminal = !word.has(COMPLETE)
        || !word.has(SUSPENDED | HELD | ORPHAN)
            && if word.has(JOIN_WAKER) { word.wakes() <= 1 } else { word.wakes() == 0 };
    let orphan_waits = !word.has(ORPHAN) || word.wakes() == 0;
    held_is_suspended && cancelled_has_owner && join_waker_has_handle && complete_is_terminal && orphan_waits
}

/// Words in which a worker has the obligation in hand.
fn owned() -> impl Iterator<Item = Snapshot> {
    legal().filter(|word| word.wakes() > 0 && !word.has(COMPLETE | HELD))
}

#[test]
fn the_first_word_is_legal_and_ready() {
    let first = TaskState::new().load();
    assert!(is_legal(first));
    assert_eq!(first.phase(), Phase::ReadyOrRunning);
}

#[test]
fn a_wake_schedules_exactly_when_nobody_has_the_obligation() {
    for word in legal() {
        let (next, action) = word.woken();
        assert!(is_legal(next.clear(ORPHAN)), "{word:?} -> {next:?}");
        assert_eq!(action == WakeAction::Schedule, word.wakes() == 0 && !word.has(COMPLETE), "{word:?}");
        assert!(word.has(COMPLETE) || next.wakes() == (word.wakes() + 1).min(2));
    }
}

#[test]
fn waking_by_value_gives_up_one_waker_and_frees_only_the_dead() {
    for word in legal().filter(|word| word.0 & WAKERS > 0) {
        let (next, action) = word.woken_by_val();
        assert_eq!(next.0 & WAKERS, (word.0 & WAKERS) - WAKER);
        assert_eq!(action == WakeAction::Release, next.is_dead(), "{word:?} -> {next:?}");
    }
}

#[test]
fn a_worker_polls_cancels_or_holds_what_it_took() {
    for word in owned() {
        let (next, action) = word.poll_started();
        assert!(is_legal(next), "{word:?} -> {next:?}");
        let expected = if word.has(CANCELLED) {
            StartAction::Cancel
        } else if word.has(SUSPENDED) {
            StartAction::Held
        } else {
            StartAction::Poll
        };
        assert_eq!(action, expected, "{word:?}");
        assert!(next.wakes() > 0, "the obligation does not vanish");
    }
}

#[test]
fn a_poll_that_ends_keeps_the_obligation_exactly_if_something_woke_the_task() {
    for word in owned().filter(|word| !word.has(CANCELLED) || word.wakes() == 2) {
        let (next, action) = word.poll_ended();
        assert!(is_legal(next), "{word:?} -> {next:?}");
        let kept = word.wakes() == 2;
        assert_eq!(next.wakes() > 0, kept, "{word:?} -> {next:?}");
        match action {
            EndAction::Idle => assert!(!kept && !next.is_orphan()),
            EndAction::Orphaned => {
                assert!(!kept && next.is_orphan() && next.0 & HANDLES > word.0 & HANDLES)
            }
            EndAction::Reschedule => assert!(kept && !next.has(SUSPENDED | CANCELLED)),
            EndAction::Cancel => assert!(kept && next.has(CANCELLED)),
            EndAction::Held => assert!(kept && next.has(HELD)),
        }
    }
}

#[test]
fn completion_frees_the_cell_exactly_when_no_reference_is_left() {
    for word in owned() {
        let (next, action) = word.completed();
        assert!(is_legal(next), "{word:?} -> {next:?}");
        assert_eq!(next.phase(), Phase::Done);
        assert_eq!(action == CompleteAction::WakeJoiner, word.has(JOIN_WAKER));
        assert_eq!(action == CompleteAction::Release, next.is_dead());
    }
}

#[test]
fn resume_schedules_exactly_what_a_worker_set_aside() {
    for word in legal() {
        let (next, action) = word.resumed();
        assert!(is_legal(next), "{word:?} -> {next:?}");
        assert!(!next.has(SUSPENDED | HELD));
        assert_eq!(action == WakeAction::Schedule, word.has(HELD));
        assert_eq!(next.resumed(), (next, WakeAction::None), "resume is idempotent");
    }
}

#[test]
fn suspend_is_idempotent_and_touches_neither_the_cancelled_nor_the_done() {
    for word in legal() {
        let next = word.suspended();
        assert!(is_legal(next), "{word:?} -> {next:?}");
        assert_eq!(next.suspended(), next);
        if word.has(COMPLETE | CANCELLED) {
            assert_eq!(next, word);
        }
    }
}

#[test]
fn abort_leaves_exactly_one_owner_of_the_obligation() {
    for word in legal() {
        let (next, action) = word.aborted();
        assert!(is_legal(next), "{word:?} -> {next:?}");
        let nobody_had_it = word.wakes() == 0 || word.has(HELD);
        assert_eq!(action == WakeAction::Schedule, nobody_had_it && !word.has(COMPLETE), "{word:?}");
    }
}

#[test]
fn dropping_the_last_waker_of_a_waiting_task_notes_an_orphan() {
    for word in legal().filter(|word| word.0 & WAKERS > 0) {
        let (next, action) = word.waker_dropped();
        assert!(is_legal(next), "{word:?} -> {next:?}");
        assert_eq!(action == DropAction::Release, next.is_dead());
        assert_eq!(action == DropAction::Orphaned, Snapshot(word.0 - WAKER).is_orphan());
    }
}

#[test]
fn a_million_wakes_of_a_queued_task_are_one_obligation() {
    let state = TaskState::new();
    for _ in 0..1_000_000 {
        assert_eq!(state.wake_by_ref(), WakeAction::None);
    }
    assert_eq!(state.start_poll(), StartAction::Poll);
    state.clone_waker();
    assert_eq!(state.end_poll(), EndAction::Idle);
}

#[test]
fn a_wake_between_start_and_end_of_a_poll_reschedules_once() {
    let state = TaskState::new();
    assert_eq!(state.start_poll(), StartAction::Poll);
    assert_eq!(state.wake_by_ref(), WakeAction::None);
    assert_eq!(state.wake_by_ref(), WakeAction::None);
    assert_eq!(state.end_poll(), EndAction::Reschedule);
    assert_eq!(state.start_poll(), StartAction::Poll);
    assert_eq!(state.end_poll(), EndAction::Orphaned);
    assert!(state.take_orphan());
    assert!(!state.take_orphan());
    assert!(!state.unpin());
}
