//! Timers that fire, end, move and change their waker at once.

use std::sync::Arc;
use std::task::{Wake, Waker};

use protocol_loom::alarm::NONE;
use protocol_loom::shared_wheel::{DeadlineQueue, SharedWheel};
use protocol_loom::sync::{Arc as SharedArc, AtomicUsize, Ordering};
use protocol_loom::timer_entry::{TimerEntry, TimerState};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "timer::fire_excludes_cancel",
        property: "A timer that a foreign thread cancels while it is due is fired or cancelled, not both.",
        outcomes: &["fired", "cancelled, found dead", "cancelled, key first"],
        preemption_bound: None,
        body: fire_against_cancel,
    },
    Model {
        name: "timer::unlink_excludes_fire",
        property: "A timer that its owner cancels while another thread turns the wheel fires or is unlinked.",
        outcomes: &["fired", "unlinked"],
        preemption_bound: None,
        body: fire_against_unlink,
    },
    Model {
        name: "timer::cancel_while_filed_again_leaves_no_entry",
        property: "A foreign cancel during the re-filing of a postponed timer is collected by the next turn.",
        outcomes: &["collected at the old deadline", "collected by the next turn"],
        preemption_bound: None,
        body: refile_against_cancel,
    },
    Model {
        name: "timer::late_key_spares_the_next_timer",
        property: "A key that is returned after its place was given to a new timer removes nothing.",
        outcomes: &["fired", "key in time", "key late"],
        preemption_bound: None,
        body: late_key,
    },
    Model {
        name: "timer::reset_to_earlier_elsewhere_excludes_fire",
        property: "A timer moved to the resetter's wheel while it is due fires in one wheel only.",
        outcomes: &["fired in the old wheel", "moved"],
        preemption_bound: None,
        body: fire_against_move,
    },
    Model {
        name: "timer::bring_forward_reaches_the_turn",
        property: "A timer brought forward while its wheel is turned for its old place fires at the new time.",
        outcomes: &["fired by the other", "fired by the next turn"],
        preemption_bound: None,
        body: fire_against_bring_forward,
    },
    Model {
        name: "timer::bring_forward_excludes_fire",
        property: "A reset by the owner while another thread turns the wheel is refused or takes effect.",
        outcomes: &["fired first", "moved"],
        preemption_bound: None,
        body: bring_forward_against_due,
    },
    Model {
        name: "timer::postponed_timer_does_not_fire_for_the_old_deadline",
        property: "Once a reset to later is accepted, nothing fires before the new deadline.",
        outcomes: &["fired first", "postponed"],
        preemption_bound: None,
        body: fire_against_postpone,
    },
    Model {
        name: "timer::newest_waker_is_woken",
        property: "A poll that finds the timer armed has its waker woken by the fire; any other finds it fired.",
        outcomes: &["armed, its waker woken", "fired, the old waker woken"],
        preemption_bound: None,
        body: fire_against_poll,
    },
    Model {
        name: "timer::close_wakes_or_refuses",
        property: "A timer filed during the shutdown is refused or its waker is handed out.",
        outcomes: &["refused", "woken"],
        preemption_bound: None,
        body: close_against_file,
    },
    Model {
        name: "timer::close_excludes_cancel",
        property: "A timer cancelled elsewhere during the shutdown is cancelled or woken, and leaves the wheel.",
        outcomes: &["cancelled", "woken"],
        preemption_bound: None,
        body: close_against_cancel,
    },
    Model {
        name: "timer::the_end_of_one_keeps_the_deadline_of_the_other",
        property: "One of two timers ends while the wheel is turned: the deadline of the other stays published, and due.",
        outcomes: &["fired", "unlinked"],
        preemption_bound: None,
        body: unlink_one_of_two,
    },
];

/// The simplest queue with generations: places in a row, looked through from the start.
#[derive(Debug, Default)]
pub struct Row {
    places: Vec<Option<(u64, u64, SharedArc<TimerEntry>)>>,
    generation: u64,
}

impl DeadlineQueue for Row {
    type Key = (usize, u64);

