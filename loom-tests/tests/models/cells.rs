//! Numbers and words for display: they decide nothing, so all that can be asked is that no number is lost. And turns.

use protocol_loom::cells::{Counter, Word};
use protocol_loom::round_robin::RoundRobin;
use std::sync::Arc;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "cells::no_addition_is_lost",
        property: "Additions of two threads to a counter are all in it afterwards.",
        outcomes: &["5"],
        preemption_bound: None,
        body: add_against_add,
    },
    Model {
        name: "cells::a_reader_sees_a_number_that_grows",
        property: "Two looks at a counter that its one writer bumps never show it fall.",
        outcomes: &["0 0", "0 1", "0 2", "1 1", "1 2", "2 2"],
        preemption_bound: None,
        body: bump_against_get,
    },
    Model {
        name: "cells::a_word_shows_what_was_set",
        property: "A look at a word shows what was set before or is being set, and nothing else.",
        outcomes: &["1", "2"],
        preemption_bound: None,
        body: set_against_get,
    },
    Model {
        name: "round_robin::who_asks_at_once_gets_different_turns",
        property: "Two threads that ask for the turn at once get one each; a third one begins anew.",
        outcomes: &["0 1", "1 0"],
        preemption_bound: None,
        body: turn_against_turn,
    },
];

fn add_against_add(order: Order, outcomes: &Outcomes) {
    let counter = Arc::new(Counter::new());
    let (first, second) = (Arc::clone(&counter), Arc::clone(&counter));
    order.run2(move || first.add(2), move || second.add(3));
    outcomes.saw(counter.get().to_string());
}

fn bump_against_get(order: Order, outcomes: &Outcomes) {
    let counter = Arc::new(Counter::new());
    let writer = Arc::clone(&counter);
    let ((), (first, second)) = order.run2(
        move || {
            writer.bump();
            writer.bump();
        },
        move || (counter.get(), counter.get()),
    );
    outcomes.saw(format!("{first} {second}"));
}

fn set_against_get(order: Order, outcomes: &Outcomes) {
    let word = Arc::new(Word::new(1));
    let writer = Arc::clone(&word);
    let ((), seen) = order.run2(move || writer.set(2), move || word.get());
    outcomes.saw(seen.to_string());
}

fn turn_against_turn(order: Order, outcomes: &Outcomes) {
    let turns = Arc::new(RoundRobin::new());
    let (first, second) = (Arc::clone(&turns), Arc::clone(&turns));
    let (first, second) = order.run2(move || first.next(2), move || second.next(2));
    assert_eq!(turns.next(2), 0);
    outcomes.saw(format!("{first} {second}"));
}
