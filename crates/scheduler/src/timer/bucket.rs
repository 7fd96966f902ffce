//! The entries of a wheel that are filed together: a queue from which any entry can be taken.
//!
//! The entries lie one after the other in memory, whatever the order in which their timers were made. So
//! to go through them costs no chain of cache misses, as a linked list would.

use std::collections::VecDeque;

/// An emptied bucket keeps memory for so many entries.
const RETAINED_MAX: usize = 32;

/// An entry, when it is due, and its place in the slab.
#[derive(Debug)]
pub(super) struct Filed<E> {
    pub(super) tick: u64,
    pub(super) place: u32,
    pub(super) entry: E,
}

#[derive(Debug)]
pub(super) struct Bucket<E> {
    filed: VecDeque<Filed<E>>,
    /// The position of the first one: positions are counted on, so that they stay when it is taken.
    front: u32,
    /// At or before the tick of each of its entries, while there are any; exact until one is removed.
    earliest: u64,
}

impl<E> Bucket<E> {
    pub(super) fn new() -> Self {
        Self { filed: VecDeque::new(), front: 0, earliest: u64::MAX }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filed.is_empty()
    }

    pub(super) fn earliest(&self) -> u64 {
        self.earliest
    }

    /// The position that [`push`](Self::push) will give.
    pub(super) fn next_position(&self) -> u32 {
        self.front.wrapping_add(self.filed.len() as u32)
    }

    pub(super) fn push(&mut self, filed: Filed<E>) {
        self.earliest = if self.is_empty() { filed.tick } else { self.earliest.min(filed.tick) };
        self.filed.push_back(filed);
    }

    /// The entry at `position`.
    pub(super) fn at_mut(&mut self, position: u32) -> &mut Filed<E> {
        let index = self.index(position);
        &mut self.filed[index]
    }

    /// Another tick for the entry at `position`, which stays where it is.
    pub(super) fn set_tick(&mut self, position: u32, tick: u64) {
        self.at_mut(position).tick = tick;
        self.earliest = self.earliest.min(tick);
    }

    /// Takes the first entry out.
    pub(super) fn pop(&mut self) -> Option<Filed<E>> {
        let filed = self.filed.pop_front()?;
        self.front = self.front.wrapping_add(1);
        self.give_back();
        Some(filed)
    }

    /// Takes the entry at `position` out; the last one takes its position.
    pub(super) fn take(&mut self, position: u32) -> Filed<E> {
        let index = self.index(position);
        let filed = self.filed.swap_remove_back(index).expect("a position is of an entry");
        self.give_back();
        filed
    }

    /// The place of the entry at `position`, if there is one.
    pub(super) fn place_at(&self, position: u32) -> Option<u32> {
        Some(self.filed.get(self.index(position))?.place)
    }

    fn index(&self, position: u32) -> usize {
        position.wrapping_sub(self.front) as usize
    }

    /// Takes all entries out, in their order.
    pub(super) fn take_all(&mut self) -> VecDeque<Filed<E>> {
        std::mem::take(&mut self.filed)
    }

    /// Takes the emptied memory of [`take_all`](Self::take_all) back, unless it is much.
    pub(super) fn reuse(&mut self, emptied: VecDeque<Filed<E>>) {
        if emptied.capacity() <= RETAINED_MAX {
            self.filed = emptied;
        }
    }

    /// Memory for more than four times of what it holds is not kept, so that timers that are cancelled take none.
    fn give_back(&mut self) {
        let capacity = self.filed.capacity();
        if capacity > RETAINED_MAX && self.filed.len() < capacity / 4 {
            self.filed.shrink_to(capacity / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Filed, RETAINED_MAX};

    #[test]
    fn it_gives_its_memory_back_while_one_entry_stays() {
        let mut bucket = Bucket::new();
        for place in 0..100_000 {
            bucket.push(Filed { tick: 1, place, entry: () });
        }
        for _ in 1..100_000 {
            bucket.take(1.min(bucket.next_position() - 1));
        }
        assert!(bucket.place_at(0) == Some(0) && bucket.next_position() == 1);
        assert!(bucket.filed.capacity() <= 2 * RETAINED_MAX, "memory for {}", bucket.filed.capacity());
    }
}
