//! The one place that knows whether loom or shuttle is watching.
//!
//! Protocol code imports atomics, fences, cells, locks and queues from here. In an ordinary build they
//! are std's, parking_lot's and crossbeam's, inlined; under `cfg(loom)` they are loom's, and the queues of
//! crossbeam, which loom cannot see into, are replaced by a stub whose orderings promise no more than
//! crossbeam documents; under `cfg(shuttle)` they are shuttle's, for schedules of a whole runtime, and time is
//! modelled.
//!
//! Two rules come with it. `SeqCst` is written on fences only: loom treats a `SeqCst` access as `AcqRel`,
//! so an argument that rests on one cannot be checked. And a fence orders atomics against atomics; data is
//! published by a release store and an acquire load of one atomic.

#[cfg(not(any(loom, shuttle)))]
#[path = "native.rs"]
mod backend;

#[cfg(loom)]
#[path = "loom.rs"]
mod backend;

#[cfg(loom)]
mod loom_atomic;

#[cfg(loom)]
#[path = "loom_probe.rs"]
pub mod probe;

#[cfg(loom)]
#[path = "loom_queue.rs"]
mod queue_stub;

#[cfg(shuttle)]
#[path = "shuttle.rs"]
mod backend;

#[cfg(shuttle)]
mod modelled_time;

#[cfg(shuttle)]
#[path = "shuttle_queue.rs"]
mod queue_stub;

#[allow(clippy::disallowed_types, reason = "this is the facade through which the rest gets them")]
pub use backend::{
    Arc, AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Condvar, Injector, LocalQueue,
    Mutex, MutexGuard, Ordering, Stealer, UnsafeCell, fence, spin_loop,
};
#[cfg(shuttle)]
pub use backend::{Instant, ModelledTime, scheduling_point, thread, thread_local};
pub use crossbeam_deque::Steal;
pub use crossbeam_utils::CachePadded;
