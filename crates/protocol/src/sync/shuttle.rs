//! The build whose threads shuttle interleaves, one at a time, by a seed.
//!
//! Every access of an atomic and every operation of a lock or a queue is a point at which another thread may
//! go on. All of them are sequentially consistent here: this build finds what goes wrong in the *order* of
//! steps of a whole runtime; what a weaker ordering allows is for loom and the models. Beyond the interface of
//! the ordinary build it gives out what the scheduler takes from the system: threads, thread locals, a clock.

use std::cell::Cell;
use std::time::Duration;

pub use super::modelled_time::{Instant, ModelledTime};
pub use super::queue_stub::{Injector, LocalQueue, Stealer};
pub use shuttle::sync::MutexGuard;
pub use shuttle::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub use shuttle::{thread, thread_local};
pub use std::sync::Arc;

/// A point at which another thread may go on.
pub fn scheduling_point() {
    thread::sleep(Duration::ZERO);
}

/// As [`scheduling_point`], and better another one than this.
pub fn spin_loop() {
    thread::yield_now();
}

/// shuttle's mutex with the interface of the ordinary build.
#[derive(Debug, Default)]
pub struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    /// Blocks until the lock is held.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Unwraps the value.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// shuttle's condition variable with the interface of the ordinary build. Shared with the clock, which ends
/// timed waits.
#[derive(Debug, Default)]
pub struct Condvar(Arc<shuttle::sync::Condvar>);

impl Condvar {
    /// A condition variable that nobody waits on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Releases the lock, waits for a notification and takes the lock again. May return early: a timed wait of
    /// another thread that ends here wakes all.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// As [`wait`](Self::wait), until [`ModelledTime`] has passed the end of `timeout`; the flag says so.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let waiting = ModelledTime::start_waiting(&self.0, timeout);
        let guard = self.wait(guard);
        (guard, waiting.stop())
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

/// A cell that panics at two accesses at once of which one writes: a task that is polled twice, say.
#[derive(Debug, Default)]
pub struct UnsafeCell<T> {
    value: std::cell::UnsafeCell<T>,
    /// Accesses for reading under way, or −1 for one for writing.
    accesses: Cell<i32>,
}

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self { value: std::cell::UnsafeCell::new(value), accesses: Cell::new(0) }
    }

    /// Calls `f` with a pointer for reading.
    ///
    /// # Panics
    /// If a write is under way.
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        let now = self.accesses.get();
        assert!(now >= 0, "a cell is read while another thread writes it");
        let _access = Access::start(&self.accesses, now + 1);
        f(self.value.get())
    }

    /// Calls `f` with a pointer for writing.
    ///
    /// # Panics
    /// If any access is under way.
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        let now = self.accesses.get();
        assert!(now == 0, "a cell is written while another thread accesses it");
        let _access = Access::start(&self.accesses, -1);
        f(self.value.get())
    }
}

/// An access under way, until it is dropped.
struct Access<'a> {
    accesses: &'a Cell<i32>,
    writes: bool,
}

impl<'a> Access<'a> {
    fn start(accesses: &'a Cell<i32>, during: i32) -> Self {
        accesses.set(during);
        Self { accesses, writes: during < 0 }
    }
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        let others = if self.writes { 0 } else { self.accesses.get() - 1 };
        self.accesses.set(others);
    }
}
