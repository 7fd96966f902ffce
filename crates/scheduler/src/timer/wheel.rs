//! A hierarchical timing wheel: deadlines in, due entries out. Pure data: no clock, no thread.
//!
//! The scheme is George Varghese's and Tony Lauck's ("Hashed and Hierarchical Timing Wheels", SOSP 1987).
//! Time is counted in ticks of 2^16 ns (65.5 µs). A level is an array of 64 buckets; a bucket of level 0
//! stands for one tick, one of level 1 for 64 ticks, and so on: eight levels of six bits hold every `u64`
//! of nanoseconds, 584 years. An entry is filed at the level of the highest six-bit digit in which its tick
//! differs from the present one, in the bucket of that digit. So it is always ahead of the present on its
//! level, everything on a lower level comes before everything on a higher one, and the earliest bucket is
//! two bit scans away. When the present reaches a bucket, the bucket's entries are filed again, on lower
//! levels: at most seven times in an entry's life. Insertion and removal cost a constant.
//!
//! A deadline is rounded up to a tick and the present is rounded down, so nothing is shown early; what is
//! due is shown less than one tick late, if the wheel is advanced in time.
//!
//! Checked by `crates/scheduler/tests/timer_wheel.rs` against a `BTreeMap`.

use super::bucket::{Bucket, Filed};
use super::slab::{Slab, TimerKey};

/// Length of a tick, as a power of two of nanoseconds.
const TICK_BITS: u32 = 16;
/// Nanoseconds in a tick, by which an entry may be late.
pub const TICK_NS: u64 = 1 << TICK_BITS;

const DIGIT_BITS: u32 = 6;
const BUCKETS_PER_LEVEL: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 8;

/// The last tick that the levels can tell apart. An entry filed there never becomes due.
const LAST_TICK: u64 = (1 << (DIGIT_BITS as usize * LEVELS)) - 1;

/// Number of the bucket of what is due already; the buckets of the levels come before it.
const DUE: usize = LEVELS * BUCKETS_PER_LEVEL;

/// "No deadline", as [`Wheel::next_deadline`] says it.
const NONE: u64 = u64::MAX;

/// Entries of type `E`, each with a deadline in nanoseconds since the wheel's beginning.
#[derive(Debug)]
pub struct Wheel<E> {
    /// The present, in ticks: entries at or before it are due.
    present: u64,
    /// Per level, a bit for each bucket that is not empty.
    occupied: [u64; LEVELS],
    /// `DUE + 1` of them, made for the first entry: most slots of most runtimes never have one.
    buckets: Box<[Bucket<E>]>,
    slab: Slab,
}

