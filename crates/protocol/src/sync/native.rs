//! The ordinary build: std atomics, parking_lot locks, crossbeam queues.
#![allow(clippy::disallowed_types, reason = "this is the facade through which the rest gets them")]

use std::time::Duration;

pub use crossbeam_deque::{Injector, Stealer, Worker as LocalQueue};
pub use parking_lot::MutexGuard;
pub use std::hint::spin_loop;
pub use std::sync::Arc;
pub use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

#[cfg(not(tsan))]
pub use std::sync::atomic::fence;

/// A fence that ThreadSanitizer follows. It looks at accesses only and ignores a fence, so here one is an access
/// as well: of a word that all fences share. That orders any two of them, as `SeqCst` fences are ordered; whether
/// a fence is needed and strong enough is for the models to say.
#[cfg(tsan)]
#[inline]
pub fn fence(order: Ordering) {
    static FENCES: AtomicUsize = AtomicUsize::new(0);
    std::sync::atomic::fence(order);
    // ordering: AcqRel: an edge from each fence to the next one.
    FENCES.fetch_add(1, Ordering::AcqRel);
}

/// A mutex without poisoning: a panic while it is held leaves it unlocked.
#[derive(Debug, Default)]
pub struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    /// Wraps `value`.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    /// Blocks until the lock is held.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }

    /// Unwraps the value; no lock is needed, since `self` is owned.
    #[inline]
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

/// A condition variable for [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar(parking_lot::Condvar);

impl Condvar {
    /// A condition variable that nobody waits on.
    #[inline]
    pub const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    /// Releases the lock, waits for a notification and takes the lock again. May return early.
    #[inline]
    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(&mut guard);
        guard
    }

    /// As [`wait`](Self::wait), for at most `timeout`; the flag says whether that time ran out.
    #[inline]
    pub fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let result = self.0.wait_for(&mut guard, timeout);
        (guard, result.timed_out())
    }

    /// Wakes one waiter, if there is one.
    #[inline]
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiters.
    #[inline]
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A cell whose accesses loom can check for races; here it costs nothing.
#[derive(Debug, Default)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Calls `f` with a pointer for reading. The caller answers for the absence of a concurrent writer
    /// when it reads through the pointer.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Calls `f` with a pointer for writing. The caller answers for the absence of any other access when
    /// it uses the pointer.
    #[inline]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