    fn insert(&mut self, deadline: u64, entry: SharedArc<TimerEntry>) -> Self::Key {
        self.generation += 1;
        let place = self.places.iter().position(Option::is_none).unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some((self.generation, deadline, entry));
        (place, self.generation)
    }

    fn relocate(&mut self, (place, generation): Self::Key, to: u64) {
        if let Some(Some((present, deadline, _))) = self.places.get_mut(place)
            && *present == generation
        {
            *deadline = to;
        }
    }

    fn remove(&mut self, (place, generation): Self::Key) -> Option<SharedArc<TimerEntry>> {
        let held = self.places.get_mut(place)?;
        held.take_if(|(present, ..)| *present == generation).map(|(_, _, entry)| entry)
    }

    fn advance(
        &mut self,
        now: u64,
        limit: usize,
        mut expire: impl FnMut(&TimerEntry) -> Option<u64>,
    ) -> usize {
        let mut shown = 0;
        for place in &mut self.places {
            let Some((_, deadline, entry)) = place else { continue };
            if *deadline > now || shown == limit {
                continue;
            }
            shown += 1;
            match expire(entry) {
                Some(later) => *deadline = later,
                None => *place = None,
            }
        }
        shown
    }

    fn next_deadline(&self) -> u64 {
        self.places.iter().flatten().map(|(_, deadline, _)| *deadline).min().unwrap_or(NONE)
    }

    fn clear(&mut self, mut visit: impl FnMut(&TimerEntry)) {
        for (_, _, entry) in self.places.drain(..).flatten() {
            visit(&entry);
        }
    }
}

