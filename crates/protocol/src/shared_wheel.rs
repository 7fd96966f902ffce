//! A wheel of timers that its slot's worker uses nearly alone, and others when they must.
//!
//! The owner files, cancels and fires under a lock that is nearly always free. Another worker that drops
//! or resets a timer of this wheel does not take that lock: it ends the entry and returns the key by a
//! queue, which the next turn drains. Whoever holds the driver may turn the wheel of a worker that is late,
//! stuck or gone.
//!
//! # Parties
//!
//! | who | calls |
//! |-----|-------|
//! | worker that runs the slot; for the outside wheel any thread that is no worker | [`file`](SharedWheel::file), [`cancel_here`](SharedWheel::cancel_here), [`bring_forward`](SharedWheel::bring_forward), [`turn`](SharedWheel::turn) |
//! | any other thread that holds the timer | [`cancel_elsewhere`](SharedWheel::cancel_elsewhere) |
//! | holder of the driver, foreman | [`turn`](SharedWheel::turn), [`earliest`](SharedWheel::earliest) |
//! | shutdown | [`close`](SharedWheel::close) |
//!
//! # States
//!
//! The entry's are in [`timer_entry`](crate::timer_entry). The wheel is open, then closed for ever; a
//! closed one is empty and takes no timer. `earliest` is at or before the time of every entry in the wheel,
//! [`alarm::NONE`](crate::alarm::NONE) if it is empty; it is written under the lock only.
//!
//! # Transitions
//!
//! | step | performed by | owes | model |
//! |------|--------------|------|-------|
//! | file | owner | [`Alarm::must_interrupt`](crate::alarm::Alarm::must_interrupt), at once or before it parks, retires or blocks | `alarm::earlier_deadline_reaches_sleeper` |
//! | fire | one that turns | wake | `timer::fire_excludes_cancel` |
//! | file again | one that turns | nothing | `timer::cancel_while_filed_again_leaves_no_entry` |
//! | unlink | owner | nothing | `timer::unlink_excludes_fire` |
//! | end, return the key | another thread | nothing | `timer::fire_excludes_cancel` |
//! | close | shutdown | wake | `timer::close_wakes_or_refuses` |
//!
//! # Orderings
//!
//! | edge | release side | acquire side | publishes | fails if weakened |
//! |------|--------------|--------------|-----------|-------------------|
//! | E1 | publish `earliest`, fence | fence, read `earliest` | (Dekker) see [`alarm`](crate::alarm) | `alarm::earlier_deadline_reaches_sleeper` |
//! | E2 | push of a key | steal in `turn` | the key; the entry's state is behind its lock | queue's own |
//!
//! # The hard race
//!
//! A key comes back after the wheel has dropped its entry: `cancel_elsewhere` has ended the entry, the
//! deadline passes, `turn` finds a dead entry and removes it, a new timer gets its place, and only now the
//! key is pushed. Keys carry a generation, so the late key matches nothing. And an entry that is filed
//! again keeps its key, so that a key returned in the middle of that still removes it.
//!
//! # Rejected
//!
//! A lazy mark without the return queue: a dead entry then stays until its deadline, and nearly all timers
//! of a server are cancelled. A lock-free wheel: nobody but the owner files, so there is nothing to win.
//! Raising `earliest` at each cancel: the next turn does it, at the cost of at most one early turn per
//! cancelled deadline. An emptied wheel does say so, so that an idle runtime sleeps without a limit.
//!
//! # Checked by
//!
//! The models named above, in `loom-tests/tests/models/{timer_entry,alarm}.rs`.

use std::task::Waker;

use crate::alarm::NONE;
use crate::sync::{Arc, AtomicU64, Injector, Mutex, Ordering, Steal};
use crate::timer_entry::{Expiry, TimerEntry};

/// The data structure behind the lock: entries ordered by deadline.
pub trait DeadlineQueue {
    /// Names one entry from its insertion to its removal, and nothing afterwards.
    type Key: Copy;

    /// Adds an entry.
    fn insert(&mut self, deadline: u64, entry: Arc<TimerEntry>) -> Self::Key;

    /// Moves an entry to another deadline under the same key. Does nothing if the key names no entry.
    fn relocate(&mut self, key: Self::Key, deadline: u64);

    /// Takes an entry out; `None` if the key names none.
    fn remove(&mut self, key: Self::Key) -> Option<Arc<TimerEntry>>;

    /// Shows `expire` the entries whose deadline is at or before `now`, `limit` of them at most, and says
    /// how many it has shown. An entry for which `expire` returns a later deadline is moved there under the
    /// same key, the others are removed.
    fn advance(&mut self, now: u64, limit: usize, expire: impl FnMut(&TimerEntry) -> Option<u64>) -> usize;

    /// When [`advance`](Self::advance) next has something to show: exact, or earlier if an entry has been
    /// removed; [`NONE`] if it is empty.
    fn next_deadline(&self) -> u64;

    /// Shows and removes every entry.
    fn clear(&mut self, visit: impl FnMut(&TimerEntry));
}

/// A wheel, its lock, its published deadline and its return queue.
#[derive(Debug)]
pub struct SharedWheel<Q: DeadlineQueue> {
    guarded: Mutex<Guarded<Q>>,
    /// At or before the time of every entry; written under the lock.
    earliest: AtomicU64,
    /// Keys of entries that were cancelled by threads other than the owner.
    returned: Injector<Q::Key>,
}

