//! The build that loom explores.

use std::time::Duration;

pub use super::loom_atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
pub use super::queue_stub::{Injector, LocalQueue, Stealer};
pub use loom::hint::spin_loop;
pub use loom::sync::atomic::{Ordering, fence};
pub use loom::sync::{Arc, MutexGuard};

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
        self.0.lock().expect("a model panicked while it held this lock")
    }

    /// Unwraps the value.
    ///
    /// # Panics
    /// If a model panicked while it held the lock.
    pub fn into_inner(self) -> T {
        self.0.into_inner().expect("a model panicked while it held this lock")
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
        self.0.wait(guard).expect("a model panicked while it held this lock")
    }

    /// As [`wait`](Self::wait): loom has no clock, so a model scripts a time-out by not calling this.
    ///
    /// # Panics
    /// If a model panicked while it held the lock.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let (guard, result) =
            self.0.wait_timeout(guard, timeout).expect("a model panicked while it held this lock");
        (guard, result.timed_out())
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
