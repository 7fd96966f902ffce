//! A wheel of timers that its slot's worker uses nearly alone, and others when they must.
//!
//! The wheel holds the waker of each timer; the timer's future holds where it is ([`FiledTimer`]) and changes
//! it under the wheel's lock, on whatever thread it is. So a timer that is cancelled has left its wheel, and its
//! waker is gone, when the cancel returns. The lock is nearly always free: the owner files there, and others
//! come only with a timer that was filed where they are not, or to turn the wheel of a worker that is late,
//! stuck or gone. A poll that changes nothing takes no lock.
//!
//! # Parties
//!
//! | who | calls |
//! |-----|-------|
//! | worker that runs the slot; for the outside wheel any thread that is no worker | [`file`](SharedWheel::file), [`relocate`](SharedWheel::relocate) |
//! | holder of the timer, on any thread | [`poll`](SharedWheel::poll), [`remove`](SharedWheel::remove) |
//! | any worker, holder of the driver, foreman | [`turn`](SharedWheel::turn), [`earliest`](SharedWheel::earliest) |
//! | shutdown | [`close`](SharedWheel::close) |
//!
//! # States
//!
//! Of a timer, as its holder sees it. "In the wheel" is decided under the lock.
//!
//! | state   | meaning                                  | `turned`           | in the wheel, with its waker |
//! |---------|------------------------------------------|--------------------|------------|
//! | `Armed` | waits for its time                       | before its time    | yes        |
//! | `Fired` | its time has passed                      | at or after it     | no, its waker was handed out; yes if a turn has left it, or has still to come to it, or it was filed or moved to a time that had passed |
//! | `Gone`  | the wheel was closed                     | [`CLOSED`]         | no, its waker was handed out |
//!
//! Of the wheel: open, then closed for ever. A closed one is empty and takes no timer.
//!
//! | word       | meaning | written |
//! |------------|---------|---------|
//! | `turned`   | the latest time for which the wheel was turned, [`CLOSED`] at the end; never lowered | under the lock |
//! | `earliest` | at or before the time of every timer in the wheel, [`alarm::NONE`](crate::alarm::NONE) if it is empty | under the lock |
//!
//! # Transitions
//!
//! | step | performed by | owes | model |
//! |------|--------------|------|-------|
//! | file | owner | [`Alarm::must_interrupt`](crate::alarm::Alarm::must_interrupt), at once or before it parks, retires or blocks | `alarm::earlier_deadline_reaches_sleeper` |
//! | armed → fired | one that turns | wake, after the lock is released | `timer::a_poll_after_the_wake_sees_the_fire` |
//! | armed → armed, other time | owner, by `relocate` | as after `file` | `timer::a_reset_to_later_excludes_fire`, `timer::a_reset_to_earlier_reaches_the_turn` |
//! | armed → armed, other waker | holder, by `poll` | nothing | `timer::newest_waker_is_woken` |
//! | any → not in the wheel | holder, by `remove` | nothing; the waker is its own | `timer::fire_excludes_cancel` |
//! | armed → gone | shutdown | wake, after the lock is released | `timer::a_poll_after_the_wake_sees_the_close` |
//! | any → in another wheel | holder, by `remove` here and `file` there | wake, if that is refused | `timer::a_reset_elsewhere_excludes_the_close` |
//!
//! # Orderings
//!
//! | edge | release side | acquire side | publishes | fails if weakened |
//! |------|--------------|--------------|-----------|-------------------|
//! | E1 | publish `earliest`, fence | fence, read `earliest` | (Dekker) see [`alarm`](crate::alarm) | `alarm::earlier_deadline_reaches_sleeper` |
//! | E2 | `turned`, then the wake | start of a poll, then `turned` | that the timer has ended; the edge is the wake's own | `timer::a_poll_after_the_wake_sees_the_fire` |
//!
//! All else is under the lock.
//!
//! # Why a poll without the lock is not left pending for ever
//!
//! It answers "armed" if `turned` is before the timer's time and the waker is the one in the wheel. Suppose that
//! the timer has been fired, or the wheel closed. Either that waker's wake came before the start of this poll:
//! then so did the store to `turned`, and the poll reads it (E2). Or the wake is still to come, and leads to
//! another poll. That holds for a wake that finds its task woken already, too: it must come before the poll to which it
//! leaves the task, as the wakes of our tasks and roots do by a read-modify-write, and as is asked of a foreign waker.
//!
//! Which waker is in the wheel is told by the addresses of its data and its functions, as
//! [`will_wake`](Waker::will_wake) does: one with the same wakes the same task. If the first one has been used up, and its
//! addresses belong to another task since, that was made after the wake, so its poll comes after that as well.
//!
//! What is fired has its time at or before `turned`, also if a turn comes with a reading of the clock that is
//! earlier than that of the turn before: `turned` keeps the later one.
//!
//! # The hard race
//!
//! A cancel comes after the wheel has dropped the timer: the time passes, `turn` fires it, a new timer gets its
//! place, and only now the holder, who does not know, removes its own. Keys carry a generation, so the late key
//! matches nothing. A holder that reads an `earliest` after its timer's time need not even take the lock: from
//! the filing, which happened before, until the removal no such value is stored.
//!
//! # Rejected
//!
//! An entry of its own for each timer, with a lock and the state in it, held by the future and the wheel: an
//! allocation and a second lock, so that a cancel on another thread does without the wheel's. It returned its key
//! by a queue, and somebody had to drain that: see docs/DECISIONS.md. A reading of the clock in each poll instead of
//! `turned`, which is one load. A lock-free wheel: nearly nobody but the owner files, so there is nothing to win.
//! Raising `earliest` at each removal: the next turn does it, at the cost of at most one early turn per cancelled
//! deadline. An emptied wheel does say so, so that an idle runtime sleeps without a limit.
//!
//! # Checked by
//!
//! The models named above, in `loom-tests/tests/models/{shared_wheel,alarm}.rs`.