#[derive(Debug)]
struct Guarded<Q> {
    queue: Q,
    is_open: bool,
}

impl<Q: DeadlineQueue> SharedWheel<Q> {
    /// An open wheel around an empty queue.
    pub fn new(queue: Q) -> Self {
        Self {
            guarded: Mutex::new(Guarded { queue, is_open: true }),
            earliest: AtomicU64::new(NONE),
            returned: Injector::new(),
        }
    }

    /// Owner. Files a timer; `None` if the wheel is closed. The caller then owes the sleeper in the driver
    /// a look, as the module says.
    pub fn file(&self, deadline: u64, waker: Waker) -> Option<(Arc<TimerEntry>, Q::Key)> {
        let entry = Arc::new(TimerEntry::new(deadline, waker));
        let mut guarded = self.guarded.lock();
        if !guarded.is_open {
            // The guard goes first, so that the waker is dropped while the lock is free.
            drop(guarded);
            return None;
        }
        let key = guarded.queue.insert(deadline, Arc::clone(&entry));
        self.publish_earlier(&guarded.queue);
        Some((entry, key))
    }

    /// Owner. Ends a timer and takes it out of the wheel, whatever has become of it.
    pub fn cancel_here(&self, entry: Arc<TimerEntry>, key: Q::Key) {
        let removed = {
            let mut guarded = self.guarded.lock();
            let removed = guarded.queue.remove(key);
            if removed.is_some() && guarded.queue.next_deadline() == NONE {
                self.publish(NONE);
            }
            removed
        };
        // Last, with the lock free: they may own a waker, whose drop is user code.
        drop((removed, entry));
    }

    /// Any thread. Ends a timer without touching the wheel's lock, and returns its key. `Some` if it was
    /// still armed: its waker.
    pub fn cancel_elsewhere(&self, entry: &TimerEntry, key: Q::Key) -> Option<Waker> {
        let waker = entry.cancel()?;
        self.returned.push(key);
        Some(waker)
    }

    /// Owner. Moves an armed timer to any deadline; `false` if it is no longer armed. The caller then owes
    /// the sleeper in the driver a look, as after [`file`](Self::file).
    #[must_use = "if it refuses, the timer has ended"]
    pub fn bring_forward(&self, entry: &TimerEntry, key: Q::Key, deadline: u64) -> bool {
        let mut guarded = self.guarded.lock();
        let accepted = entry.bring_forward(deadline);
        if accepted {
            guarded.queue.relocate(key, deadline);
            self.publish_earlier(&guarded.queue);
        }
        accepted
    }

    /// Any thread, the owner for preference. Drains the return queue, then fires what is due at `now`,
    /// `limit` entries at most, and hands each waker to `fire`, which must not run it: the lock is held.
    /// Returns how many entries were looked at; if it is `limit`, more may be due.
    pub fn turn(&self, now: u64, limit: usize, mut fire: impl FnMut(Waker)) -> usize {
        if !self.is_due(now) && self.returned.is_empty() {
            return 0;
        }
        let mut guarded = self.guarded.lock();
        self.drain_returned(&mut guarded.queue);
        let seen = guarded.queue.advance(now, limit, |entry| match entry.expire(now) {
            Expiry::Fire(waker) => {
                fire(waker);
                None
            }
            Expiry::Later(deadline) => Some(deadline),
            Expiry::Dead => None,
        });
        self.publish(guarded.queue.next_deadline());
        seen
    }

    /// Ends: each key is returned once, by a timer that is in this wheel or has just left it, and nobody
    /// files while the lock is held.
    fn drain_returned(&self, queue: &mut Q) {
        loop {
            match self.returned.steal() {
                // A cancelled entry has no waker, so nothing of the user's is dropped here.
                Steal::Success(key) => drop(queue.remove(key)),
                Steal::Retry => {}
                Steal::Empty => return,
            }
        }
    }

    /// Shutdown. Empties the wheel for ever and hands the wakers of all armed timers to `wake_later`, which
    /// must not run them: the lock is held.
    pub fn close(&self, mut wake_later: impl FnMut(Waker)) {
        let mut guarded = self.guarded.lock();
        guarded.is_open = false;
        guarded.queue.clear(|entry| {
            if let Some(waker) = entry.close() {
                wake_later(waker);
            }
        });
        self.drain_returned(&mut guarded.queue);
        self.publish(NONE);
    }

    /// Any thread. The published deadline.
    pub fn earliest(&self) -> u64 {
        // ordering: Relaxed: a hint for `is_due`; for a sleeper, after its fence: E1.
        self.earliest.load(Ordering::Relaxed)
    }

    /// Any thread. Whether something was due at `now` when looked at: one load.
    pub fn is_due(&self, now: u64) -> bool {
        self.earliest() <= now
    }

    /// Any thread. Looks at the queue under the lock: for counts, and for tests.
    pub fn inspect<R>(&self, look: impl FnOnce(&Q) -> R) -> R {
        look(&self.guarded.lock().queue)
    }

    /// Holder of the lock. Lowers the published deadline; a raise waits for the next turn.
    fn publish_earlier(&self, queue: &Q) {
        let next = queue.next_deadline();
        if next < self.earliest() {
            self.publish(next);
        }
    }

    /// Holder of the lock.
    fn publish(&self, deadline: u64) {
        // ordering: Relaxed: stores are in the order of the lock, and the fence of E1 is the caller's
        // `must_interrupt`.
        self.earliest.store(deadline, Ordering::Relaxed);
    }
}
