//! Who is parked, who is searching, and whom a push wakes.
//!
//! # States of a worker
//! | state | counted as | who may leave it |
//! |---|---|---|
//! | active | nothing | the worker: it runs out of work |
//! | searching | SEARCHING | the worker: it finds work, or parks |
//! | parked | PARKED, and its flag is set | whoever clears the flag: a waker (the worker then counts as searching), or the worker itself |
//!
//! # Transitions
//! | from → to | by | owes |
//! |---|---|---|
//! | active → searching | [`Idle::start_searching`] | search every queue |
//! | searching → active | [`Idle::stop_searching`] | the last one wakes a peer if there is still work |
//! | active, searching → parked | [`Idle::park`]: announce, fence, look, block | - |
//! | parked → searching | [`Idle::wake_one`] clears the flag | unpark that worker |
//! | parked → active, searching | the worker clears its own flag in [`Idle::park`] | - |
//! | active → gone | a worker that leaves for good: [`Idle::hand_on_driver`] | - |
//!
//! # The wake rule
//! A push wakes one parked worker if nobody is searching; the searcher that finds the item wakes the next if
//! there is more, so that wakes spread without a crowd. A push *by a foreign thread or to the injector* always
//! goes through [`Idle::push`], with its fence. A worker that pushes to its own queue needs no fence: it is
//! awake, runs the item itself at the latest, and looks again when its poll ends.
//!
//! # Orderings
//! The edges that publish a task are in the queues. Here are two Dekker pairs:
//! | pair | one side | other side | fails without |
//! |---|---|---|---|
//! | I1 | `push`: push, fence, read the counts | `park`: announce, fence, look at the queues | either fence: both miss, the task sleeps |
//! | I2 | `push` sees a searcher and does nothing | that searcher (or a waker that found nobody) leaves: subtract, fence, look at the queues | the fence or the look: the searcher had already passed that queue |
//! | I3 | `hand_on_driver`: (the driver token was given back,) fence, read the counts | `park`: announce, fence, try the driver token | either fence, or the wake: nobody is in the driver |
//!
//! # The hard race
//! A waker claims the searching count before it looks for a flag, so that of many pushers one does the work;
//! pushers that come meanwhile rely on it. If it then finds no flag (the worker it counted on has woken by
//! itself), it gives the claim back, fences, and looks at the queues again: a pusher that relied on it has
//! pushed before that fence (else it would have read the count without the claim), so its item is seen. It
//! tries again only if a flag is set by then: a worker whose flag it still misses fences after it, and looks;
//! to wait for that flag would be to spin until that worker runs.
//! A worker counts itself as parked before it sets its flag, so that the count never falls below zero; a
//! waker that reads the count but not yet the flag fenced before that worker did, so that worker's look sees
//! the item.
//!
//! # Nobody in the driver
//! A worker that parks while the driver token is held sleeps beside the driver: the holder will either park, and
//! then finds the token free, or keep turning the driver between polls. One that *leaves* (it retires, ends, or
//! gives its slot away and finds no thread for it) does neither, so it wakes somebody for the driver. It relies
//! on a searcher as a pusher does, and a waker that gives its claim back is one: so the `has_work` of a thread
//! that will not go to the driver itself looks at the driver token, too.
//!
//! # Rejected
//! A list of sleepers behind a mutex: a lock on every wake. Reading the counts by `fetch_add(0)` in place of
//! the fence: the same strength, and every push writes the one shared line.
//!
//! # Checked by
//! The models `idle::*`.

use crate::sync::{AtomicBool, AtomicU32, CachePadded, Ordering, fence};

const PARKED: u32 = 1;
const SEARCHING: u32 = 1 << 16;

/// The sleepers and searchers of one runtime.
#[derive(Debug)]
pub struct Idle {
    /// parked workers (low half) and searching ones (high half).
    counts: CachePadded<AtomicU32>,
    flags: Box<[CachePadded<AtomicBool>]>,
}

/// What a push to one's own queue has to reckon with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Nobody parks or searches: whoever will looks at all queues first.
    AllActive,
    /// Somebody searches, who may have passed this queue.
    Searched,
    /// Nobody searches and somebody is parked.
    Wakeable,
}

fn parked(counts: u32) -> u32 {
    counts & 0xffff
}

fn searching(counts: u32) -> u32 {
    counts >> 16
}

impl Idle {
    /// All of `slots` workers active.
    ///
    /// # Panics
    /// If there are more than 65,535 slots, the range of a count.
    pub fn new(slots: usize) -> Self {
        assert!(slots <= 0xffff, "at most 65,535 workers in a runtime");
        Self {
            counts: CachePadded::new(AtomicU32::new(0)),
            flags: (0..slots).map(|_| CachePadded::new(AtomicBool::new(false))).collect(),
        }
    }

    /// Worker. May it look for work elsewhere? At most half of `active` workers do at a time.
    #[must_use]
    pub fn start_searching(&self, active: usize) -> bool {
        // ordering: Relaxed: a limit that may be missed by a few.
        let counts = self.counts.load(Ordering::Relaxed);
        if 2 * searching(counts) as usize >= active.max(1) {
            return false;
        }
        // ordering: Relaxed: whoever relies on this searcher reads it after the fence of I2.
        self.counts.fetch_add(SEARCHING, Ordering::Relaxed);
        true
    }

