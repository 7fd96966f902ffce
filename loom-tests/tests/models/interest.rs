//! What may be asked of a source and what may be answered, over all sets. One thread: there is nothing to race, and what
//! is held here is what the models of readiness, waiters and registration build on.

use protocol_loom::interest::{Direction, Interest, Ready};
use protocol_loom::readiness::Readiness;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "interest::a_set_is_what_it_was_made_of",
        property: "Sets of facts and of interests join, differ and overlap as sets of their names do.",
        outcomes: &["as named"],
        preemption_bound: None,
        body: sets,
    },
    Model {
        name: "readiness::an_event_answers_and_a_clear_disproves_what_it_should",
        property: "An event lets those try whom it answers or whose direction is silent; a clear removes its own facts.",
        outcomes: &["as in the table"],
        preemption_bound: None,
        body: table,
    },
    Model {
        name: "readiness::the_tick_never_returns_to_silence",
        property: "However often the kernel speaks of one direction, it has spoken of that one and not of the other.",
        outcomes: &["heard"],
        preemption_bound: None,
        body: ticks,
    },
];

const FACTS: [Ready; 6] = [
    Ready::READABLE,
    Ready::WRITABLE,
    Ready::READ_CLOSED,
    Ready::WRITE_CLOSED,
    Ready::PRIORITY,
    Ready::ERROR,
];
const INTERESTS: [Interest; 4] =
    [Interest::READABLE, Interest::WRITABLE, Interest::PRIORITY, Interest::ERROR];

/// By interest: the facts that answer it, the facts that its operation disproves, and the facts of its direction.
const TABLE: [(&[usize], &[usize], &[usize]); 4] = [
    (&[0, 2], &[0, 2], &[0, 2, 4, 5]),
    (&[1, 3], &[1, 3], &[1, 3]),
    (&[4, 2], &[4], &[0, 2, 4, 5]),
    (&[5], &[5], &[0, 2, 4, 5]),
];

fn has(mask: usize, index: usize) -> bool {
    mask & 1 << index != 0
}

fn has_any(mask: usize, indices: &[usize]) -> bool {
    indices.iter().any(|&index| has(mask, index))
}

fn without(mask: usize, indices: &[usize]) -> usize {
    indices.iter().fold(mask, |mask, index| mask & !(1 << index))
}

fn facts(mask: usize) -> Ready {
    let mut set = Ready::EMPTY;
    FACTS.iter().enumerate().filter(|(index, _)| has(mask, *index)).for_each(|(_, fact)| set |= *fact);
    set
}

/// `None` if nothing is asked.
fn interests(mask: usize) -> Option<Interest> {
    let mut chosen = INTERESTS.iter().enumerate().filter(|(index, _)| has(mask, *index)).map(|(_, one)| *one);
    let mut set = chosen.next()?;
    chosen.for_each(|one| set |= one);
    Some(set)
}

fn sets(_: Order, outcomes: &Outcomes) {
    assert_eq!((facts(0), facts(63)), (Ready::EMPTY, Ready::ALL));
    for a in 0..64 {
        let set = facts(a);
        assert_eq!(set.is_empty(), a == 0);
        assert_eq!(set.is_readable(), has_any(a, &[0, 2]));
        assert_eq!(set.is_writable(), has_any(a, &[1, 3]));
        let single = [set.is_read_closed(), set.is_write_closed(), set.is_priority(), set.is_error()];
        assert_eq!(single, [2, 3, 4, 5].map(|index| has(a, index)));
        for b in 0..64 {
            let other = facts(b);
            assert_eq!(set == other, a == b);
            assert_eq!((set.contains(other), set.intersects(other)), (b & !a == 0, a & b != 0));
            assert_eq!((set | other, set.union(other)), (facts(a | b), facts(a | b)));
            assert_eq!((set & other, set - other), (facts(a & b), facts(a & !b)));
        }
    }
    for a in 1..16 {
        let set = interests(a).expect("something is asked");
        let single = [set.is_readable(), set.is_writable(), set.is_priority(), set.is_error()];
        assert_eq!(single, [0, 1, 2, 3].map(|index| has(a, index)));
        for b in 1..16 {
            let other = interests(b).expect("something is asked");
            assert_eq!(set == other, a == b);
            assert_eq!((set | other, set.add(other)), (interests(a | b).unwrap_or(set), set | other));
            assert_eq!(set.remove(other), interests(a & !b));
        }
    }
    assert_eq!(Direction::Read.interest(), Interest::READABLE);
    assert_eq!(Direction::Write.interest(), Interest::WRITABLE);
    outcomes.saw("as named");
}

fn table(_: Order, outcomes: &Outcomes) {
    for (interest, (answers, own, direction)) in INTERESTS.into_iter().zip(TABLE) {
        for mask in 0..64 {
            let readiness = Readiness::new();
            let seen = readiness.observe();
            assert!(seen.may_try(interest) && seen.ready().is_empty() && !seen.is_shut_down());
            readiness.record(facts(mask));
            let seen = readiness.observe();
            assert_eq!(seen.ready(), facts(mask));
            assert_eq!(seen.may_try(interest), has_any(mask, answers) || !has_any(mask, direction));
            readiness.clear(seen, interest.own_facts());
            assert_eq!(readiness.observe().ready(), facts(without(mask, own)));
        }
    }
    // Several interests are answered and disproved like each of them.
    for mask in 1..16 {
        let set = interests(mask).expect("something is asked");
        let each =
            || INTERESTS.into_iter().enumerate().filter(|(index, _)| has(mask, *index)).map(|(_, it)| it);
        assert_eq!(set.answers(), each().fold(Ready::EMPTY, |all, one| all | one.answers()));
        assert_eq!(set.own_facts(), each().fold(Ready::EMPTY, |all, one| all | one.own_facts()));
    }
    outcomes.saw("as in the table");
}

fn ticks(_: Order, outcomes: &Outcomes) {
    let both = [
        (Ready::READABLE, Interest::READABLE, Interest::WRITABLE),
        (Ready::WRITABLE, Interest::WRITABLE, Interest::READABLE),
    ];
    for (fact, interest, other) in both {
        let readiness = Readiness::new();
        let mut stale = readiness.observe();
        // Under loom a tick has two bits: twice around.
        for _ in 0..8 {
            readiness.record(fact);
            readiness.clear(stale, interest.own_facts());
            stale = readiness.observe();
            assert_eq!(stale.ready(), fact, "what was seen before the event disproves nothing");
            readiness.clear(stale, interest.own_facts());
            let seen = readiness.observe();
            assert!(seen.ready().is_empty() && !seen.may_try(interest) && seen.may_try(other));
        }
    }
    let readiness = Readiness::new();
    readiness.record(Ready::ALL);
    readiness.shut_down();
    let seen = readiness.observe();
    assert!(seen.is_shut_down() && seen.ready() == Ready::ALL);
    readiness.clear(seen, Ready::ALL);
    let seen = readiness.observe();
    assert!(seen.is_shut_down() && seen.ready().is_empty());
    outcomes.saw("heard");
}
