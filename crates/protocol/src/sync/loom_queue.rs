//! What stands in for crossbeam's queues under loom.
//!
//! A bag of [`CAPACITY`] slots, each with a flag: a push writes the slot and then sets the flag (Release),
//! a take claims the flag by a compare-exchange (Acquire) and then reads the slot. So an item happens
//! before its taker, as crossbeam promises, and nothing else is promised: no order among items, and no
//! fence inside `is_empty` or `steal`. A protocol that leans on a fence inside crossbeam fails its model.
//! It is not a mutex around a list, which would hide every missing fence.

use super::{Arc, AtomicU8, AtomicUsize, Ordering, Steal, UnsafeCell};

/// Pushes that one queue takes in one execution of a model; slots are not reused.
const CAPACITY: usize = 4;

const EMPTY: u8 = 0;
const FULL: u8 = 1;
const TAKEN: u8 = 2;

#[derive(Debug)]
struct Bag<T> {
    pushed: AtomicUsize,
    flags: [AtomicU8; CAPACITY],
    items: [UnsafeCell<Option<T>>; CAPACITY],
}

// SAFETY: an item is written by the one thread that got its index from `pushed` and taken by the one
// thread whose compare-exchange moved its flag from FULL to TAKEN, so it moves between threads (`T: Send`)
// and is never shared.
unsafe impl<T: Send> Sync for Bag<T> {}

impl<T> Bag<T> {
    fn new() -> Self {
        Self {
            pushed: AtomicUsize::new(0),
            flags: std::array::from_fn(|_| AtomicU8::new(EMPTY)),
            items: std::array::from_fn(|_| UnsafeCell::new(None)),
        }
    }

    fn push(&self, item: T) {
        // ordering: Relaxed: hands out distinct indices, publishes nothing.
        let index = self.pushed.fetch_add(1, Ordering::Relaxed);
        assert!(index < CAPACITY, "the model pushes more than the stub holds");
        // SAFETY: the index is ours alone, and nobody reads the slot before its flag is FULL.
        self.items[index].with_mut(|slot| unsafe { *slot = Some(item) });
        // ordering: Release: publishes the item to the take that claims this flag.
        self.flags[index].store(FULL, Ordering::Release);
    }

    fn take(&self) -> Steal<T> {
        let mut contended = false;
        for (flag, item) in self.flags.iter().zip(&self.items) {
            // ordering: Relaxed: a hint; the compare-exchange decides.
            if flag.load(Ordering::Relaxed) != FULL {
                continue;
            }
            // ordering: Acquire on success: the item written before FULL was stored.
            match flag.compare_exchange(FULL, TAKEN, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    // SAFETY: only the winner of the exchange touches a TAKEN slot.
                    let item = item.with_mut(|slot| unsafe { (*slot).take() });
                    return Steal::Success(item.expect("a FULL slot holds an item"));
                }
                Err(_) => contended = true,
            }
        }
        if contended { Steal::Retry } else { Steal::Empty }
    }

    fn len(&self) -> usize {
        // ordering: Relaxed: a length is out of date when it is returned.
        self.flags.iter().filter(|flag| flag.load(Ordering::Relaxed) == FULL).count()
    }
}

/// The owner's end of a local queue.
#[derive(Debug)]
pub struct LocalQueue<T>(Arc<Bag<T>>);

impl<T> LocalQueue<T> {
    /// An empty queue.
    pub fn new_fifo() -> Self {
        Self(Arc::new(Bag::new()))
    }

    /// A thief's end.
    pub fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.0))
    }

    /// Adds an item.
    pub fn push(&self, item: T) {
        self.0.push(item);
    }

    /// Takes an item, if there is one that no thief got first.
    pub fn pop(&self) -> Option<T> {
        loop {
            match self.0.take() {
                Steal::Success(item) => return Some(item),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Whether it was empty when looked at.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// How many items it held when looked at.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// A thief's end of a local queue.
#[derive(Debug)]
pub struct Stealer<T>(Arc<Bag<T>>);

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Stealer<T> {
    /// Takes one item.
    pub fn steal(&self) -> Steal<T> {
        self.0.take()
    }

    /// Takes one item; the stub's batch is one.
    pub fn steal_batch_and_pop(&self, _into: &LocalQueue<T>) -> Steal<T> {
        self.0.take()
    }

    /// Whether it was empty when looked at.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// How many items it held when looked at.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// A queue that any thread pushes to and takes from.
#[derive(Debug)]
pub struct Injector<T>(Bag<T>);

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Injector<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self(Bag::new())
    }

    /// Adds an item.
    pub fn push(&self, item: T) {
        self.0.push(item);
    }

    /// Takes one item.
    pub fn steal(&self) -> Steal<T> {
        self.0.take()
    }

    /// Takes one item; the stub's batch is one.
    pub fn steal_batch_with_limit_and_pop(&self, _into: &LocalQueue<T>, _limit: usize) -> Steal<T> {
        self.0.take()
    }

    /// Whether it was empty when looked at.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// How many items it held when looked at.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
