//! Who waits for an I/O source: one slot per direction for the `poll_*` methods, where the last caller wins, and
//! a list for the `&self` async methods, where many tasks may wait at once.
//!
//! # States of an entry of the list
//! | state | meaning | leaves by |
//! |---|---|---|
//! | waiting | holds the waker of one task, and what it waits for | an event that answers it, or cancellation |
//! | free | its generation has moved on, so the key of the former waiter finds nothing | the next waiter |
//!
//! # Transitions
//! | from → to | performed by | owes | model |
//! |---|---|---|---|
//! | free → waiting | `enlist` (a task) | look at the readiness word again | `waiters::registering_waiter_sees_the_event_or_is_woken` |
//! | waiting → free | `take` (driver holder): every waiter that the event answers | wake, without a lock held | `waiters::event_wakes_the_waiter_that_stays` |
//! | waiting → free | `cancel` (a task) | - | `waiters::event_wakes_the_waiter_that_stays` |
//!
//! # Orderings
//! The lock makes every edge. Against the readiness word it closes a Dekker: a waiter stores its waker under the
//! lock, then observes the word; an event goes into the word first, and takes the wakers under the lock
//! afterwards. Whichever critical section comes second sees what the other did before it.
//!
//! # Why a cancelled waiter takes no wake-up with it
//! An edge wakes *all* waiters that it answers. A waiter that was woken and then dropped owes nobody anything,
//! and one that is dropped before the event is gone from the list when the event takes it: both are under the
//! lock.
//!
//! # User code
//! Cloning and dropping a waker runs foreign code. Both happen outside the lock: a clone is made before it is
//! taken, and what was displaced is handed out.
//!
//! # Rejected
//! Waking one waiter per edge: the one that is woken may be cancelled, and an edge comes only once. An intrusive
//! list of pinned nodes: it saves one allocation per source that ever had a waiter and needs unsafe code.
//!
//! # Checked by
//! `waiters::*` in loom-tests.

use crate::interest::{Direction, Interest, Ready};
use crate::sync::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Names one entry of the list for as long as it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaiterKey {
    index: usize,
    generation: u64,
}

/// The wakers of those who wait for one source. See the [module](self).
#[derive(Debug, Default)]
pub struct Waiters {
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    read_slot: Option<Waker>,
    write_slot: Option<Waker>,
    entries: Vec<Entry>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    generation: u64,
    waiting: Option<(Interest, Waker)>,
}

impl Waiters {
    /// Nobody waits.
    pub fn new() -> Self {
        Self { places: Mutex::new(Places::default()) }
    }

    /// Any thread. Stores the waker of a `poll_*` method. The caller then observes the readiness word.
    pub fn set_slot(&self, direction: Direction, waker: &Waker) {
        if self.places.lock().slot(direction).as_ref().is_some_and(|held| held.will_wake(waker)) {
            return;
        }
        let waker = waker.clone();
        let displaced = self.places.lock().slot(direction).replace(waker);
        drop(displaced);
    }

    /// Any thread. Stores the waker of a waiter: in its entry, or in a new one if it has none or an event took
    /// it. The caller then observes the readiness word.
    pub fn enlist(&self, key: &mut Option<WaiterKey>, interest: Interest, waker: &Waker) {
        if let Some(held) = key
            && self.places.lock().waiting(*held).is_some_and(|(_, held)| held.will_wake(waker))
        {
            return;
        }
        let waker = waker.clone();
        let displaced = self.places.lock().enlist(key, interest, waker);
        drop(displaced);
    }

    /// Any thread. Forgets a waiter that is not interested any more; nothing happens if an event took it.
    pub fn cancel(&self, key: WaiterKey) {
        let cancelled = self.places.lock().remove(key);
        drop(cancelled);
    }

    /// Driver holder, after it has recorded `ready`. Moves out the wakers of all whom it answers. The caller
    /// wakes them, without a lock held.
    pub fn take(&self, ready: Ready, wakers: &mut Vec<Waker>) {
        let mut places = self.places.lock();
        if ready.intersects(Interest::READABLE.answers()) {
            wakers.extend(places.read_slot.take());
        }
        if ready.intersects(Interest::WRITABLE.answers()) {
            wakers.extend(places.write_slot.take());
        }
        places.take_answered(ready, wakers);
    }

    /// Any thread. Calls `f` with what all the present waiters together wait for, if there is one, under the
    /// lock: calls of `f` for one source do not overlap, and no later one knows less.
    pub fn with_interest<R>(&self, f: impl FnOnce(Option<Interest>) -> R) -> R {
        let mut places = self.places.lock();
        let interest = places.interest();
        f(interest)
    }
}

/// Any thread, without a lock held. Wakes all, also those behind a waker that panics.
///
/// # Panics
/// With the first panic of a waker, once all were called.
pub fn wake_all(wakers: Vec<Waker>) {
    let mut panic = None;
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panic.get_or_insert(payload);
        }
    }
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}

impl Places {
    fn slot(&mut self, direction: Direction) -> &mut Option<Waker> {
        match direction {
            Direction::Read => &mut self.read_slot,
            Direction::Write => &mut self.write_slot,
        }
    }

    fn waiting(&mut self, key: WaiterKey) -> Option<&mut (Interest, Waker)> {
        let entry = &mut self.entries[key.index];
        if entry.generation == key.generation { entry.waiting.as_mut() } else { None }
    }

