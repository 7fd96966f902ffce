//! Who is parked, who is searching, and whom a push wakes.
//!
//! The workers of a runtime are in groups, mostly one; those of a group share a driver. Each group has its own counts and
//! flags, and all that follows holds in each of them.
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
//! | searching → active | [`Idle::stop_searching`] | the last one of its group wakes somebody if there is still work |
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
//! Of several who are parked a push by a foreign thread wakes the one that went into the driver ([`Idle::note_in_driver`]): it
//! looks there for a while before it sleeps, so a thread that answers a task within that time finds it awake, while one
//! that sleeps beside it never looks. A worker that shares its work leaves that one till last, so that somebody attends to events
//! meanwhile. Whom a wake finds decides nothing else, so who is in the driver is a hint.
//!
//! # Groups
//! A push asks the groups one after the other, its own first, until it wakes somebody or one of them has a searcher, on
//! whom it relies. Why none is missed: a searcher, of whatever group, looks at all queues; so a push that relies on one
//! is seen in that group, by I2. And a group in which the push finds nobody parked or searching has none who sleeps
//! past it, by I1. Nobody is woken for the driver of another group.
//!
//! # Orderings
//! The edges that publish a task are in the queues. Here are three Dekker pairs:
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
//! to wait for that flag would be to spin until that worker runs. If there is none it asks all other groups, also those that
//! it has asked before, since who relied on it has asked no others.
//! A worker counts itself as parked before it sets its flag, so that the count never falls below zero; a
//! waker that reads the count but not yet the flag fenced before that worker did, so that worker's look sees
//! the item.
//!
//! # Nobody in the driver
//! A worker that parks while the driver token is held sleeps beside the driver: the holder will either park, and
//! then finds the token free, or keep turning the driver between polls. One that *leaves* (it retires, ends, or
//! gives its slot away and finds no thread for it) does neither, so it wakes one of its group for the driver. It relies
//! on a searcher as a pusher does, and a waker that gives its claim back is one: so
//! [`needs_a_worker`](Workplace::needs_a_worker) looks at the driver token, too.
//!
//! # Rejected
//! A list of sleepers behind a mutex: a lock on every wake. Reading the counts by `fetch_add(0)` in place of
//! the fence: the same strength, and every push writes the one shared line.
//!
//! # Checked by
//! The models `idle::*`.

use crate::groups::Groups;
use crate::sync::{AtomicBool, AtomicU32, AtomicUsize, CachePadded, Ordering, fence};

const PARKED: u32 = 1;
const SEARCHING: u32 = 1 << 16;

/// The runtime whose workers are counted, as whoever wakes one needs it.
pub trait Workplace {
    /// Whether a queue that any worker may take from holds a task.
    fn has_work(&self) -> bool;

    /// Whether anything is left to a worker of this group: a task of whatever group, or its driver.
    fn needs_a_worker(&self, group: usize) -> bool;

    /// Ends the sleep of the worker that runs this slot, or the next one that it begins.
    fn unpark(&self, slot: usize);
}

/// The sleepers and searchers of one runtime.
#[derive(Debug)]
pub struct Idle {
    groups: Groups,
    /// Mostly the only one, so it is at hand.
    first: Group,
    others: Box<[Group]>,
}

/// Those of one group.
#[derive(Debug)]
struct Group {
    /// parked workers (low half) and searching ones (high half).
    counts: CachePadded<AtomicU32>,
    /// Of each slot of the group.
    flags: Box<[CachePadded<AtomicBool>]>,
    /// The place of the worker that went into the driver last. Written at each of its parks, where the flags' address is only read.
    in_driver: CachePadded<AtomicUsize>,
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

/// Whom of a group to wake, if there are several to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sought {
    InDriver,
    BesideDriver,
}

/// What became of a try to wake one of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    Woken,
    /// One who searches will see what there is, or there is nothing left.
    Served,
    /// Nobody is parked here.
    Nobody,
    /// The same; but others have relied on this try meanwhile, and did not ask further.
    GaveUp,
}

fn parked(counts: u32) -> u32 {
    counts & 0xffff
}

fn searching(counts: u32) -> u32 {
    counts >> 16
}

fn outlook(counts: u32) -> Outlook {
    if counts == 0 {
        Outlook::AllActive
    } else if searching(counts) > 0 {
        Outlook::Searched
    } else {
        Outlook::Wakeable
    }
}

