//! The list of a slot's tasks against its closing.

use std::sync::Arc;

use protocol_loom::roster::Roster;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "roster::a_cell_is_walked_over_or_refused",
        property: "An insert against close and walk: the walk finds the cell, or the insert is refused.",
        outcomes: &["refused", "walked over"],
        preemption_bound: None,
        body: insert_against_close,
    },
    Model {
        name: "roster::what_it_keeps_is_given_back_once",
        property: "The last removal against close: exactly one of them gets what the roster kept alive.",
        outcomes: &["by the closer", "by the last cell"],
        preemption_bound: None,
        body: remove_against_close,
    },
    Model {
        name: "roster::it_keeps_until_the_last_of_two_cells_is_gone",
        property: "Two removals after close: what the roster kept alive goes to the later one.",
        outcomes: &["first", "second"],
        preemption_bound: None,
        body: two_removals,
    },
];

type Cells = Vec<u32>;

/// Stands for the runtime's shared part, which the roster keeps alive.
#[derive(Debug, PartialEq, Eq)]
struct Kept;

fn insert(roster: &Roster<Cells, Kept>, cell: u32) -> bool {
    roster.insert(|cells| cells.push(cell), || Kept)
}

fn remove(roster: &Roster<Cells, Kept>, cell: u32) -> bool {
    roster.remove(|cells| cells.retain(|listed| *listed != cell)).is_some()
}

fn insert_against_close(order: Order, outcomes: &Outcomes) {
    let roster = Arc::new(Roster::new(Cells::new()));
    let spawner = Arc::clone(&roster);
    let (listed, walked) = order.run2(
        move || insert(&spawner, 1),
        move || {
            let kept = roster.close();
            let state = roster.lock();
            // An empty roster gives nothing back that it never had, a full one keeps it for its cells.
            assert_eq!(kept, None);
            assert_eq!(state.len(), state.list.len());
            assert_eq!(state.is_drained(|cells| !cells.is_empty()), state.list.is_empty());
            state.list.contains(&1)
        },
    );
    assert_eq!(listed, walked);
    outcomes.saw(if walked { "walked over" } else { "refused" });
}

fn remove_against_close(order: Order, outcomes: &Outcomes) {
    let roster = Arc::new(Roster::new(Cells::new()));
    assert!(insert(&roster, 1));
    let (last, closer) = (Arc::clone(&roster), Arc::clone(&roster));
    let (by_last, by_closer) = order.run2(move || remove(&last, 1), move || closer.close().is_some());
    assert!(by_last != by_closer);
    assert!(roster.lock().is_empty());
    outcomes.saw(if by_last { "by the last cell" } else { "by the closer" });
}

fn two_removals(order: Order, outcomes: &Outcomes) {
    let roster = Arc::new(Roster::new(Cells::new()));
    assert!(insert(&roster, 1) && insert(&roster, 2));
    assert!(!roster.lock().is_empty());
    assert!(!roster.lock().is_drained(|_| false), "what an open roster takes later has to be run");
    assert_eq!(roster.lock().len(), 2);
    assert_eq!(roster.close(), None);
    let (first, second) = (Arc::clone(&roster), Arc::clone(&roster));
    let (first, second) = order.run2(move || remove(&first, 1), move || remove(&second, 2));
    assert!(first != second);
    outcomes.saw(if first { "first" } else { "second" });
}
