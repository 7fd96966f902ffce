//! Numbered places for the entries of a wheel, and rings of them.
//!
//! The links of a ring are indices into one `Vec`, so unlinking costs two writes and no `unsafe`. A ring is
//! named by the index of its first node; the first node's `previous` is the last, so that both ends are at
//! hand.

/// "No node": an empty ring, the end of the free list.
pub(super) const NIL: u32 = u32::MAX;

/// An emptied slab of more nodes than this gives its memory back.
const RETAINED_NODES_MAX: usize = 1024;

/// Names one entry from its insertion to its removal.
///
/// The generation tells a late key from the present user of the same place. It would take exactly a
/// multiple of 2^32 insertions, the last of them into the same place, to confuse the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Node<E> {
    /// Ring neighbours; in a free node `next` is the free list.
    previous: u32,
    next: u32,
    generation: u32,
    /// The ring that holds the node.
    ring: u16,
    /// When the entry is due.
    tick: u64,
    /// `None` in a free node.
    entry: Option<E>,
}

/// The nodes of one wheel.
#[derive(Debug)]
pub(super) struct Slab<E> {
    nodes: Vec<Node<E>>,
    free: u32,
    len: usize,
    /// Of the latest insertion.
    generation: u32,
}

impl<E> Slab<E> {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), free: NIL, len: 0, generation: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many nodes there is memory for.
    pub(super) fn capacity(&self) -> usize {
        self.nodes.capacity()
    }

    /// A node in no ring.
    ///
    /// # Panics
    /// At 2^32 − 1 entries.
    pub(super) fn insert(&mut self, tick: u64, entry: E) -> TimerKey {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let node = Node { previous: NIL, next: NIL, generation, ring: 0, tick, entry: Some(entry) };
        let index = if self.free == NIL {
            let index = u32::try_from(self.nodes.len()).expect("a wheel holds fewer than 2^32 timers");
            assert_ne!(index, NIL, "a wheel holds fewer than 2^32 timers");
            self.nodes.push(node);
            index
        } else {
            let index = self.free;
            self.free = self.nodes[index as usize].next;
            self.nodes[index as usize] = node;
            index
        };
        self.len += 1;
        TimerKey { index, generation }
    }

    /// Frees a node that is in no ring.
    pub(super) fn remove(&mut self, index: u32) -> E {
        let node = &mut self.nodes[index as usize];
        let entry = node.entry.take().expect("a node in use holds an entry");
        node.next = self.free;
        self.free = index;
        self.len -= 1;
        if self.len == 0 && self.nodes.len() > RETAINED_NODES_MAX {
            self.nodes = Vec::new();
            self.free = NIL;
        }
        entry
    }

    /// The place that `key` names, if its entry is still there.
    pub(super) fn find(&self, key: TimerKey) -> Option<u32> {
        let node = self.nodes.get(key.index as usize)?;
        (node.entry.is_some() && node.generation == key.generation).then_some(key.index)
    }

    pub(super) fn entry(&self, index: u32) -> &E {
        self.nodes[index as usize].entry.as_ref().expect("a node in use holds an entry")
    }

    pub(super) fn tick(&self, index: u32) -> u64 {
        self.nodes[index as usize].tick
    }

    pub(super) fn set_tick(&mut self, index: u32, tick: u64) {
        self.nodes[index as usize].tick = tick;
    }

    pub(super) fn ring(&self, index: u32) -> usize {
        usize::from(self.nodes[index as usize].ring)
    }

    /// Puts a node that is in no ring at the end of ring number `ring`, whose first node is `first`.
    pub(super) fn push_back(&mut self, ring: u16, first: &mut u32, index: u32) {
        self.nodes[index as usize].ring = ring;
        if *first == NIL {
            self.link(index, index);
            *first = index;
        } else {
            let last = self.nodes[*first as usize].previous;
            self.link(last, index);
            self.link(index, *first);
        }
    }

    /// Takes a node out of its ring, whose first node is `first`.
    pub(super) fn unlink(&mut self, first: &mut u32, index: u32) {
        let Node { previous, next, .. } = self.nodes[index as usize];
        if next == index {
            *first = NIL;
            return;
        }
        self.link(previous, next);
        if *first == index {
            *first = next;
        }
    }

    fn link(&mut self, before: u32, after: u32) {
        self.nodes[before as usize].next = after;
        self.nodes[after as usize].previous = before;
    }
}