impl Idle {
    /// All of `slots` workers active.
    ///
    /// # Panics
    /// If there are more than 65,535 slots, the range of a count.
    pub fn new(slots: usize, groups: Groups) -> Self {
        assert!(slots <= 0xffff, "at most 65,535 workers in a runtime");
        let flag = |_| CachePadded::new(AtomicBool::new(false));
        let group = |group| Group {
            counts: CachePadded::new(AtomicU32::new(0)),
            flags: groups.slots(group, slots).map(flag).collect(),
            in_driver: CachePadded::new(AtomicUsize::new(0)),
        };
        Self { groups, first: group(0), others: (1..groups.count()).map(group).collect() }
    }

    fn group(&self, index: usize) -> &Group {
        index.checked_sub(1).map_or(&self.first, |other| &self.others[other])
    }

    /// Worker of `group`. May it look for work elsewhere? At most half of the group's `workers` do at a time.
    #[must_use]
    pub fn start_searching(&self, group: usize, workers: usize) -> bool {
        let Group { counts, .. } = self.group(group);
        // ordering: Relaxed: a limit that may be missed by a few.
        if 2 * searching(counts.load(Ordering::Relaxed)) as usize >= workers.max(1) {
            return false;
        }
        // ordering: Relaxed: whoever relies on this searcher reads it after the fence of I2.
        counts.fetch_add(SEARCHING, Ordering::Relaxed);
        true
    }

