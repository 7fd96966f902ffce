//! Blocking code in the middle of a task.

use crate::config::Flavor;
use crate::contain::contain;
use crate::context;
use crate::coop;
use crate::crew;

/// Runs `f`, which may block, on this thread, after giving this worker's slot, with its queue and its turn at
/// the driver, to another thread. Other futures of the *same task* wait until `f` returns.
///
/// Until the poll ends this thread is none of the runtime's workers: what it wakes and spawns goes to the
/// injector. Then it takes a free slot or ends. If no thread can be started, `f` runs all the same and an
/// event says so; the foreman then sees to the rest. Outside a runtime, in `block_on` of a multi-thread
/// runtime, in a hook, and on a thread of the blocking pool, it just runs `f`. Costs the start of a thread.
///
/// # Panics
/// On a current-thread runtime, which has no other thread to go on.
#[track_caller]
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    let worker = context::worker();
    if let Some(worker) = &worker {
        assert!(
            worker.floor.config.flavor == Flavor::MultiThread,
            "`block_in_place` needs a multi-thread runtime; on a current-thread runtime use `spawn_blocking`"
        );
        let seat = if worker.is_polling() { worker.stand_up() } else { None };
        let taken_over = seat.map(|seat| crew::start(&worker.floor, seat));
        if let Some(Err(error)) = taken_over {
            contain("a tracing subscriber", || {
                tracing::error!(%error, "no thread to take over from `block_in_place`");
            });
        }
    }
    context::with_blocking(false, || coop::with_unconstrained(f))
}