impl Row {
    pub fn len(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

pub type ModelWheel = SharedWheel<Row>;

/// Counts its wakes.
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::new(Bell(AtomicUsize::new(0)));
    (Arc::clone(&bell), Waker::from(bell))
}

fn rung(bell: &Bell) -> usize {
    bell.0.load(Ordering::Relaxed)
}

pub fn wheel() -> Arc<ModelWheel> {
    Arc::new(SharedWheel::new(Row::default()))
}

/// Turns the wheel and then wakes, as the scheduler does; says how many entries it saw and how many it woke.
fn look(wheel: &ModelWheel, now: u64) -> (usize, usize) {
    let mut wakers = Vec::new();
    let seen = wheel.turn(now, usize::MAX, |waker| wakers.push(waker));
    let woken = wakers.len();
    wakers.into_iter().for_each(Waker::wake);
    (seen, woken)
}

/// As [`look`]; says how many it woke.
pub fn turn(wheel: &ModelWheel, now: u64) -> usize {
    look(wheel, now).1
}

fn fire_against_cancel(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (entry, key) = wheel.file(10, waker).expect("it is open");
    let (turning, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let ((seen, fired), cancelled) =
        order.run2(move || look(&turning, 10), move || cancelling.cancel_elsewhere(&entry, key).is_some());
    assert_eq!(fired, usize::from(!cancelled), "one of the two gets the waker");
    assert_eq!(rung(&bell), fired);
    assert_eq!(wheel.inspect(Row::len), 0, "whoever was first, the turn has removed the entry");
    assert_eq!(turn(&wheel, 11), 0, "a key that came late matches nothing");
    assert_eq!(wheel.earliest(), NONE);
    outcomes.saw(match (seen, fired) {
        (_, 1) => "fired",
        (1, _) => "cancelled, found dead",
        _ => "cancelled, key first",
    });
}

fn fire_against_unlink(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (entry, key) = wheel.file(10, waker).expect("it is open");
    let (turning, owner) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, ()) = order.run2(move || turn(&turning, 10), move || owner.cancel_here(entry, key));
    assert_eq!(rung(&bell), fired);
    assert_eq!(wheel.inspect(Row::len), 0);
    assert_eq!(wheel.earliest(), NONE, "nobody wakes for an empty wheel");
    outcomes.saw(if fired == 1 { "fired" } else { "unlinked" });
}

fn refile_against_cancel(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (entry, key) = wheel.file(10, waker).expect("it is open");
    assert!(entry.postpone(20));
    let (turning, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (left, cancelled) = order.run2(
        move || {
            assert_eq!(turn(&turning, 10), 0, "the old deadline does not fire");
            turning.inspect(Row::len)
        },
        move || cancelling.cancel_elsewhere(&entry, key).is_some(),
    );
    assert!(cancelled, "it had not fired");
    turn(&wheel, 11);
    assert_eq!(wheel.inspect(Row::len), 0, "no dead entry outlives a turn");
    assert_eq!(wheel.earliest(), NONE);
    assert_eq!(rung(&bell), 0);
    outcomes.saw(if left == 0 { "collected at the old deadline" } else { "collected by the next turn" });
}

fn late_key(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let ((old_bell, old), (bell, waker)) = (bell(), bell());
    let (entry, key) = wheel.file(10, old).expect("it is open");
    let (turning, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let ((seen, fired, next), cancelled) = order.run2(
        move || {
            let (seen, fired) = look(&turning, 10);
            let next = turning.file(20, waker).expect("it is open");
            (seen, fired, next)
        },
        move || cancelling.cancel_elsewhere(&entry, key).is_some(),
    );
    assert_eq!(fired, usize::from(!cancelled));
    assert_eq!(turn(&wheel, 19), 0);
    assert_eq!(wheel.inspect(Row::len), 1, "the new timer is still there");
    assert_eq!(turn(&wheel, 20), 1);
    assert_eq!((rung(&old_bell), rung(&bell)), (fired, 1));
    drop(next);
    outcomes.saw(match (seen, fired) {
        (_, 1) => "fired",
        (1, _) => "key late",
        _ => "key in time",
    });
}

fn fire_against_move(order: Order, outcomes: &Outcomes) {
    let (old, new) = (wheel(), wheel());
    let (bell, waker) = bell();
    let (entry, key) = old.file(10, waker).expect("it is open");
    let (turning, leaving, entering) = (Arc::clone(&old), Arc::clone(&old), Arc::clone(&new));
    let (fired, moved) = order.run2(
        move || turn(&turning, 10),
        move || {
            let waker = leaving.cancel_elsewhere(&entry, key)?;
            entering.file(5, waker)
        },
    );
    assert_eq!(rung(&bell), fired);
    assert_eq!(fired, usize::from(moved.is_none()));
    assert_eq!(turn(&old, 11), 0);
    assert_eq!(old.inspect(Row::len), 0);
    assert_eq!(turn(&new, 5), usize::from(moved.is_some()));
    assert_eq!(rung(&bell), 1, "one wake for one timer");
    outcomes.saw(if fired == 1 { "fired in the old wheel" } else { "moved" });
}

fn fire_against_bring_forward(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (entry, key) = wheel.file(10, waker.clone()).expect("it is open");
    assert!(entry.postpone(30));
    let (turning, owner) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, (accepted, entry)) = order.run2(
        move || turn(&turning, 10),
        // 10 is before 30, where the entry is postponed to, so it is due for the other once accepted.
        move || (owner.bring_forward(&entry, key, 10), entry),
    );
    assert!(accepted, "it is armed until somebody has brought it forward");
    let refiled = wheel.inspect(Row::len);
    assert_eq!(refiled, 1 - fired);
    assert_eq!(turn(&wheel, 10), refiled);
    assert_eq!(entry.poll(&waker), TimerState::Fired);
    assert_eq!(rung(&bell), 1);
    outcomes.saw(if fired == 1 { "fired by the other" } else { "fired by the next turn" });
}

fn bring_forward_against_due(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (entry, key) = wheel.file(10, waker.clone()).expect("it is open");
    let (turning, owner) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, (accepted, seen)) = order
        .run2(move || turn(&turning, 10), move || (owner.bring_forward(&entry, key, 20), entry.poll(&waker)));
    assert_eq!(accepted, fired == 0, "refused if it has fired, in force otherwise");
    assert_eq!(seen, if accepted { TimerState::Armed } else { TimerState::Fired });
    assert_eq!(turn(&wheel, 19), 0);
    assert_eq!(turn(&wheel, 20), usize::from(accepted));
    assert_eq!(rung(&bell), 1);
    outcomes.saw(if accepted { "moved" } else { "fired first" });
}

fn fire_against_postpone(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (entry, _key) = wheel.file(10, waker.clone()).expect("it is open");
    let turning = Arc::clone(&wheel);
    let ((seen, fired), (accepted, state)) = order.run2(
        move || look(&turning, 10),
        move || {
            let accepted = entry.postpone(20);
            (accepted, entry.poll(&waker))
        },
    );
    assert_eq!(seen, 1);
    assert_eq!(accepted, fired == 0);
    assert_eq!(state, if accepted { TimerState::Armed } else { TimerState::Fired });
    assert_eq!(turn(&wheel, 19), 0, "nothing fires before the deadline that was accepted");
    assert_eq!(wheel.earliest(), if accepted { 20 } else { NONE });
    assert_eq!(turn(&wheel, 20), usize::from(accepted));
    assert_eq!(rung(&bell), 1);
    outcomes.saw(if accepted { "postponed" } else { "fired first" });
}

fn fire_against_poll(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let ((old, first), (new, second)) = (bell(), bell());
    let (entry, _key) = wheel.file(10, first).expect("it is open");
    let turning = Arc::clone(&wheel);
    let (fired, seen) = order.run2(move || turn(&turning, 10), move || entry.poll(&second));
    assert_eq!(fired, 1);
    outcomes.saw(match (rung(&old), rung(&new), seen) {
        (0, 1, TimerState::Armed) => "armed, its waker woken",
        (1, 0, TimerState::Fired) => "fired, the old waker woken",
        other => panic!("woken and seen: {other:?}"),
    });
}

fn close_against_file(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (closing, filing) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let polling = waker.clone();
    let ((), filed) = order.run2(
        move || {
            let mut wakers = Vec::new();
            closing.close(|waker| wakers.push(waker));
            wakers.into_iter().for_each(Waker::wake);
        },
        move || filing.file(10, waker),
    );
    assert_eq!(wheel.inspect(Row::len), 0);
    assert_eq!(wheel.earliest(), NONE);
    assert_eq!(turn(&wheel, 10), 0);
    outcomes.saw(match filed {
        None => "refused",
        Some((entry, _key)) => {
            assert_eq!((rung(&bell), entry.poll(&polling)), (1, TimerState::Gone));
            "woken"
        }
    });
}

fn close_against_cancel(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (entry, key) = wheel.file(10, waker).expect("it is open");
    let (closing, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let ((), cancelled) = order.run2(
        move || {
            let mut wakers = Vec::new();
            closing.close(|waker| wakers.push(waker));
            wakers.into_iter().for_each(Waker::wake);
        },
        move || cancelling.cancel_elsewhere(&entry, key).is_some(),
    );
    assert_eq!(rung(&bell), usize::from(!cancelled));
    assert_eq!(wheel.inspect(Row::len), 0);
    outcomes.saw(if cancelled { "cancelled" } else { "woken" });
}

fn unlink_one_of_two(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let ((first_bell, first), (second_bell, second)) = (bell(), bell());
    let (entry, key) = wheel.file(10, first).expect("it is open");
    let (last_entry, last_key) = wheel.file(20, second).expect("it is open");
    assert!(!wheel.is_due(9) && wheel.is_due(10));
    let (turning, owner) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, ()) = order.run2(move || turn(&turning, 10), move || owner.cancel_here(entry, key));
    assert_eq!(rung(&first_bell), fired);
    assert!(wheel.is_due(20), "whoever sleeps in the driver wakes for it");
    assert_eq!((turn(&wheel, 19), wheel.earliest()), (0, 20));
    assert_eq!(turn(&wheel, 20), 1);
    assert_eq!((rung(&second_bell), wheel.earliest()), (1, NONE));
    wheel.cancel_here(last_entry, last_key);
    assert!(!wheel.is_due(NONE - 1));
    outcomes.saw(if fired == 1 { "fired" } else { "unlinked" });
}
