//! The memory of cells. A block that is freed stays with the thread that frees it, for the next cell of its size.
//!
//! A general allocator pays for what it does not know: that blocks of a few sizes come and go by the thousand. A
//! worker that spawns and joins finds the block of the task before, still in its cache. There is nothing shared: a
//! thread that only frees keeps [`KEPT_BYTES`] at most and gives the rest back to the allocator, from which a thread
//! that only spawns takes. The magazines of Bonwick and Adams (2001) without their depot.

use crate::os::thread_local;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// What a thread keeps, in bytes, over all sizes. Nothing under AddressSanitizer, which would not notice the use of a
/// block that is only kept.
const KEPT_BYTES: usize = if cfg!(asan) { 0 } else { 256 << 10 };
/// Blocks come in steps of it, less [`HEAD`]; a stricter alignment, and what is larger than the classes, goes to the
/// allocator.
const STEP: usize = 16;
/// What glibc's malloc adds to a block before it rounds up to a step.
const HEAD: usize = 8;
const CLASSES: usize = 64;

/// What is in a block that is kept.
struct Kept {
    next: Option<NonNull<Kept>>,
}

struct Cache {
    /// By size, in steps.
    heads: [Cell<Option<NonNull<Kept>>>; CLASSES],
    bytes: Cell<usize>,
}

thread_local! {
    static CACHE: Cache =
        const { Cache { heads: [const { Cell::new(None) }; CLASSES], bytes: Cell::new(0) } };
}

/// The memory for one layout: what is asked of the allocator for it, and the class in which it is kept.
#[derive(Debug)]
pub(crate) struct CellBlock {
    layout: Layout,
    class: Option<usize>,
}

impl CellBlock {
    /// For a layout, which is not of size zero.
    pub(crate) const fn new(layout: Layout) -> Self {
        let class = (layout.size() + HEAD).div_ceil(STEP);
        if layout.align() <= STEP && layout.size() > 0 && class < CLASSES {
            Self { layout: layout_of_class(class), class: Some(class) }
        } else {
            Self { layout, class: None }
        }
    }
}

/// The size of the blocks of a class, in bytes.
const fn size(class: usize) -> usize {
    class * STEP - HEAD
}

/// What the allocator is asked for, for a block of a class.
const fn layout_of_class(class: usize) -> Layout {
    match Layout::from_size_align(size(class), STEP) {
        Ok(layout) => layout,
        Err(_) => panic!("a class is a few hundred bytes"),
    }
}

/// Memory for a block; a pointer to all of it.
pub(crate) fn allocate(block: &CellBlock) -> NonNull<u8> {
    let kept = block.class.and_then(|class| CACHE.try_with(|cache| cache.take(class)).ok().flatten());
    kept.map_or_else(|| from_allocator(block.layout), NonNull::cast)
}

/// # Safety
/// `at` came from [`allocate`] of such a block, and is not used any more.
pub(crate) unsafe fn free(at: NonNull<u8>, block: &CellBlock) {
    let keeps = block.class.is_some_and(|class| {
        // SAFETY: a block of this class, which is ours now.
        CACHE.try_with(|cache| unsafe { cache.keep(class, at.cast()) }).unwrap_or(false)
    });
    if !keeps {
        // SAFETY: the block came from the allocator with this layout, directly or by way of a cache of its class.
        unsafe { dealloc(at.as_ptr(), block.layout) };
    }
}

#[cold]
fn from_allocator(layout: Layout) -> NonNull<u8> {
    // SAFETY: a cell has a header, so the size is not zero.
    let at = unsafe { alloc(layout) };
    NonNull::new(at).unwrap_or_else(|| handle_alloc_error(layout))
}

impl Cache {
    fn take(&self, class: usize) -> Option<NonNull<Kept>> {
        let head = &self.heads[class];
        let kept = head.get()?;
        // SAFETY: what is in the list is a block that is kept, with a `Kept` in it, and nobody else's.
        head.set(unsafe { kept.as_ref() }.next);
        self.bytes.set(self.bytes.get() - size(class));
        Some(kept)
    }

    /// False: there is no room for it.
    ///
    /// # Safety
    /// `at` is a block of this class that nobody uses.
    unsafe fn keep(&self, class: usize, at: NonNull<Kept>) -> bool {
        let bytes = self.bytes.get() + size(class);
        if bytes > KEPT_BYTES {
            return false;
        }
        let head = &self.heads[class];
        // SAFETY: a block has room for a `Kept` and is aligned for it (a step is larger), and nobody uses it.
        unsafe { at.write(Kept { next: head.get() }) };
        head.set(Some(at));
        self.bytes.set(bytes);
        true
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        for class in 1..CLASSES {
            while let Some(kept) = self.take(class) {
                // SAFETY: the block came from the allocator with this layout and is in no list any more.
                unsafe { dealloc(kept.as_ptr().cast(), layout_of_class(class)) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of<T>() -> CellBlock {
        CellBlock::new(Layout::new::<T>())
    }

    #[test]
    #[cfg(not(asan))]
    fn a_freed_block_is_the_next_of_its_size_on_that_thread() {
        let (nine, thirty, eight) = (block_of::<[u64; 9]>(), block_of::<[u64; 30]>(), block_of::<[u64; 8]>());
        let first = allocate(&nine);
        // SAFETY: from `allocate` of this block.
        unsafe { free(first, &nine) };
        let other_size = allocate(&thirty);
        let same_class = allocate(&eight);
        assert_eq!(same_class.addr(), first.addr());
        let next = allocate(&eight);
        assert_ne!(next.addr(), first.addr());
        // SAFETY: each from `allocate` of its block.
        unsafe { free(other_size, &thirty) };
        // SAFETY: as above.
        unsafe { free(same_class, &eight) };
        // SAFETY: as above.
        unsafe { free(next, &eight) };
    }

    #[test]
    fn a_thread_keeps_so_many_bytes_and_no_more() {
        let kept = || CACHE.with(|cache| cache.bytes.get());
        let block = block_of::<[u8; 504]>();
        let many: Vec<_> = (0..2 * KEPT_BYTES / 504).map(|_| allocate(&block)).collect();
        for at in many {
            // SAFETY: from `allocate` of this block.
            unsafe { free(at, &block) };
            assert!(kept() <= KEPT_BYTES);
        }
        assert!(kept() + 504 > KEPT_BYTES);
    }

    #[test]
    fn a_stricter_alignment_is_kept_by_nobody_and_holds() {
        #[repr(align(128))]
        struct Aligned([u8; 128]);
        let before = CACHE.with(|cache| cache.bytes.get());
        let block = block_of::<Aligned>();
        let at: NonNull<Aligned> = allocate(&block).cast();
        assert!(at.addr().get().is_multiple_of(128));
        // SAFETY: memory for this type.
        unsafe { at.write(Aligned([7; 128])) };
        // SAFETY: as above.
        assert_eq!(unsafe { at.as_ref() }.0[127], 7);
        // SAFETY: from `allocate` of this block.
        unsafe { free(at.cast(), &block) };
        assert_eq!(CACHE.with(|cache| cache.bytes.get()), before);
    }

    #[test]
    fn every_size_has_a_block_that_holds_it() {
        for size in 1..=2 * CLASSES * STEP {
            let block = CellBlock::new(Layout::from_size_align(size, 8).expect("a valid layout"));
            assert!(block.layout.size() >= size && block.layout.size() < size + STEP);
        }
    }
}
