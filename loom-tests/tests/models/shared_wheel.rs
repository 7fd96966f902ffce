//! Timers that fire, end, move and change their waker at once.

use std::sync::Arc;
use std::task::{Wake, Waker};

use protocol_loom::alarm::NONE;
use protocol_loom::shared_wheel::{DeadlineQueue, FiledTimer, SharedWheel, TimerState};
use protocol_loom::sync::{AtomicUsize, Condvar, Mutex, Ordering};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "timer::fire_excludes_cancel",
        property: "A timer that another thread cancels while it is due is fired or cancelled, not both.",
        outcomes: &["fired", "cancelled"],
        preemption_bound: None,
        body: fire_against_cancel,
    },
    Model {
        name: "timer::what_a_turn_leaves_is_cancelled",
        property: "Of two due timers a turn fires one, while one is cancelled: the other is in the wheel or fired.",
        outcomes: &["fired, the other was left", "cancelled, the other fired"],
        preemption_bound: None,
        body: limited_fire_against_cancel,
    },
    Model {
        name: "timer::late_key_spares_the_next_timer",
        property: "A cancel after the timer's place was given to a new timer removes nothing.",
        outcomes: &["cancelled late", "cancelled in time"],
        preemption_bound: None,
        body: late_key,
    },
    Model {
        name: "timer::a_reset_elsewhere_excludes_fire",
        property: "A timer moved to the resetter's wheel while it is due fires in one wheel only.",
        outcomes: &["fired in the old wheel", "moved"],
        preemption_bound: None,
        body: fire_against_move,
    },
    Model {
        name: "timer::a_reset_to_earlier_reaches_the_turn",
        property: "A timer moved to a time that its wheel is turned for is fired then or by the next turn.",
        outcomes: &["fired by the other", "fired by the next turn"],
        preemption_bound: None,
        body: fire_against_reset_to_earlier,
    },
    Model {
        name: "timer::a_reset_to_later_excludes_fire",
        property: "A reset to later while another thread turns the wheel is refused or in force: nothing fires before.",
        outcomes: &["fired first", "moved"],
        preemption_bound: None,
        body: fire_against_reset_to_later,
    },
    Model {
        name: "timer::a_poll_after_the_wake_sees_the_fire",
        property: "A task that polls without the lock sees its timer fired, or is woken and sees it then.",
        outcomes: &["fired at the first poll", "fired after the wake"],
        preemption_bound: None,
        body: |order, outcomes| end_against_poll(order, outcomes, TimerState::Fired),
    },
    Model {
        name: "timer::a_poll_after_the_wake_sees_the_close",
        property: "A task that polls without the lock sees its wheel closed, or is woken and sees it then.",
        outcomes: &["gone at the first poll", "gone after the wake"],
        preemption_bound: None,
        body: |order, outcomes| end_against_poll(order, outcomes, TimerState::Gone),
    },
    Model {
        name: "timer::newest_waker_is_woken",
        property: "A poll that finds the timer armed has its waker woken by the fire; any other finds it fired.",
        outcomes: &["armed, its waker woken", "fired, the old waker woken"],
        preemption_bound: None,
        body: |order, outcomes| end_against_other_waker(order, outcomes, TimerState::Fired),
    },
    Model {
        name: "timer::newest_waker_is_woken_by_the_close",
        property: "A poll that finds the timer armed has its waker woken by the close; any other finds it gone.",
        outcomes: &["armed, its waker woken", "gone, the old waker woken"],
        preemption_bound: None,
        body: |order, outcomes| end_against_other_waker(order, outcomes, TimerState::Gone),
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
        property: "A timer cancelled during the shutdown is cancelled or woken, and leaves the wheel.",
        outcomes: &["cancelled", "woken"],
        preemption_bound: None,
        body: close_against_cancel,
    },
    Model {
        name: "timer::close_excludes_turn",
        property: "A turn that meets the close fires what was due or leaves it to the close, and opens nothing again.",
        outcomes: &["fired", "woken by the close"],
        preemption_bound: None,
        body: close_against_turn,
    },
    Model {
        name: "timer::a_reset_elsewhere_excludes_the_close",
        property: "A timer moved to another wheel while both are closed is woken once: by a close, or by who moves it.",
        outcomes: &[
            "by the close of the old wheel",
            "by the close of the new wheel",
            "by the one who moves it",
        ],
        preemption_bound: None,
        body: close_against_move,
    },
    Model {
        name: "timer::the_end_of_one_keeps_the_deadline_of_the_other",
        property: "One of two timers ends while the wheel is turned: the deadline of the other stays published, and due.",
        outcomes: &["fired", "cancelled"],
        preemption_bound: None,
        body: end_of_one_of_two,
    },
    Model {
        name: "timer::what_changes_nothing_takes_no_lock",
        property: "While somebody holds the lock, a poll by the same waker, a turn too early and the end of a fired timer return.",
        outcomes: &["returned"],
        preemption_bound: None,
        body: while_locked,
    },
];

