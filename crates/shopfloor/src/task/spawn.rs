//! Spawning on the runtime that this thread is inside of.

use shopfloor_scheduler::{Handle, JoinHandle};

/// Spawns a task. It runs whether or not the handle is awaited; dropping the handle detaches it.
///
/// ```
/// # #[shopfloor::main]
/// # async fn main() {
/// let task = shopfloor::spawn(async { 6 * 7 });
/// assert_eq!(task.await.expect("nobody aborts it"), 42);
/// # }
/// ```
///
/// # Panics
/// Outside a runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    shopfloor_scheduler::spawn(future)
}

/// Runs a closure that may block on a thread of the blocking pool.
///
/// If the pool's queue is full, or there is no thread and none can be started, the handle reports
/// cancellation and a `tracing` event says why.
///
/// # Panics
/// Outside a runtime.
#[track_caller]
pub fn spawn_blocking<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Handle::current().spawn_blocking(closure)
}
