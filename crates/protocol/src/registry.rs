//! All registered sources of a driver: a slab whose slots are named by a [`Token`], index and generation.
//!
//! The kernel hands a token back with each event. A source may be deregistered, and its slot given to another
//! one, while an event with the old token lies in the buffer of the driver holder. The generation tells them
//! apart: removing a source moves it on.
//!
//! # Orderings
//! The lock makes every edge. It is taken once per turn for the whole batch, and once to register and to
//! deregister; no operation on a source takes it.
//!
//! # The one hard race
//! Remove × a late event. If the batch is delivered first, the source is still alive and sees a true event. If
//! the removal is first, the slot is empty or has another generation, and the event is dropped. A removed source
//! is handed out, since its wakers may be the last owner of something whose drop is user code.
//!
//! # Checked by
//! The models `registry::*`.

use crate::sync::{Arc, Mutex};

/// Names one source for as long as it is registered. Never one of the values above
/// [`Token::RESERVED`], which belong to the driver and to the poller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(usize);

/// Half of the word and more for the index: 2^32 sources on a 64-bit machine, 2^20 on a 32-bit one, 16 under loom.
const INDEX_BITS: u32 = if cfg!(loom) {
    5
} else if usize::BITS == 64 {
    32
} else {
    20
};
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
/// The reserved values have an index that no slot has, whatever their generation.
const SLOTS_MAX: usize = INDEX_MASK - 15;
const GENERATION_BITS: u32 = if cfg!(loom) { 1 } else { usize::BITS - INDEX_BITS };
const GENERATION_MASK: usize = (1 << GENERATION_BITS) - 1;

impl Token {
    /// The first of 16 values that no source has.
    pub const RESERVED: usize = usize::MAX - 15;

    /// The word that goes to the kernel.
    #[inline]
    pub const fn to_usize(self) -> usize {
        self.0
    }

    /// The token in a word that came from the kernel.
    #[inline]
    pub const fn from_usize(word: usize) -> Self {
        Self(word)
    }

    const fn new(index: usize, generation: usize) -> Self {
        Self(generation << INDEX_BITS | index)
    }

    const fn index(self) -> usize {
        self.0 & INDEX_MASK
    }

    const fn generation(self) -> usize {
        self.0 >> INDEX_BITS
    }
}

/// Why a source was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertError {
    /// The registry was closed.
    Closed,
    /// Every slot that a token can name is in use.
    Full,
}

/// The registered sources. See the [module](self).
#[derive(Debug)]
pub struct Registry<T> {
    slots: Mutex<Slots<T>>,
}

#[derive(Debug)]
struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: Vec<usize>,
    is_closed: bool,
}

#[derive(Debug)]
struct Entry<T> {
    /// Moves on with each removal, and wraps: an event would have to lie in the buffer of one turn while its
    /// slot is used 2^32 times (2^12 on 32-bit machines) to be taken for another source's.
    generation: usize,
    source: Option<Arc<T>>,
}

impl<T> Registry<T> {
    /// A registry without sources.
    pub fn new() -> Self {
        Self { slots: Mutex::new(Slots { entries: Vec::new(), free: Vec::new(), is_closed: false }) }
    }

    /// Any thread. Gives the source a slot.
    ///
    /// # Errors
    /// The registry is closed or full.
    pub fn insert(&self, source: &Arc<T>) -> Result<Token, InsertError> {
        let mut slots = self.slots.lock();
        if slots.is_closed {
            return Err(InsertError::Closed);
        }
        let index = match slots.free.pop() {
            Some(index) => index,
            None if slots.entries.len() == SLOTS_MAX => return Err(InsertError::Full),
            None => {
                slots.entries.push(Entry { generation: 0, source: None });
                slots.entries.len() - 1
            }
        };
        let entry = &mut slots.entries[index];
        entry.source = Some(Arc::clone(source));
        Ok(Token::new(index, entry.generation))
    }

    /// Any thread. Frees the slot of a source, which is dropped by the caller.
    pub fn remove(&self, token: Token) -> Option<Arc<T>> {
        let mut slots = self.slots.lock();
        let entry = slots.entries.get_mut(token.index())?;
        if entry.generation != token.generation() {
            return None;
        }
        let source = entry.source.take()?;
        entry.generation = (entry.generation + 1) & GENERATION_MASK;
        slots.free.push(token.index());
        Some(source)
    }

    /// Driver holder. Calls `deliver` for each event whose source is still registered, under the lock.
    /// `deliver` runs no user code.
    pub fn deliver<E>(&self, events: impl Iterator<Item = (Token, E)>, mut deliver: impl FnMut(&T, E)) {
        let slots = self.slots.lock();
        for (token, event) in events {
            if let Some(entry) = slots.entries.get(token.index())
                && entry.generation == token.generation()
                && let Some(source) = &entry.source
            {
                deliver(source, event);
            }
        }
    }

    /// Any thread. Takes no more sources, and calls `each` for those it has, under the lock. `each` runs no
    /// user code.
    pub fn close(&self, mut each: impl FnMut(&T)) {
        let mut slots = self.slots.lock();
        slots.is_closed = true;
        for source in slots.entries.iter().filter_map(|entry| entry.source.as_ref()) {
            each(source);
        }
    }
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn delivered(registry: &Registry<u32>, token: Token) -> Vec<u32> {
        let mut seen = Vec::new();
        registry.deliver([(token, ())].into_iter(), |source, ()| seen.push(*source));
        seen
    }

    #[test]
    fn an_event_of_a_removed_source_reaches_nobody() {
        let registry = Registry::new();
        let old = registry.insert(&Arc::new(1)).unwrap();
        assert_eq!(delivered(&registry, old), [1]);
        assert_eq!(registry.remove(old).as_deref(), Some(&1));
        assert_eq!(delivered(&registry, old), []);
        let new = registry.insert(&Arc::new(2)).unwrap();
        assert_eq!(new.index(), old.index(), "the slot is used again");
        assert_eq!(delivered(&registry, old), []);
        assert_eq!(delivered(&registry, new), [2]);
        assert_eq!(registry.remove(old), None);
    }

    #[test]
    fn a_token_that_was_never_given_out_reaches_nobody() {
        let registry = Registry::<u32>::new();
        assert_eq!(delivered(&registry, Token::from_usize(Token::RESERVED)), []);
        assert_eq!(registry.remove(Token::from_usize(7)), None);
    }

    #[test]
    fn no_token_is_one_of_the_reserved_values() {
        let last = Token::new(SLOTS_MAX - 1, GENERATION_MASK);
        assert!(last.to_usize() < Token::RESERVED);
        assert!((Token::RESERVED..=usize::MAX).all(|word| Token::from_usize(word).index() >= SLOTS_MAX));
    }

    #[test]
    fn a_closed_registry_takes_no_source() {
        let registry = Registry::new();
        registry.insert(&Arc::new(1)).unwrap();
        let mut seen = Vec::new();
        registry.close(|source| seen.push(*source));
        assert_eq!(seen, [1]);
        assert_eq!(registry.insert(&Arc::new(2)), Err(InsertError::Closed));
    }
}