/// The simplest queue with generations: places in a row, looked through from the start.
#[derive(Debug, Default)]
pub struct Row {
    places: Vec<Option<(u64, u64, Waker)>>,
    generation: u64,
}

impl Row {
    fn find(&mut self, (place, generation): (usize, u64)) -> Option<&mut (u64, u64, Waker)> {
        self.places.get_mut(place)?.as_mut().filter(|(present, ..)| *present == generation)
    }

    pub fn len(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

impl DeadlineQueue for Row {
    type Key = (usize, u64);

    fn insert(&mut self, due: u64, waker: Waker) -> Self::Key {
        self.generation += 1;
        let place = self.places.iter().position(Option::is_none).unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some((self.generation, due, waker));
        (place, self.generation)
    }

    fn get_mut(&mut self, key: Self::Key) -> Option<&mut Waker> {
        self.find(key).map(|(_, _, waker)| waker)
    }

    fn relocate(&mut self, key: Self::Key, to: u64) -> bool {
        self.find(key).map(|(_, due, _)| *due = to).is_some()
    }

    fn remove(&mut self, key: Self::Key) -> Option<Waker> {
        self.find(key)?;
        self.places[key.0].take().map(|(_, _, waker)| waker)
    }

    fn advance(&mut self, now: u64, limit: usize, fire: impl FnMut(Waker)) -> usize {
        let due = |place: &mut Option<_>| place.take_if(|(_, due, _)| *due <= now);
        let fired: Vec<_> =
            self.places.iter_mut().filter_map(due).take(limit).map(|(.., waker)| waker).collect();
        let count = fired.len();
        fired.into_iter().for_each(fire);
        count
    }

    fn next_deadline(&self) -> u64 {
        self.places.iter().flatten().map(|(_, due, _)| *due).min().unwrap_or(NONE)
    }

    fn clear(&mut self, visit: impl FnMut(Waker)) {
        self.places.drain(..).flatten().map(|(.., waker)| waker).for_each(visit);
    }
}

pub type ModelWheel = SharedWheel<Row>;
type Filed = FiledTimer<(usize, u64)>;

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

/// A task: who waits for its wake sees all that was before it.
#[derive(Default)]
struct Task {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock() = true;
        self.changed.notify_one();
    }
}

impl Task {
    fn wait(&self) {
        let mut is_woken = self.is_woken.lock();
        while !*is_woken {
            is_woken = self.changed.wait(is_woken);
        }
    }
}

pub fn wheel() -> Arc<ModelWheel> {
    Arc::new(SharedWheel::new(Row::default()))
}

fn file(wheel: &ModelWheel, due: u64, waker: Waker) -> Filed {
    wheel.file(due, waker).expect("it is open")
}

/// Turns the wheel and then wakes, as the scheduler does; says how many timers it fired.
fn turn_limited(wheel: &ModelWheel, now: u64, limit: usize) -> usize {
    let mut wakers = Vec::new();
    let fired = wheel.turn(now, limit, |waker| wakers.push(waker));
    assert_eq!(fired, wakers.len());
    wakers.into_iter().for_each(Waker::wake);
    fired
}

/// The same without a limit.
pub fn turn(wheel: &ModelWheel, now: u64) -> usize {
    turn_limited(wheel, now, usize::MAX)
}

/// Closes the wheel and then wakes, as the scheduler does; says how many timers were in it.
fn close(wheel: &ModelWheel) -> usize {
    let mut wakers = Vec::new();
    wheel.close(|waker| wakers.push(waker));
    let woken = wakers.len();
    wakers.into_iter().for_each(Waker::wake);
    woken
}

fn end(wheel: &ModelWheel, end: TimerState) -> usize {
    if end == TimerState::Gone { close(wheel) } else { turn(wheel, 10) }
}

fn fire_against_cancel(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let timer = file(&wheel, 10, waker);
    let (turning, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, cancelled) =
        order.run2(move || turn(&turning, 10), move || cancelling.remove(timer).is_some());
    assert_eq!(fired, usize::from(!cancelled), "one of the two gets the waker");
    assert_eq!(rung(&bell), fired);
    assert_eq!(wheel.inspect(Row::len), 0);
    assert_eq!(wheel.earliest(), NONE, "nobody wakes for an empty wheel");
    outcomes.saw(if fired == 1 { "fired" } else { "cancelled" });
}

fn limited_fire_against_cancel(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let ((first_bell, first), (second_bell, second)) = (bell(), bell());
    let (timer, mut other) = (file(&wheel, 10, first), file(&wheel, 10, second.clone()));
    let (turning, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, cancelled) =
        order.run2(move || turn_limited(&turning, 10, 1), move || cancelling.remove(timer).is_some());
    assert_eq!(fired, 1, "there is always one");
    assert_eq!((rung(&first_bell), rung(&second_bell)), if cancelled { (0, 1) } else { (1, 0) });
    assert_eq!(wheel.poll(&mut other, &second), TimerState::Fired, "its time has passed, wherever it is");
    assert_eq!(wheel.earliest(), if cancelled { NONE } else { 10 }, "what is left is due");
    assert_eq!(wheel.remove(other).is_some(), !cancelled);
    assert_eq!((wheel.inspect(Row::len), wheel.earliest()), (0, NONE));
    outcomes.saw(if cancelled { "cancelled, the other fired" } else { "fired, the other was left" });
}

fn late_key(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let ((old_bell, old), (bell, waker)) = (bell(), bell());
    let timer = file(&wheel, 10, old);
    let (turning, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let ((fired, next), cancelled) = order.run2(
        move || {
            let fired = turn(&turning, 10);
            // At a time for which the cancel has to look.
            (fired, file(&turning, 9, waker))
        },
        move || cancelling.remove(timer).is_some(),
    );
    assert_eq!(fired, usize::from(!cancelled));
    assert_eq!((wheel.inspect(Row::len), wheel.earliest()), (1, 9), "the new timer is still there");
    assert_eq!(turn(&wheel, 9), 1);
    assert_eq!((rung(&old_bell), rung(&bell)), (fired, 1));
    assert!(wheel.remove(next).is_none());
    outcomes.saw(if cancelled { "cancelled in time" } else { "cancelled late" });
}

fn fire_against_move(order: Order, outcomes: &Outcomes) {
    let (old, new) = (wheel(), wheel());
    let (bell, waker) = bell();
    let timer = file(&old, 10, waker);
    let (turning, leaving, entering) = (Arc::clone(&old), Arc::clone(&old), Arc::clone(&new));
    let (fired, moved) = order.run2(
        move || turn(&turning, 10),
        move || leaving.remove(timer).map(|waker| file(&entering, 5, waker)),
    );
    assert_eq!(rung(&bell), fired);
    assert_eq!(fired, usize::from(moved.is_none()));
    assert_eq!(turn(&old, 11), 0);
    assert_eq!(old.inspect(Row::len), 0);
    assert_eq!(turn(&new, 5), usize::from(moved.is_some()));
    assert_eq!(rung(&bell), 1, "one wake for one timer");
    outcomes.saw(if fired == 1 { "fired in the old wheel" } else { "moved" });
}

fn fire_against_reset_to_earlier(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let mut timer = file(&wheel, 30, waker.clone());
    let (turning, owner) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, (accepted, mut timer)) =
        order.run2(move || turn(&turning, 10), move || (owner.relocate(&mut timer, 10), timer));
    assert!(accepted, "it is armed until somebody has brought it forward");
    let left = wheel.inspect(Row::len);
    assert_eq!(left, 1 - fired);
    assert_eq!(wheel.earliest(), if fired == 1 { NONE } else { 10 });
    assert_eq!(turn(&wheel, 10), left);
    assert_eq!(wheel.poll(&mut timer, &waker), TimerState::Fired);
    assert_eq!(rung(&bell), 1);
    outcomes.saw(if fired == 1 { "fired by the other" } else { "fired by the next turn" });
}

fn fire_against_reset_to_later(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let mut timer = file(&wheel, 10, waker.clone());
    let (turning, owner) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, (accepted, seen)) = order.run2(
        move || turn(&turning, 10),
        move || (owner.relocate(&mut timer, 20), owner.poll(&mut timer, &waker)),
    );
    assert_eq!(accepted, fired == 0, "refused if it has fired, in force otherwise");
    assert_eq!(seen, if accepted { TimerState::Armed } else { TimerState::Fired });
    assert_eq!(turn(&wheel, 19), 0, "nothing fires before the time that was accepted");
    assert_eq!(wheel.earliest(), if accepted { 20 } else { NONE });
    assert_eq!(turn(&wheel, 20), usize::from(accepted));
    assert_eq!(rung(&bell), 1);
    outcomes.saw(if accepted { "moved" } else { "fired first" });
}