use std::ptr;
use std::task::Waker;

use crate::alarm::NONE;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// The value of `turned` in a closed wheel: after every time.
pub const CLOSED: u64 = u64::MAX;

/// The data structure behind the lock: wakers ordered by the time when they are due, in nanoseconds on the
/// runtime's clock.
pub trait DeadlineQueue {
    /// Names one timer from its insertion to its removal, and nothing afterwards.
    type Key: Copy;

    /// Adds a timer.
    fn insert(&mut self, due: u64, waker: Waker) -> Self::Key;

    /// The waker of a timer; `None` if the key names none.
    fn get_mut(&mut self, key: Self::Key) -> Option<&mut Waker>;

    /// Moves a timer to another time under the same key; `false` if the key names none.
    fn relocate(&mut self, key: Self::Key, due: u64) -> bool;

    /// Takes a timer out; `None` if the key names none.
    fn remove(&mut self, key: Self::Key) -> Option<Waker>;

    /// Takes out the timers that are due at or before `now`, `limit` of them at most, and says how many. `now` may
    /// be earlier than in an earlier call; what was due then is due.
    fn advance(&mut self, now: u64, limit: usize, fire: impl FnMut(Waker)) -> usize;

    /// At or before the time of every timer; exact unless one has been removed or moved; [`NONE`] if it is empty.
    fn next_deadline(&self) -> u64;

    /// Takes out every timer.
    fn clear(&mut self, visit: impl FnMut(Waker));
}

/// A wheel, its lock, and what it publishes.
#[derive(Debug)]
pub struct SharedWheel<Q: DeadlineQueue> {
    queue: Mutex<Q>,
    /// At or before the time of every timer; written under the lock.
    earliest: AtomicU64,
    /// What was due then has been fired, but for a limit; written under the lock.
    turned: AtomicU64,
}

/// Where a timer is, and who waits for it: what its future holds.
#[derive(Debug)]
#[must_use = "a timer that is not removed stays in its wheel"]
pub struct FiledTimer<K> {
    key: K,
    due: u64,
    waker: WakerId,
}

/// What the future of a timer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerState {
    /// The time has not been reached; the waker given last will be woken.
    Armed,
    /// The time has passed. The timer is to be removed: it may still be in the wheel.
    Fired,
    /// The wheel was closed: nobody will wake this timer.
    Gone,
}

/// The addresses that tell a waker from others while it lives. They are compared, not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WakerId {
    data: usize,
    functions: usize,
}

impl WakerId {
    fn of(waker: &Waker) -> Self {
        Self { data: waker.data().addr(), functions: ptr::from_ref(waker.vtable()).addr() }
    }
}

impl<Q: DeadlineQueue> SharedWheel<Q> {
    /// An open wheel around an empty queue.
    pub fn new(queue: Q) -> Self {
        Self { queue: Mutex::new(queue), earliest: AtomicU64::new(NONE), turned: AtomicU64::new(0) }
    }

    /// Owner. Files a timer; gives the waker back if the wheel is closed. The caller then owes the sleeper in the
    /// driver a look, as the module says. The waker is the caller's own clone: cloning one is user code.
    ///
    /// # Errors
    /// If the wheel is closed.
    pub fn file(&self, due: u64, waker: Waker) -> Result<FiledTimer<Q::Key>, Waker> {
        let id = WakerId::of(&waker);
        let mut queue = self.queue.lock();
        if self.turned() == CLOSED {
            return Err(waker);
        }
        let key = queue.insert(due, waker);
        self.publish_earlier(due);
        Ok(FiledTimer { key, due, waker: id })
    }

