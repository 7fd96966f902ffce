//! The LIFO slot: the task that its worker runs next, and that others may steal last.
//!
//! # States
//! | slot | meaning | who may leave it |
//! |---|---|---|
//! | null | empty | the owner puts |
//! | a task | one obligation | the owner displaces or takes it, a thief takes it |
//!
//! Only the owner fills the slot, so it knows that an empty slot stays empty: empty to full is a plain
//! store. Every way out is an exchange, by whoever, and whoever gets the pointer owns the task.
//!
//! # Orderings
//! | edge | release side | acquire side | publishes |
//! |---|---|---|---|
//! | L1 | `put` | `take`, and `put` that displaces | what the owner did to the task before |
//!
//! # The hard race
//! A thief looks, finds task A, is delayed; the owner runs A, its cell is freed and used again for task B at
//! the same address, and B is put into the slot. A compare-exchange from A's address to null would succeed
//! and steal B; nothing would be lost, but the thief must not have read A before. Hence the rule: never
//! look through the pointer before it is owned, and take by exchange only.
//!
//! # Checked by
//! The models `lifo_slot::*`.

use crate::sync::{AtomicPtr, Ordering};
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

/// Something that is owned by whoever has its address.
///
/// # Safety
/// `into_raw` gives up ownership and `from_raw` of the same pointer restores it, on any thread.
pub unsafe trait RawToken: Send + Sized {
    /// The address that stands for the token.
    fn into_raw(self) -> NonNull<()>;

    /// The token again.
    ///
    /// # Safety
    /// `raw` came from `into_raw` of this type and has not been turned back since.
    unsafe fn from_raw(raw: NonNull<()>) -> Self;
}

/// A slot for one token.
#[derive(Debug)]
pub struct LifoSlot<T: RawToken> {
    token: AtomicPtr<()>,
    /// Not `T` itself: the slot shares no `&T`, and tokens are `Send`.
    _owned: PhantomData<fn() -> T>,
}

impl<T: RawToken> Default for LifoSlot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: RawToken> LifoSlot<T> {
    /// An empty slot.
    pub fn new() -> Self {
        Self { token: AtomicPtr::new(null_mut()), _owned: PhantomData }
    }

    /// Owner. Fills the slot and returns the token that was displaced.
    pub fn put(&self, token: T) -> Option<T> {
        let raw = token.into_raw().as_ptr();
        // ordering: Relaxed: only the owner, who we are, makes it non-null.
        if self.token.load(Ordering::Relaxed).is_null() {
            // ordering: Release: L1.
            self.token.store(raw, Ordering::Release);
            return None;
        }
        // ordering: Release: L1. Acquire is not needed: what comes out was put by this same thread.
        Self::own(self.token.swap(raw, Ordering::Release))
    }

    /// Owner or thief. Empties the slot.
    pub fn take(&self) -> Option<T> {
        // ordering: Relaxed: a hint that saves the exchange; whoever needs certainty fences before.
        if self.token.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // ordering: Acquire: L1.
        Self::own(self.token.swap(null_mut(), Ordering::Acquire))
    }

    /// Any thread. Whether it was empty when looked at.
    pub fn is_empty(&self) -> bool {
        // ordering: Relaxed: out of date when returned.
        self.token.load(Ordering::Relaxed).is_null()
    }

    fn own(raw: *mut ()) -> Option<T> {
        // SAFETY: a non-null pointer in the slot came from `into_raw` in `put`, and the exchange that
        // produced `raw` removed it, so it is turned back once.
        NonNull::new(raw).map(|raw| unsafe { T::from_raw(raw) })
    }
}

impl<T: RawToken> Drop for LifoSlot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