fn end_against_poll(order: Order, outcomes: &Outcomes, state: TimerState) {
    let wheel = wheel();
    let task = Arc::new(Task::default());
    let waker = Waker::from(Arc::clone(&task));
    let mut timer = file(&wheel, 10, waker.clone());
    let (ending, polling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (ended, waited) = order.run2(
        move || end(&ending, state),
        move || {
            let first = polling.poll(&mut timer, &waker);
            let waits = first == TimerState::Armed;
            if waits {
                task.wait();
            }
            assert_eq!(polling.poll(&mut timer, &waker), state);
            assert!(polling.remove(timer).is_none() || !waits, "who was woken has nothing to remove");
            waits
        },
    );
    assert!(ended == 1 || !waited);
    assert_eq!(wheel.inspect(Row::len), 0);
    outcomes.saw(match (state, waited) {
        (TimerState::Gone, false) => "gone at the first poll",
        (TimerState::Gone, true) => "gone after the wake",
        (_, false) => "fired at the first poll",
        (_, true) => "fired after the wake",
    });
}

fn end_against_other_waker(order: Order, outcomes: &Outcomes, state: TimerState) {
    let wheel = wheel();
    let ((old, first), (new, second)) = (bell(), bell());
    let mut timer = file(&wheel, 10, first);
    let (ending, polling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (ended, seen) = order.run2(move || end(&ending, state), move || polling.poll(&mut timer, &second));
    assert_eq!(ended, 1);
    outcomes.saw(match (rung(&old), rung(&new), seen) {
        (0, 1, TimerState::Armed) => "armed, its waker woken",
        (1, 0, TimerState::Fired) => "fired, the old waker woken",
        (1, 0, TimerState::Gone) => "gone, the old waker woken",
        other => panic!("woken and seen: {other:?}"),
    });
}

fn close_against_file(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let (closing, filing) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let polling = waker.clone();
    let (woken, filed) = order.run2(move || close(&closing), move || filing.file(10, waker));
    assert_eq!(rung(&bell), woken);
    assert_eq!(wheel.inspect(Row::len), 0);
    assert_eq!(wheel.earliest(), NONE);
    assert_eq!(turn(&wheel, 10), 0);
    outcomes.saw(match filed {
        Err(waker) => {
            assert!(waker.will_wake(&polling) && woken == 0, "it is given back");
            "refused"
        }
        Ok(mut timer) => {
            assert_eq!((woken, wheel.poll(&mut timer, &polling)), (1, TimerState::Gone));
            "woken"
        }
    });
}

fn close_against_cancel(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let timer = file(&wheel, 10, waker);
    let (closing, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (woken, cancelled) = order.run2(move || close(&closing), move || cancelling.remove(timer).is_some());
    assert_eq!(woken, usize::from(!cancelled));
    assert_eq!(rung(&bell), woken);
    assert_eq!(wheel.inspect(Row::len), 0);
    outcomes.saw(if cancelled { "cancelled" } else { "woken" });
}

fn close_against_turn(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let (bell, waker) = bell();
    let mut timer = file(&wheel, 10, waker.clone());
    let (turning, closing) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, woken) = order.run2(move || turn(&turning, 10), move || close(&closing));
    assert_eq!((fired + woken, rung(&bell)), (1, 1));
    assert_eq!(wheel.poll(&mut timer, &waker), TimerState::Gone, "it stays closed");
    assert!(wheel.file(20, waker).is_err());
    outcomes.saw(if fired == 1 { "fired" } else { "woken by the close" });
}

fn close_against_move(order: Order, outcomes: &Outcomes) {
    let (old, new) = (wheel(), wheel());
    let (bell, waker) = bell();
    let timer = file(&old, 10, waker);
    let (first, second) = (Arc::clone(&new), Arc::clone(&old));
    let (leaving, entering) = (Arc::clone(&old), Arc::clone(&new));
    let ((of_new, of_old), refused) = order.run2(
        move || (close(&first), close(&second)),
        move || {
            let refused = leaving.remove(timer).and_then(|waker| entering.file(5, waker).err());
            refused.map(Waker::wake).is_some()
        },
    );
    assert_eq!((of_new + of_old + usize::from(refused), rung(&bell)), (1, 1));
    assert_eq!((old.inspect(Row::len), new.inspect(Row::len)), (0, 0));
    outcomes.saw(match (of_old, of_new) {
        (1, _) => "by the close of the old wheel",
        (_, 1) => "by the close of the new wheel",
        _ => "by the one who moves it",
    });
}

fn end_of_one_of_two(order: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let ((first_bell, first), (second_bell, second)) = (bell(), bell());
    let (timer, last) = (file(&wheel, 10, first), file(&wheel, 20, second));
    assert_eq!(wheel.earliest(), 10);
    let (turning, cancelling) = (Arc::clone(&wheel), Arc::clone(&wheel));
    let (fired, cancelled) =
        order.run2(move || turn(&turning, 10), move || cancelling.remove(timer).is_some());
    assert_eq!(fired, usize::from(!cancelled));
    assert_eq!(rung(&first_bell), fired);
    assert!(wheel.earliest() <= 20, "whoever sleeps in the driver wakes for it");
    assert_eq!((turn(&wheel, 19), wheel.earliest()), (0, 20));
    assert_eq!(turn(&wheel, 20), 1);
    assert_eq!((rung(&second_bell), wheel.earliest()), (1, NONE));
    assert!(wheel.remove(last).is_none());
    outcomes.saw(if fired == 1 { "fired" } else { "cancelled" });
}

fn while_locked(_: Order, outcomes: &Outcomes) {
    let wheel = wheel();
    let ((first_bell, first), (second_bell, second)) = (bell(), bell());
    let (mut fired, mut armed) = (file(&wheel, 10, first.clone()), file(&wheel, 20, second.clone()));
    assert_eq!(turn(&wheel, 11), 1);
    wheel.inspect(|_| {
        assert_eq!(wheel.poll(&mut armed, &second), TimerState::Armed);
        assert_eq!(turn(&wheel, 19), 0);
        assert_eq!(wheel.poll(&mut fired, &first), TimerState::Fired);
        assert_eq!(wheel.poll(&mut fired, &second), TimerState::Fired, "whoever asks");
        assert!(wheel.remove(fired).is_none());
    });
    assert_eq!(turn(&wheel, 21), 1);
    assert_eq!((rung(&first_bell), rung(&second_bell)), (1, 1));
    assert_eq!(wheel.poll(&mut armed, &first), TimerState::Fired);
    outcomes.saw("returned");
}