    fn enlist(&mut self, key: &mut Option<WaiterKey>, interest: Interest, waker: Waker) -> Option<Waker> {
        if let Some(held) = *key
            && let Some(waiting) = self.waiting(held)
        {
            waiting.0 = interest;
            return Some(std::mem::replace(&mut waiting.1, waker));
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 0, waiting: None });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        entry.waiting = Some((interest, waker));
        *key = Some(WaiterKey { index, generation: entry.generation });
        None
    }

    fn remove(&mut self, key: WaiterKey) -> Option<Waker> {
        let entry = &mut self.entries[key.index];
        if entry.generation != key.generation {
            return None;
        }
        entry.generation += 1;
        self.free.push(key.index);
        entry.waiting.take().map(|(_, waker)| waker)
    }

    fn take_answered(&mut self, ready: Ready, wakers: &mut Vec<Waker>) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.waiting.as_ref().is_some_and(|(interest, _)| ready.intersects(interest.answers())) {
                wakers.extend(entry.waiting.take().map(|(_, waker)| waker));
                entry.generation += 1;
                self.free.push(index);
            }
        }
    }

    fn interest(&mut self) -> Option<Interest> {
        let slots = [
            self.read_slot.as_ref().map(|_| Interest::READABLE),
            self.write_slot.as_ref().map(|_| Interest::WRITABLE),
        ];
        let listed =
            self.entries.iter().filter_map(|entry| entry.waiting.as_ref().map(|(interest, _)| *interest));
        slots.into_iter().flatten().chain(listed).reduce(Interest::add)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    fn task() -> (Arc<Task>, Waker) {
        let task = Arc::new(Task);
        (Arc::clone(&task), Waker::from(task))
    }

    fn take(waiters: &Waiters, ready: Ready) -> usize {
        let mut wakers = Vec::new();
        waiters.take(ready, &mut wakers);
        wakers.len()
    }

    #[test]
    fn the_last_caller_of_a_poll_method_wins_its_slot() {
        let waiters = Waiters::new();
        let ((first, first_waker), (second, second_waker)) = (task(), task());
        waiters.set_slot(Direction::Read, &first_waker);
        waiters.set_slot(Direction::Read, &second_waker);
        drop((first_waker, second_waker));
        assert_eq!(Arc::strong_count(&first), 1, "the displaced waker was dropped");
        assert_eq!(Arc::strong_count(&second), 2);
        assert_eq!(take(&waiters, Ready::WRITABLE), 0);
        assert_eq!(take(&waiters, Ready::READABLE), 1);
    }

    #[test]
    fn the_same_task_waiting_again_costs_no_clone() {
        let waiters = Waiters::new();
        let (task, waker) = task();
        let mut key = None;
        waiters.set_slot(Direction::Write, &waker);
        waiters.enlist(&mut key, Interest::WRITABLE, &waker);
        let count = Arc::strong_count(&task);
        waiters.set_slot(Direction::Write, &waker);
        waiters.enlist(&mut key, Interest::WRITABLE, &waker);
        assert_eq!(Arc::strong_count(&task), count);
    }

    #[test]
    fn an_event_takes_every_waiter_it_answers_and_no_other() {
        let waiters = Waiters::new();
        let (_task, waker) = task();
        let mut keys = [None; 3];
        waiters.enlist(&mut keys[0], Interest::READABLE, &waker);
        waiters.enlist(&mut keys[1], Interest::READABLE | Interest::WRITABLE, &waker);
        waiters.enlist(&mut keys[2], Interest::WRITABLE, &waker);
        assert_eq!(take(&waiters, Ready::READABLE), 2);
        assert_eq!(take(&waiters, Ready::READABLE), 0);
        assert_eq!(take(&waiters, Ready::WRITE_CLOSED), 1);
    }

    #[test]
    fn a_key_taken_by_an_event_does_not_cancel_the_next_waiter_of_that_entry() {
        let waiters = Waiters::new();
        let (_task, waker) = task();
        let (mut old, mut new) = (None, None);
        waiters.enlist(&mut old, Interest::READABLE, &waker);
        assert_eq!(take(&waiters, Ready::READABLE), 1);
        waiters.enlist(&mut new, Interest::READABLE, &waker);
        waiters.cancel(old.expect("it was enlisted"));
        assert_eq!(take(&waiters, Ready::READABLE), 1);
    }

    #[test]
    fn a_panicking_waker_does_not_keep_the_others_asleep() {
        struct Bomb;
        impl Wake for Bomb {
            fn wake(self: Arc<Self>) {
                panic!("a waker that panics");
            }
        }
        let (task, waker) = task();
        let wakers = vec![Waker::from(Arc::new(Bomb)), waker, Waker::from(Arc::new(Bomb))];
        assert!(catch_unwind(|| wake_all(wakers)).is_err());
        assert_eq!(Arc::strong_count(&task), 1, "it was woken, which consumes it");
    }

    #[test]
    fn entries_are_reused() {
        let waiters = Waiters::new();
        let (_task, waker) = task();
        for _ in 0..100 {
            let mut key = None;
            waiters.enlist(&mut key, Interest::READABLE, &waker);
            waiters.cancel(key.expect("it was enlisted"));
        }
        assert_eq!(waiters.places.lock().entries.len(), 1);
    }

    #[test]
    fn the_common_interest_is_that_of_the_present_waiters() {
        let waiters = Waiters::new();
        let (_task, waker) = task();
        assert_eq!(waiters.with_interest(|interest| interest), None);
        waiters.set_slot(Direction::Read, &waker);
        let mut key = None;
        waiters.enlist(&mut key, Interest::WRITABLE, &waker);
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(waiters.with_interest(|interest| interest), Some(both));
        waiters.cancel(key.expect("it was enlisted"));
        assert_eq!(waiters.with_interest(|interest| interest), Some(Interest::READABLE));
    }
}