    /// Worker of `group` that was searching and found work. The last one looks whether there is more and wakes a peer for
    /// it, as [`wake_one`](Self::wake_one) does.
    pub fn stop_searching(&self, group: usize, workplace: &impl Workplace) {
        // ordering: Relaxed: the fence of I2 follows.
        if searching(self.group(group).counts.fetch_sub(SEARCHING, Ordering::Relaxed)) == 1 {
            fence(Ordering::SeqCst); // I2
            if workplace.has_work() {
                self.wake_one(group, workplace);
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
        let Group { counts, flags, .. } = self.group(self.groups.of(slot));
        let flag = &flags[self.groups.place(slot)];
        let announce = if is_searching { PARKED.wrapping_sub(SEARCHING) } else { PARKED };
        // ordering: Relaxed: the fence of I1 follows.
        counts.fetch_add(announce, Ordering::Relaxed);
        // ordering: Release: a waker that clears the flag subtracts after the addition above.
        flag.store(true, Ordering::Release);
        fence(Ordering::SeqCst); // I1
        let found = look();
        if !found {
            block();
        }
        // ordering: Relaxed: it decides who subtracts; what a waker hands over goes through the parker.
        if !flag.swap(false, Ordering::Relaxed) {
            return true; // a waker cleared it, and counts us as searching
        }
        let leave = if found { SEARCHING.wrapping_sub(PARKED) } else { PARKED.wrapping_neg() };
        // ordering: Relaxed: as `start_searching`.
        counts.fetch_add(leave, Ordering::Relaxed);
        found
    }

    /// Worker that has announced that it parks: it is about to look at the driver of its group, and to sleep there.
    pub fn note_in_driver(&self, slot: usize) {
        let place = self.groups.place(slot);
        // ordering: Relaxed: a hint.
        self.group(self.groups.of(slot)).in_driver.store(place, Ordering::Relaxed);
    }

    /// Any thread. Makes a task visible by `push` and wakes a worker for it if need be, as [`wake_one`](Self::wake_one)
    /// does.
    pub fn push(&self, first: usize, push: impl FnOnce(), workplace: &impl Workplace) {
        push();
        fence(Ordering::SeqCst); // I1
        self.ask(first, self.groups.count(), Sought::InDriver, workplace);
    }

    /// A thread that may have turned the driver of `group` and will not come back to it; it does not count as searching
    /// any more. Wakes a worker of the group that may sleep beside the driver, unless one is searching, which looks for
    /// itself before it parks.
    pub fn hand_on_driver(&self, group: usize, workplace: &impl Workplace) {
        fence(Ordering::SeqCst); // I3
        self.wake_one_of(group, workplace);
    }

    /// Whoever has made work visible. Wakes one parked worker unless one is searching; it asks the groups from `first` on.
    /// Returns whether it woke one.
    pub fn wake_one(&self, first: usize, workplace: &impl Workplace) -> bool {
        self.ask(first, self.groups.count(), Sought::BesideDriver, workplace)
    }

    /// As [`wake_one`](Self::wake_one), of this group only.
    pub fn wake_one_of(&self, group: usize, workplace: &impl Workplace) {
        self.ask(group, 1, Sought::BesideDriver, workplace);
    }

    /// Asks so many groups, from one on, until it wakes somebody or need not. Whether it woke one.
    fn ask(&self, mut group: usize, mut left: usize, sought: Sought, workplace: &impl Workplace) -> bool {
        while left > 0 {
            left = match self.try_wake(group, sought, workplace) {
                Wake::Woken => return true,
                Wake::Served => return false,
                Wake::Nobody => left - 1,
                Wake::GaveUp if self.groups.count() > 1 && workplace.needs_a_worker(group) => {
                    self.groups.count() - 1
                }
                Wake::GaveUp => return false,
            };
            group = self.groups.after(group);
        }
        false
    }

    fn try_wake(&self, index: usize, sought: Sought, workplace: &impl Workplace) -> Wake {
        let group = self.group(index);
        let mut gave_back = false;
        loop {
            match group.claim() {
                Outlook::Wakeable => {}
                Outlook::Searched => return Wake::Served,
                Outlook::AllActive => return if gave_back { Wake::GaveUp } else { Wake::Nobody },
            }
            if let Some(place) = group.clear_a_flag(sought) {
                // ordering: Relaxed: the count follows the flag.
                group.counts.fetch_sub(PARKED, Ordering::Relaxed);
                workplace.unpark(self.groups.slot(index, place));
                return Wake::Woken;
            }
            // ordering: Relaxed: the fence of I2 follows.
            group.counts.fetch_sub(SEARCHING, Ordering::Relaxed);
            fence(Ordering::SeqCst); // I2
            gave_back = true;
            if !group.a_flag_is_set() {
                return Wake::GaveUp;
            }
            if !workplace.needs_a_worker(index) {
                return Wake::Served;
            }
        }
    }

    /// Any thread. Whether a wake that begins with the group `first` could find somebody: one relaxed load for each group
    /// that is all active.
    #[inline]
    pub fn could_wake(&self, first: usize) -> bool {
        self.outlook(first) == Outlook::Wakeable
    }

    /// The worker of group `first` that has pushed to its own queue. Cost: as [`could_wake`](Self::could_wake).
    #[inline]
    pub fn outlook(&self, first: usize) -> Outlook {
        if self.others.is_empty() { self.first.outlook() } else { self.outlook_of_groups(first) }
    }

    fn outlook_of_groups(&self, first: usize) -> Outlook {
        let mut outlooks = self.groups.round(first).map(|group| self.group(group).outlook());
        outlooks.find(|outlook| *outlook != Outlook::AllActive).unwrap_or(Outlook::AllActive)
    }

    /// Any thread. How many workers were parked when looked at.
    pub fn parked(&self) -> usize {
        (0..self.groups.count()).map(|group| self.parked_of(group)).sum()
    }

    /// Any thread. How many workers of a group were parked when looked at.
    pub fn parked_of(&self, group: usize) -> usize {
        // ordering: Relaxed: whoever needs certainty fences before.
        parked(self.group(group).counts.load(Ordering::Relaxed)) as usize
    }
}

impl Group {
    #[inline]
    fn outlook(&self) -> Outlook {
        // ordering: Relaxed: I1 is not needed for one's own queue; see the wake rule.
        outlook(self.counts.load(Ordering::Relaxed))
    }

    /// Takes the right, and the duty, to wake if that is possible: counts one more searcher if there was none and somebody
    /// is parked.
    fn claim(&self) -> Outlook {
        // ordering: Relaxed: the caller's fence orders this read after its push.
        let mut counts = self.counts.load(Ordering::Relaxed);
        while outlook(counts) == Outlook::Wakeable {
            // ordering: Relaxed: counts only.
            match self.counts.compare_exchange_weak(
                counts,
                counts + SEARCHING,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Outlook::Wakeable,
                Err(seen) => counts = seen,
            }
        }
        outlook(counts)
    }

    fn a_flag_is_set(&self) -> bool {
        // ordering: Relaxed: after the fence of I2.
        self.flags.iter().any(|flag| flag.load(Ordering::Relaxed))
    }

    /// The place of the worker whose flag it was.
    fn clear_a_flag(&self, sought: Sought) -> Option<usize> {
        // ordering: Relaxed on the look. On the exchange Acquire: the owner's addition comes before our subtraction.
        // Relaxed on failure: the owner was first, and what it does next is not ours. It is a compare-exchange, so
        // that who comes too late writes nothing, which would have to be told from the owner's next announcement.
        let clears = |flag: &AtomicBool| {
            flag.load(Ordering::Relaxed)
                && flag.compare_exchange(true, false, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        // ordering: Relaxed: a hint.
        let in_driver = self.in_driver.load(Ordering::Relaxed);
        let first = in_driver + usize::from(sought == Sought::BesideDriver);
        let mut around = (first..self.flags.len()).chain(0..first);
        around.find(|&place| clears(&self.flags[place]))
    }
}
