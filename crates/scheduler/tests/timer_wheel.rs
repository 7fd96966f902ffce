//! The timing wheel against a model that is a sorted map, over the whole range of times.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;
use shopfloor_scheduler::timer::{TICK_NS, TimerKey, Wheel};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A deadline so far ahead of the present, or behind it.
    Insert(Offset),
    /// The entry with this number, modulo those alive.
    Remove(usize),
    Relocate(usize, Offset),
    /// Time goes on by so much; at most so many entries are looked at by one call.
    Advance(u64, usize),
}

#[derive(Clone, Copy, Debug)]
enum Offset {
    Behind(u64),
    Ahead(u64),
}

impl Offset {
    fn from(self, now: u64) -> u64 {
        match self {
            Self::Behind(ns) => now.saturating_sub(ns),
            Self::Ahead(ns) => now.saturating_add(ns),
        }
    }
}

/// All orders of magnitude alike, and the borders of ticks.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => 0..4 * TICK_NS,
        2 => (0..200u64).prop_map(|ticks| ticks * TICK_NS),
        4 => (0u32..64, any::<u64>()).prop_map(|(bits, ns)| ns >> bits),
    ]
}

fn offset() -> impl Strategy<Value = Offset> {
    prop_oneof![1 => span().prop_map(Offset::Behind), 6 => span().prop_map(Offset::Ahead)]
}

fn jump() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0..100 * TICK_NS,
        3 => (24u32..64, any::<u64>()).prop_map(|(bits, ns)| ns >> bits),
        1 => (0u32..24, any::<u64>()).prop_map(|(bits, ns)| ns >> bits),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => offset().prop_map(Step::Insert),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), offset()).prop_map(|(which, to)| Step::Relocate(which, to)),
        4 => (jump(), prop_oneof![Just(usize::MAX), 0usize..4]).prop_map(|(ns, most)| Step::Advance(ns, most)),
    ]
}

/// When the wheel shows an entry: its deadline rounded up to a tick. `None`: never.
fn shown_from(deadline: u64) -> Option<u64> {
    deadline.div_ceil(TICK_NS).checked_mul(TICK_NS).filter(|&ns| ns < u64::MAX - TICK_NS)
}

/// Where time stands still in these tests: no deadline behind it is out of the wheel's range.
const END: u64 = u64::MAX - 4 * TICK_NS;

#[derive(Default)]
struct Pair {
    wheel: Wheel<u64>,
    now: u64,
    next_id: u64,
    alive: BTreeMap<u64, (u64, TimerKey)>,
    gone: Vec<TimerKey>,
    removed_any: bool,
}

impl Pair {
    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Insert(offset) => {
                let deadline = offset.from(self.now);
                let key = self.wheel.insert(deadline, self.next_id);
                self.alive.insert(self.next_id, (deadline, key));
                self.next_id += 1;
            }
            Step::Remove(which) => {
                if let Some(id) = self.nth(which) {
                    let (_, key) = self.alive.remove(&id).expect("it is alive");
                    prop_assert_eq!(self.wheel.remove(key), Some(id));
                    self.gone.push(key);
                    self.removed_any = true;
                }
            }
            Step::Relocate(which, offset) => {
                if let Some(id) = self.nth(which) {
                    let deadline = offset.from(self.now);
                    let entry = self.alive.get_mut(&id).expect("it is alive");
                    entry.0 = deadline;
                    prop_assert!(self.wheel.relocate(entry.1, deadline));
                    prop_assert_eq!(self.wheel.get_mut(entry.1), Some(&mut { id }));
                    self.removed_any = true;
                }
            }
            Step::Advance(ns, most) => self.advance(ns, most)?,
        }
        self.compare()
    }

    fn nth(&self, which: usize) -> Option<u64> {
        self.alive.keys().nth(which.checked_rem(self.alive.len())?).copied()
    }

    fn advance(&mut self, ns: u64, most: usize) -> Result<(), TestCaseError> {
        self.now = self.now.saturating_add(ns).min(END);
        let now = self.now;
        let mut shown = Vec::new();
        let count = self.wheel.advance(now, most, |id| shown.push(id));
        prop_assert_eq!(count, shown.len());
        prop_assert!(count <= most);
        let mut ticks = Vec::new();
        for id in &shown {
            let (deadline, key) = self.alive[id];
            prop_assert!(deadline <= now, "entry {} of {} shown early, at {}", id, deadline, now);
            ticks.push(shown_from(deadline));
            self.gone.push(key);
            self.alive.remove(id);
        }
        prop_assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), shown.len(), "shown twice");
        if count < most {
            for (id, (deadline, _)) in &self.alive {
                let due = shown_from(*deadline).is_some_and(|from| from <= now);
                prop_assert!(!due, "entry {} of {} not shown at {}", id, deadline, now);
            }
        }
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.wheel.len(), self.alive.len());
        let next = self.wheel.next_deadline();
        if self.alive.is_empty() {
            prop_assert_eq!(next, u64::MAX);
            return Ok(());
        }
        let earliest = self.alive.values().filter_map(|(deadline, _)| shown_from(*deadline)).min();
        match earliest {
            Some(at) if at <= self.now => prop_assert!(next <= at, "due at {} but says {}", at, next),
            Some(at) if self.removed_any => prop_assert!(next <= at, "due at {} but says {}", at, next),
            Some(at) => prop_assert_eq!(next, at, "nothing was removed, so it is exact"),
            None => prop_assert!(next > self.now, "nothing will ever be due"),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn agrees_with_a_sorted_map(steps in prop::collection::vec(step(), 1..200)) {
        let mut pair = Pair::default();
        for step in steps {
            pair.take(step)?;
        }
        for key in std::mem::take(&mut pair.gone) {
            prop_assert!(!pair.wheel.relocate(key, 0), "a late key moves another's entry");
            prop_assert_eq!(pair.wheel.get_mut(key), None);
            prop_assert_eq!(pair.wheel.remove(key), None, "a late key takes out another's entry");
        }
        pair.compare()?;
    }

    #[test]
    fn shows_in_the_order_of_ticks_and_of_insertion(offsets in prop::collection::vec(0..100 * TICK_NS, 0..50)) {
        let mut wheel = Wheel::new();
        for (number, &deadline) in offsets.iter().enumerate() {
            wheel.insert(deadline, (deadline.div_ceil(TICK_NS), number));
        }
        let mut shown = Vec::new();
        wheel.advance(200 * TICK_NS, usize::MAX, |entry| shown.push(entry));
        let mut sorted = shown.clone();
        sorted.sort_unstable();
        prop_assert_eq!(shown.len(), offsets.len());
        prop_assert_eq!(shown, sorted);
    }
}