impl<E> Default for Wheel<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Wheel<E> {
    /// An empty wheel at time 0.
    pub fn new() -> Self {
        Self { present: 0, occupied: [0; LEVELS], buckets: Box::default(), slab: Slab::new() }
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries it has places for; a wheel that becomes empty gives back more than a thousand.
    pub fn capacity(&self) -> usize {
        self.slab.capacity()
    }

    /// Adds an entry that becomes due at `deadline`: at once if that has passed, never if it lies within
    /// the last tick of the 584 years that a `u64` holds.
    ///
    /// # Panics
    /// If it holds 2^32 − 1 entries.
    pub fn insert(&mut self, deadline: u64, entry: E) -> TimerKey {
        if self.buckets.is_empty() {
            self.buckets = (0..=DUE).map(|_| Bucket::new()).collect();
        }
        let tick = tick_at_or_after(deadline);
        let number = self.bucket_of(tick);
        let key = self.slab.insert(number as u16, self.buckets[number].next_position());
        self.push(number, Filed { tick, place: key.place, entry });
        key
    }

    /// An entry; `None` if it has been taken out.
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut E> {
        let (number, position) = self.slab.find(key)?;
        Some(&mut self.buckets[number].at_mut(position).entry)
    }

    /// Moves an entry to another deadline under the same key; `false` if it has been taken out.
    pub fn relocate(&mut self, key: TimerKey, deadline: u64) -> bool {
        let Some((number, position)) = self.slab.find(key) else { return false };
        let tick = tick_at_or_after(deadline);
        if self.bucket_of(tick) == number {
            self.buckets[number].set_tick(position, tick);
        } else {
            let filed = self.take(number, position);
            self.file(Filed { tick, ..filed });
        }
        true
    }

    /// Takes an entry out; `None` if that has been done, by this or by [`advance`](Self::advance).
    pub fn remove(&mut self, key: TimerKey) -> Option<E> {
        let (number, position) = self.slab.find(key)?;
        let filed = self.take(number, position);
        self.slab.remove(filed.place);
        Some(filed.entry)
    }

    /// Moves the present to `now` (never back), takes the due entries out and hands them to `fire` in the order of
    /// their ticks, those of one tick in the order of insertion unless one was moved or removed.
    ///
    /// Stops after `limit` entries; the rest is for the next call. Returns how many it took.
    pub fn advance(&mut self, now: u64, limit: usize, mut fire: impl FnMut(E)) -> usize {
        // Not back: another thread may have advanced it with a later reading of the clock.
        let target = (now >> TICK_BITS).min(LAST_TICK - 1).max(self.present);
        let mut taken = 0;
        while !self.is_empty() {
            while !self.buckets[DUE].is_empty() {
                if taken == limit {
                    return taken;
                }
                let Some(filed) = self.buckets[DUE].pop() else { break };
                self.slab.remove(filed.place);
                fire(filed.entry);
                taken += 1;
            }
            match self.earliest_bucket() {
                Some((number, start)) if start <= target => self.reach(number, start),
                _ => break,
            }
        }
        self.present = target;
        taken
    }

    /// When [`advance`](Self::advance) next has something to take: at or before the tick of the earliest
    /// entry; exactly there unless an entry filed close to it was removed or moved. `u64::MAX` if it is empty.
    pub fn next_deadline(&self) -> u64 {
        if self.buckets.get(DUE).is_some_and(|due| !due.is_empty()) {
            return self.buckets[DUE].earliest() << TICK_BITS;
        }
        self.earliest_bucket().map_or(NONE, |(number, _)| self.buckets[number].earliest() << TICK_BITS)
    }

    /// Takes every entry out, in no particular order.
    pub fn clear(&mut self, mut visit: impl FnMut(E)) {
        self.occupied = [0; LEVELS];
        for bucket in &mut self.buckets {
            for filed in bucket.take_all() {
                self.slab.remove(filed.place);
                visit(filed.entry);
            }
        }
    }

    /// Moves the present to the start of the earliest bucket and files the bucket's entries again: on lower
    /// levels, or as due.
    fn reach(&mut self, number: usize, start: u64) {
        self.present = start;
        self.note_empty(number);
        // None comes back to this bucket: it holds what differs from the present in this digit.
        let mut entries = self.buckets[number].take_all();
        entries.drain(..).for_each(|filed| self.file(filed));
        self.buckets[number].reuse(entries);
    }

    /// The bucket whose entries come first, and the tick at which its span starts.
    fn earliest_bucket(&self) -> Option<(usize, u64)> {
        let level = self.occupied.iter().position(|&buckets| buckets != 0)?;
        let digit = self.occupied[level].trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        // The digits above are the present's, this one is the bucket's, those below are zero.
        let above = self.present >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
        Some((level * BUCKETS_PER_LEVEL + digit, above | (digit as u64) << shift))
    }

    /// Puts an entry that is in no bucket where its tick belongs.
    fn file(&mut self, filed: Filed<E>) {
        let number = self.bucket_of(filed.tick);
        self.slab.moved(filed.place, number as u16, self.buckets[number].next_position());
        self.push(number, filed);
    }

    fn push(&mut self, number: usize, filed: Filed<E>) {
        if number != DUE {
            self.occupied[number / BUCKETS_PER_LEVEL] |= 1 << (number % BUCKETS_PER_LEVEL);
        }
        self.buckets[number].push(filed);
    }

    fn take(&mut self, number: usize, position: u32) -> Filed<E> {
        let bucket = &mut self.buckets[number];
        let filed = bucket.take(position);
        if let Some(moved) = bucket.place_at(position) {
            self.slab.moved(moved, number as u16, position);
        } else if bucket.is_empty() {
            self.note_empty(number);
        }
        filed
    }

    fn note_empty(&mut self, number: usize) {
        if number != DUE {
            self.occupied[number / BUCKETS_PER_LEVEL] &= !(1 << (number % BUCKETS_PER_LEVEL));
        }
    }

    fn bucket_of(&self, tick: u64) -> usize {
        if tick <= self.present {
            return DUE;
        }
        let level = ((tick ^ self.present).ilog2() / DIGIT_BITS) as usize;
        let digit = (tick >> (DIGIT_BITS * level as u32)) as usize % BUCKETS_PER_LEVEL;
        level * BUCKETS_PER_LEVEL + digit
    }
}

/// When an entry with this deadline is due: the end of its tick.
pub(super) fn due_at(deadline: u64) -> u64 {
    tick_at_or_after(deadline) << TICK_BITS
}

/// The first tick that is not before `deadline`.
fn tick_at_or_after(deadline: u64) -> u64 {
    deadline.div_ceil(TICK_NS).min(LAST_TICK)
}