    /// Holder of the timer. Says what became of it; if it is still armed, `waker` is the one that will be
    /// woken. Takes the lock only to put it in the place of another; clones and drops wakers while the lock is
    /// free.
    pub fn poll(&self, timer: &mut FiledTimer<Q::Key>, waker: &Waker) -> TimerState {
        let state = self.state_of(timer);
        if state != TimerState::Armed || timer.waker == WakerId::of(waker) {
            return state;
        }
        // Before the guard, so that it is dropped after it.
        let mut newest = waker.clone();
        let id = WakerId::of(&newest);
        let mut queue = self.queue.lock();
        if let Some(registered) = queue.get_mut(timer.key) {
            std::mem::swap(registered, &mut newest);
            timer.waker = id;
        }
        // It may have ended while the lock was free for the clone.
        self.state_of(timer)
    }

    /// Owner, and holder of the timer. Moves it to any time; `false` if it is not in the wheel any more. The
    /// caller then owes the sleeper in the driver a look, as after [`file`](Self::file).
    #[must_use = "if it refuses, the timer has ended"]
    pub fn relocate(&self, timer: &mut FiledTimer<Q::Key>, due: u64) -> bool {
        let mut queue = self.queue.lock();
        let accepted = queue.relocate(timer.key, due);
        if accepted {
            timer.due = due;
            self.publish_earlier(due);
        }
        accepted
    }

    /// Holder of the timer. Takes it out of the wheel, whatever has become of it. `Some` if it was there: its
    /// waker, the caller's to drop, which is user code, or to use again.
    pub fn remove(&self, timer: FiledTimer<Q::Key>) -> Option<Waker> {
        // As the module says, it is not in the wheel: no need for the lock.
        if timer.due < self.earliest() {
            return None;
        }
        let mut queue = self.queue.lock();
        let waker = queue.remove(timer.key)?;
        if queue.next_deadline() == NONE {
            self.publish(NONE);
        }
        Some(waker)
    }

    /// Any thread, the owner for preference. Takes out what is due at `now`, `limit` timers at most, and hands
    /// each waker to `fire`, which must not run it: the lock is held. Returns how many; if it is `limit`, more may
    /// be due.
    pub fn turn(&self, now: u64, limit: usize, fire: impl FnMut(Waker)) -> usize {
        if now < self.earliest() {
            return 0;
        }
        let mut queue = self.queue.lock();
        // ordering: Relaxed: whoever is woken reads it after the wake (E2); in the order of the lock it only rises.
        self.turned.store(now.max(self.turned()), Ordering::Relaxed);
        let fired = queue.advance(now, limit, fire);
        self.publish(queue.next_deadline());
        fired
    }

    /// Shutdown. Empties the wheel for ever and hands all wakers to `wake_later`, which must not run them: the
    /// lock is held.
    pub fn close(&self, wake_later: impl FnMut(Waker)) {
        let mut queue = self.queue.lock();
        // ordering: Relaxed: as in `turn`; one who files reads it under the lock.
        self.turned.store(CLOSED, Ordering::Relaxed);
        queue.clear(wake_later);
        self.publish(NONE);
    }

    /// Any thread. The published deadline.
    pub fn earliest(&self) -> u64 {
        // ordering: Relaxed: a hint for `turn`; for `remove`, a value from after the filing, which happened
        // before; for a sleeper, after its fence: E1.
        self.earliest.load(Ordering::Relaxed)
    }

    /// Any thread. Looks at the queue under the lock: for counts, and for tests.
    pub fn inspect<R>(&self, look: impl FnOnce(&Q) -> R) -> R {
        look(&self.queue.lock())
    }

    fn state_of(&self, timer: &FiledTimer<Q::Key>) -> TimerState {
        match self.turned() {
            CLOSED => TimerState::Gone,
            turned if turned >= timer.due => TimerState::Fired,
            _ => TimerState::Armed,
        }
    }

    fn turned(&self) -> u64 {
        // ordering: Relaxed: E2 is the wake's, and a holder of the lock reads what the one before it has stored.
        self.turned.load(Ordering::Relaxed)
    }

    /// Holder of the lock. Lowers the published deadline; a raise waits for the next turn.
    fn publish_earlier(&self, due: u64) {
        if due < self.earliest() {
            self.publish(due);
        }
    }

    /// Holder of the lock.
    fn publish(&self, deadline: u64) {
        // ordering: Relaxed: stores are in the order of the lock, and the fence of E1 is the caller's
        // `must_interrupt`.
        self.earliest.store(deadline, Ordering::Relaxed);
    }
}