#[test]
fn sleeping_until_the_next_deadline_shows_each_entry_in_one_step() {
    // A wheel that woke its sleeper to move entries between levels would need more steps than entries.
    let mut wheel = Wheel::new();
    let mut deadlines: Vec<u64> = (0..60u32).map(|bits| (1 << bits) + u64::from(bits)).collect();
    for &deadline in &deadlines {
        wheel.insert(deadline, deadline);
    }
    while !wheel.is_empty() {
        let now = wheel.next_deadline();
        let mut shown = Vec::new();
        wheel.advance(now, usize::MAX, |deadline| shown.push(deadline));
        assert!(!shown.is_empty(), "nothing to show at {now}");
        for deadline in shown {
            assert!(deadline <= now && now - deadline < TICK_NS, "{deadline} shown at {now}");
            deadlines.retain(|&other| other != deadline);
        }
    }
    assert!(deadlines.is_empty());
}

#[test]
fn a_reading_of_the_clock_that_comes_late_does_not_turn_it_back() {
    let mut wheel = Wheel::new();
    assert_eq!(wheel.advance(100 * TICK_NS, usize::MAX, drop), 0);
    wheel.insert(50 * TICK_NS, 50);
    assert_eq!(wheel.next_deadline(), 50 * TICK_NS, "before the present, and not after its own time");
    wheel.insert(70 * TICK_NS, 70);
    wheel.insert(101 * TICK_NS, 101);
    let mut shown = Vec::new();
    assert_eq!(wheel.advance(60 * TICK_NS, usize::MAX, |entry| shown.push(entry)), 2);
    assert_eq!(shown, [50, 70], "due at the latest reading");
    assert_eq!(wheel.advance(101 * TICK_NS, usize::MAX, drop), 1);
}

#[test]
fn an_emptied_wheel_gives_its_memory_back() {
    let mut wheel = Wheel::new();
    let keys: Vec<_> = (0..100_000).map(|number| wheel.insert(number * 1000, number)).collect();
    assert!(wheel.capacity() >= 100_000);
    for key in keys {
        assert!(wheel.remove(key).is_some());
    }
    assert_eq!(wheel.capacity(), 0);
    let key = wheel.insert(7, 7);
    assert_eq!(wheel.remove(key), Some(7));
}

#[test]
fn clear_shows_every_entry_once() {
    let mut wheel = Wheel::new();
    let all: BTreeSet<u64> = (0..63).map(|bits| 1 << bits).collect();
    for &deadline in &all {
        wheel.insert(deadline, deadline);
    }
    let mut seen = BTreeSet::new();
    wheel.advance(1 << 20, 3, |entry| assert!(seen.insert(entry)));
    wheel.clear(|entry| assert!(seen.insert(entry)));
    assert_eq!(seen, all);
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_deadline(), u64::MAX);
}