    /// Worker that was searching and found work. The last one looks whether there is more (`has_work`) and
    /// wakes a peer for it.
    pub fn stop_searching(&self, has_work: impl Fn() -> bool, unpark: impl Fn(usize)) {
        // ordering: Relaxed: the fence of I2 follows.
        if searching(self.counts.fetch_sub(SEARCHING, Ordering::Relaxed)) == 1 {
            fence(Ordering::SeqCst); // I2
            if has_work() {
                self.wake_one(has_work, unpark);
            }
        }
    }

    /// Worker. Announces that it sleeps, fences, looks once more at everything that could keep it awake, and
    /// sleeps by `block` if there is nothing. Returns whether it now counts as searching.
    #[must_use]
    pub fn park(
        &self,
        slot: usize,
        is_searching: bool,
        look: impl FnOnce() -> bool,
        block: impl FnOnce(),
    ) -> bool {
        let announce = if is_searching { PARKED.wrapping_sub(SEARCHING) } else { PARKED };
        // ordering: Relaxed: the fence of I1 follows.
        self.counts.fetch_add(announce, Ordering::Relaxed);
        // ordering: Release: a waker that clears the flag subtracts after the addition above.
        self.flags[slot].store(true, Ordering::Release);
        fence(Ordering::SeqCst); // I1
        let found = look();
        if !found {
            block();
        }
        // ordering: Relaxed: it decides who subtracts; what a waker hands over goes through the parker.
        if !self.flags[slot].swap(false, Ordering::Relaxed) {
            return true; // a waker cleared it, and counts us as searching
        }
        let leave = if found { SEARCHING.wrapping_sub(PARKED) } else { PARKED.wrapping_neg() };
        // ordering: Relaxed: as `start_searching`.
        self.counts.fetch_add(leave, Ordering::Relaxed);
        found
    }

    /// Any thread. Makes a task visible by `push` and wakes a worker for it if need be.
    pub fn push(&self, push: impl FnOnce(), has_work: impl Fn() -> bool, unpark: impl Fn(usize)) {
        push();
        fence(Ordering::SeqCst); // I1
        self.wake_one(has_work, unpark);
    }

    /// A thread that may have turned the driver and will not come back to it; it does not count as searching any
    /// more. Wakes a worker that may sleep beside the driver, unless one is searching, which looks for itself
    /// before it parks.
    pub fn hand_on_driver(&self, has_work: impl Fn() -> bool, unpark: impl Fn(usize)) {
        fence(Ordering::SeqCst); // I3
        self.wake_one(has_work, unpark);
    }

    /// Whoever has made work visible. Wakes one parked worker unless one is searching; `has_work` looks at all
    /// queues again if a worker that was counted on is gone. Returns whether it woke one.
    pub fn wake_one(&self, has_work: impl Fn() -> bool, unpark: impl Fn(usize)) -> bool {
        while self.claim() {
            if let Some(slot) = self.clear_a_flag() {
                // ordering: Relaxed: the count follows the flag.
                self.counts.fetch_sub(PARKED, Ordering::Relaxed);
                unpark(slot);
                return true;
            }
            // ordering: Relaxed: the fence of I2 follows.
            self.counts.fetch_sub(SEARCHING, Ordering::Relaxed);
            fence(Ordering::SeqCst); // I2
            if !self.a_flag_is_set() || !has_work() {
                return false;
            }
        }
        false
    }

    /// Any thread. Whether a wake could find somebody: one relaxed load.
    #[inline]
    pub fn could_wake(&self) -> bool {
        self.outlook() == Outlook::Wakeable
    }

    /// The worker that has pushed to its own queue: one relaxed load.
    #[inline]
    pub fn outlook(&self) -> Outlook {
        // ordering: Relaxed: I1 is not needed for one's own queue; see the wake rule.
        let counts = self.counts.load(Ordering::Relaxed);
        if counts == 0 {
            Outlook::AllActive
        } else if searching(counts) > 0 {
            Outlook::Searched
        } else {
            Outlook::Wakeable
        }
    }

    /// Any thread. How many workers were parked when looked at.
    pub fn parked(&self) -> usize {
        // ordering: Relaxed: whoever needs certainty fences before.
        parked(self.counts.load(Ordering::Relaxed)) as usize
    }

    /// Takes the right, and the duty, to wake: counts one more searcher if there was none.
    fn claim(&self) -> bool {
        // ordering: Relaxed: the caller's fence orders this read after its push.
        let mut counts = self.counts.load(Ordering::Relaxed);
        loop {
            if parked(counts) == 0 || searching(counts) > 0 {
                return false;
            }
            // ordering: Relaxed: counts only.
            match self.counts.compare_exchange_weak(
                counts,
                counts + SEARCHING,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => counts = seen,
            }
        }
    }

    fn a_flag_is_set(&self) -> bool {
        // ordering: Relaxed: after the fence of I2.
        self.flags.iter().any(|flag| flag.load(Ordering::Relaxed))
    }

    fn clear_a_flag(&self) -> Option<usize> {
        // ordering: Relaxed on the look. On the exchange Acquire: the owner's addition comes before our subtraction.
        // Relaxed on failure: the owner was first, and what it does next is not ours. It is a compare-exchange, so
        // that who comes too late writes nothing, which would have to be told from the owner's next announcement.
        let clears = |flag: &AtomicBool| {
            flag.load(Ordering::Relaxed)
                && flag.compare_exchange(true, false, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        self.flags.iter().position(|flag| clears(flag))
    }
}
