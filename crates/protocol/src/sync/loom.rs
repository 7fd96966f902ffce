//! The build that loom explores.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub use super::loom_atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use super::probe;
pub use super::queue_stub::{Injector, LocalQueue, Stealer};
pub use loom::hint::spin_loop;
pub use loom::sync::Arc;
pub use loom::sync::atomic::Ordering;

/// loom's fence, shown to the [`probe`].
#[track_caller]
pub fn fence(order: Ordering) {
    if let Some(order) = probe::fence_ordering(order) {
        loom::sync::atomic::fence(order);
    }
}

/// loom's mutex with the interface of the ordinary build.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    /// Blocks until the lock is held.
    ///
    /// # Panics
    /// If a model panicked while it held the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { guard: self.0.lock().expect(POISONED), mutex: self }
    }

    /// Unwraps the value.
    ///
    /// # Panics
    /// If a model panicked while it held the lock.
    pub fn into_inner(self) -> T {
        self.0.into_inner().expect(POISONED)
    }
}

const POISONED: &str = "a model panicked while it held this lock";

/// A held lock. It knows its mutex, so that a wait can come back without a notification.
#[derive(Debug)]
#[must_use]
pub struct MutexGuard<'a, T> {
    guard: loom::sync::MutexGuard<'a, T>,
    mutex: &'a Mutex<T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// loom's condition variable with the interface of the ordinary build.
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    /// A condition variable that nobody waits on.
    pub fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    /// Releases the lock, waits for a notification and takes the lock again.
    ///
    /// # Panics
    /// If a model panicked while it held the lock.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let MutexGuard { guard, mutex } = guard;
        if probe::is_spurious(probe::SpuriousCall::Wait) {
            drop(guard);
            return mutex.lock();
        }
        MutexGuard { guard: self.0.wait(guard).expect(POISONED), mutex }
    }

    /// As [`wait`](Self::wait) for a time: loom has no clock, so a wait of no time times out, after others had
    /// the lock, and any other waits for a notification.
    ///
    /// # Panics
    /// If a model panicked while it held the lock.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        if timeout.is_zero() {
            let MutexGuard { guard, mutex } = guard;
            drop(guard);
            return (mutex.lock(), true);
        }
        (self.wait(guard), false)
    }

    /// Wakes one waiter, if there is one.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A cell whose accesses loom checks for races.
#[derive(Debug)]
pub struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    /// Calls `f` with a pointer for reading; loom fails the model if a write may run at the same time.
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }

    /// Calls `f` with a pointer for writing; loom fails the model if any access may run at the same time.
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }
}
