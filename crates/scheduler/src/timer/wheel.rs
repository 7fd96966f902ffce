//! A hierarchical timing wheel: deadlines in, due entries out. Pure data: no clock, no thread.
//!
//! The scheme is George Varghese's and Tony Lauck's ("Hashed and Hierarchical Timing Wheels", SOSP 1987).
//! Time is counted in ticks of 2^16 ns (65.5 µs). A level is an array of 64 rings; a ring of level 0
//! stands for one tick, one of level 1 for 64 ticks, and so on: eight levels of six bits hold every `u64`
//! of nanoseconds, 584 years. An entry is filed at the level of the highest six-bit digit in which its tick
//! differs from the present one, in the ring of that digit. So it is always ahead of the present on its
//! level, everything on a lower level comes before everything on a higher one, and the earliest ring is
//! two bit scans away. When the present reaches a ring, the ring's entries are filed again, on lower
//! levels: at most seven times in an entry's life. Insertion and removal cost a constant.
//!
//! A deadline is rounded up to a tick and the present is rounded down, so nothing is shown early; what is
//! due is shown less than one tick late, if the wheel is advanced in time.
//!
//! Checked by `crates/scheduler/tests/timer_wheel.rs` against a `BTreeMap`.

use super::slab::{NIL, Slab, TimerKey};

/// Length of a tick, as a power of two of nanoseconds.
const TICK_BITS: u32 = 16;
/// Nanoseconds in a tick, by which an entry may be late.
pub const TICK_NS: u64 = 1 << TICK_BITS;

const DIGIT_BITS: u32 = 6;
const RINGS_PER_LEVEL: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 8;

/// The last tick that the levels can tell apart. An entry filed there never becomes due.
const LAST_TICK: u64 = (1 << (DIGIT_BITS as usize * LEVELS)) - 1;

/// Number of the ring of what is due already; the rings of the levels come before it.
const DUE: usize = LEVELS * RINGS_PER_LEVEL;

/// "No deadline", as [`Wheel::next_deadline`] says it.
const NONE: u64 = u64::MAX;

/// Entries of type `E`, each with a deadline in nanoseconds since the wheel's beginning.
#[derive(Debug)]
pub struct Wheel<E> {
    /// The present, in ticks: entries at or before it are due.
    present: u64,
    /// Per level, a bit for each ring that is not empty.
    occupied: [u64; LEVELS],
    rings: Box<[Ring; DUE + 1]>,
    slab: Slab<E>,
}

#[derive(Clone, Copy, Debug)]
struct Ring {
    first: u32,
    /// At or before the tick of each of its entries, while there are any; exact until one is removed.
    earliest: u64,
}

impl<E> Default for Wheel<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Wheel<E> {
    /// An empty wheel at time 0.
    pub fn new() -> Self {
        Self {
            present: 0,
            occupied: [0; LEVELS],
            rings: Box::new([Ring { first: NIL, earliest: NONE }; DUE + 1]),
            slab: Slab::new(),
        }
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries it has memory for; a wheel that becomes empty gives back more than a thousand.
    pub fn capacity(&self) -> usize {
        self.slab.capacity()
    }

    /// Adds an entry that becomes due at `deadline`: at once if that has passed, never if it lies within
    /// the last tick of the 584 years that a `u64` holds.
    ///
    /// # Panics
    /// If it holds 2^32 − 1 entries.
    pub fn insert(&mut self, deadline: u64, entry: E) -> TimerKey {
        let key = self.slab.insert(tick_at_or_after(deadline), entry);
        let index = self.slab.find(key).expect("it has just been inserted");
        self.link(index);
        key
    }

    /// Moves an entry to another deadline under the same key; does nothing if it has been removed.
    pub fn relocate(&mut self, key: TimerKey, deadline: u64) {
        if let Some(index) = self.slab.find(key) {
            self.unlink(index);
            self.slab.set_tick(index, tick_at_or_after(deadline));
            self.link(index);
        }
    }

    /// Takes an entry out; `None` if that has been done, by this or by [`advance`](Self::advance).
    pub fn remove(&mut self, key: TimerKey) -> Option<E> {
        let index = self.slab.find(key)?;
        self.unlink(index);
        Some(self.slab.remove(index))
    }

    /// Moves the present to `now` (never back) and shows `expire` the due entries in the order of their
    /// ticks, those of one tick in the order of insertion unless they were moved. An entry for which
    /// `expire` returns a deadline after `now` is moved there under the same key; the others are removed.
    ///
    /// Stops after `limit` entries; the rest is shown by the next call. Returns how many were shown.
    pub fn advance(&mut self, now: u64, limit: usize, mut expire: impl FnMut(&E) -> Option<u64>) -> usize {
        // Not back: another thread may have advanced it with a later reading of the clock.
        let target = (now >> TICK_BITS).min(LAST_TICK - 1).max(self.present);
        let mut shown = 0;
        loop {
            while self.rings[DUE].first != NIL {
                if shown == limit {
                    return shown;
                }
                self.show(self.rings[DUE].first, target, &mut expire);
                shown += 1;
            }
            match self.earliest_ring() {
                Some((ring, start)) if start <= target => self.reach(ring, start),
                _ => break,
            }
        }
        self.present = target;
        shown
    }

    /// When [`advance`](Self::advance) next has something to show: at or before the tick of the earliest
    /// entry; exactly there unless an entry filed close to it was removed. `u64::MAX` if it is empty.
    pub fn next_deadline(&self) -> u64 {
        if self.rings[DUE].first != NIL {
            return self.present << TICK_BITS;
        }
        self.earliest_ring().map_or(NONE, |(ring, _)| self.rings[ring].earliest << TICK_BITS)
    }

    /// Shows and removes every entry, in no particular order.
    pub fn clear(&mut self, mut visit: impl FnMut(&E)) {
        while let Some(ring) = self.any_ring() {
            let index = self.rings[ring].first;
            visit(self.slab.entry(index));
            self.unlink(index);
            self.slab.remove(index);
        }
    }

    /// Decides about one due entry.
    fn show(&mut self, index: u32, target: u64, expire: &mut impl FnMut(&E) -> Option<u64>) {
        let verdict = expire(self.slab.entry(index));
        self.unlink(index);
        match verdict {
            Some(deadline) => {
                // After the target in any case: an entry that stays due would be shown for ever.
                let tick = tick_at_or_after(deadline).max(target + 1);
                self.slab.set_tick(index, tick);
                self.link(index);
            }
            None => {
                self.slab.remove(index);
            }
        }
    }

    /// Moves the present to the start of the earliest ring and files the ring's entries again: on lower
    /// levels, or as due.
    fn reach(&mut self, ring: usize, start: u64) {
        self.present = start;
        // None comes back to this ring: it holds what differs from the present in this digit.
        while self.rings[ring].first != NIL {
            let index = self.rings[ring].first;
            self.unlink(index);
            self.link(index);
        }
    }

    /// The ring whose entries come first, and the tick at which its span starts.
    fn earliest_ring(&self) -> Option<(usize, u64)> {
        let level = self.occupied.iter().position(|&rings| rings != 0)?;
        let digit = self.occupied[level].trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        // The digits above are the present's, this one is the ring's, those below are zero.
        let above = self.present >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
        Some((level * RINGS_PER_LEVEL + digit, above | (digit as u64) << shift))
    }

    fn any_ring(&self) -> Option<usize> {
        if self.rings[DUE].first != NIL { Some(DUE) } else { self.earliest_ring().map(|(ring, _)| ring) }
    }

    /// Puts a node that is in no ring where its tick belongs.
    fn link(&mut self, index: u32) {
        let tick = self.slab.tick(index);
        let number = self.ring_of(tick);
        let ring = &mut self.rings[number];
        if ring.first == NIL {
            ring.earliest = tick;
            if number != DUE {
                self.occupied[number / RINGS_PER_LEVEL] |= 1 << (number % RINGS_PER_LEVEL);
            }
        }
        ring.earliest = ring.earliest.min(tick);
        self.slab.push_back(number as u16, &mut ring.first, index);
    }

    fn unlink(&mut self, index: u32) {
        let number = self.slab.ring(index);
        let ring = &mut self.rings[number];
        self.slab.unlink(&mut ring.first, index);
        if ring.first == NIL && number != DUE {
            self.occupied[number / RINGS_PER_LEVEL] &= !(1 << (number % RINGS_PER_LEVEL));
        }
    }

    fn ring_of(&self, tick: u64) -> usize {
        if tick <= self.present {
            return DUE;
        }
        let level = ((tick ^ self.present).ilog2() / DIGIT_BITS) as usize;
        let digit = (tick >> (DIGIT_BITS * level as u32)) as usize % RINGS_PER_LEVEL;
        level * RINGS_PER_LEVEL + digit
    }
}

/// The first tick that is not before `deadline`.
fn tick_at_or_after(deadline: u64) -> u64 {
    deadline.div_ceil(TICK_NS).min(LAST_TICK)
}
