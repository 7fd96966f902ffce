//! What is in the store of a cell, and what becomes of it: one code for all futures. It reaches them by the vtable, and
//! their panics end here.
//!
//! | stage | in the store | next |
//! |---|---|---|
//! | `Running` | the future | by its poll, or [`cancel`], one of the next three |
//! | `Finished` | the output | `Consumed` |
//! | `Panicked` | the payload of the panic | `Consumed` |
//! | `Cancelled` | nothing | `Consumed` |
//! | `Consumed` | nothing | |
//!
//! Who takes something out, or drops it, says `Consumed` before: so a panic in a drop finds a valid cell. The right to
//! both is the obligation's owner's, then the output's: see the access rule of the state word.

use crate::error::{Failure, Payload};
use crate::header::Header;
use crate::host::Mishap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::{Context, Waker};

/// Which value the store of a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Running,
    Finished,
    Panicked,
    Cancelled,
    Consumed,
}

/// Polls the future. True: it is gone, and what became of it is stored.
///
/// # Safety
/// The caller owns the obligation.
pub(crate) unsafe fn poll(cell: NonNull<Header>, waker: &Waker) -> bool {
    // SAFETY: the obligation keeps the cell alive.
    let poll = unsafe { cell.as_ref() }.vtable.poll;
    let mut context = Context::from_waker(waker);
    // SAFETY: by the contract; a task whose stage is another one is complete and has no obligation.
    match catch_unwind(AssertUnwindSafe(|| unsafe { poll(cell, &mut context) })) {
        Ok(is_gone) => is_gone,
        Err(payload) => {
            // SAFETY: by the contract; the future is still there.
            unsafe { fail(cell, Failure::Panicked(payload)) };
            true
        }
    }
}

/// Drops the future of a task that is aborted, or refused.
///
/// # Safety
/// The caller owns the obligation.
pub(crate) unsafe fn cancel(cell: NonNull<Header>) {
    // SAFETY: by the contract.
    unsafe { fail(cell, Failure::Cancelled) };
}

/// Drops the future, whose poll gave the output at the address. True: the caller puts that in its place. False: the drop
/// panicked, which then is what became of the task, and the output is dropped.
///
/// # Safety
/// The caller owns the obligation, and the output, which is of the type that the cell was made with.
pub(crate) unsafe fn make_room(cell: NonNull<Header>, output: NonNull<()>) -> bool {
    // SAFETY: by the contract.
    match unsafe { drop_future(cell) } {
        Ok(()) => {
            // SAFETY: as above.
            unsafe { replace(cell, Stage::Finished) };
            true
        }
        Err(payload) => {
            // SAFETY: as above, and the store is empty.
            unsafe { lose_output(cell, output, payload) };
            false
        }
    }
}

/// Drops the output at the address, and stores what the drop of the future threw.
///
/// # Safety
/// As [`make_room`], and the store is empty.
#[cold]
unsafe fn lose_output(cell: NonNull<Header>, output: NonNull<()>, payload: Payload) {
    // SAFETY: by the contract: the obligation is a reference.
    let drop_output = unsafe { cell.as_ref() }.vtable.drop_output;
    // SAFETY: as above, and the caller uses the output no more.
    let dropped = unsafe { drop_contained(drop_output, output) };
    // SAFETY: as above.
    unsafe { report(cell, dropped) };
    // SAFETY: as above.
    unsafe { store_payload(cell, payload) };
}

/// Takes what became of a task that has no output. `None`: it has one, which the caller takes out of the
/// [store](Header::store).
///
/// # Safety
/// The caller owns the output, and has not asked for it before.
pub(crate) unsafe fn take_failure(cell: NonNull<Header>) -> Option<Failure> {
    // SAFETY: by the contract.
    match unsafe { replace(cell, Stage::Consumed) } {
        Stage::Finished => None,
        Stage::Cancelled => Some(Failure::Cancelled),
        // SAFETY: as above, and the stage was `Panicked`.
        Stage::Panicked => Some(Failure::Panicked(unsafe { take_payload(cell) })),
        stage @ (Stage::Running | Stage::Consumed) => unreachable!("a task was joined while {stage:?}"),
    }
}

/// Drops what became of the task. A panic in that is reported.
///
/// # Safety
/// The caller owns the output, and has a reference.
pub(crate) unsafe fn drop_output(cell: NonNull<Header>) {
    // SAFETY: by the contract.
    let dropped = match unsafe { replace(cell, Stage::Consumed) } {
        Stage::Finished => {
            // SAFETY: as above.
            let drop_output = unsafe { cell.as_ref() }.vtable.drop_output;
            // SAFETY: as above.
            let output = unsafe { Header::store(cell) };
            // SAFETY: the stage was `Finished`, so it is there, and it is the caller's.
            unsafe { drop_contained(drop_output, output) }
        }
        Stage::Panicked => {
            // SAFETY: as above, and the stage was `Panicked`.
            let payload = unsafe { take_payload(cell) };
            catch_unwind(AssertUnwindSafe(|| drop(payload)))
        }
        Stage::Running | Stage::Cancelled | Stage::Consumed => Ok(()),
    };
    // SAFETY: as above.
    unsafe { report(cell, dropped) };
}

/// Drops the future, and stores why there is no output. If the drop panics, that is why.
///
/// # Safety
/// The caller owns the obligation, and the stage is `Running`.
#[cold]
unsafe fn fail(cell: NonNull<Header>, failure: Failure) {
    // SAFETY: by the contract.
    let failure = match unsafe { drop_future(cell) } {
        Ok(()) => failure,
        Err(payload) => {
            // Nobody will read of the first one; its own drop may panic as well.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(failure)));
            // SAFETY: as above: the obligation is a reference.
            unsafe { report(cell, dropped) };
            Failure::Panicked(payload)
        }
    };
    match failure {
        Failure::Cancelled => {
            // SAFETY: as above.
            unsafe { replace(cell, Stage::Cancelled) };
        }
        // SAFETY: as above; the store is empty.
        Failure::Panicked(payload) => unsafe { store_payload(cell, payload) },
    }
}

/// Drops the future where it is, as pinning demands. The store is empty then, also when the drop panicked.
///
/// # Safety
/// The caller owns the obligation, and the stage is `Running`.
unsafe fn drop_future(cell: NonNull<Header>) -> Result<(), Payload> {
    // SAFETY: by the contract.
    let seen = unsafe { replace(cell, Stage::Consumed) };
    debug_assert_eq!(seen, Stage::Running);
    // SAFETY: as above: the obligation keeps the cell alive.
    let drop_future = unsafe { cell.as_ref() }.vtable.drop_future;
    // SAFETY: as above.
    let future = unsafe { Header::store(cell) };
    // SAFETY: the stage was `Running`, so it is there; it is the caller's, and nobody looks for it there any more.
    unsafe { drop_contained(drop_future, future) }
}

/// Calls the function that drops a value, if it needs one.
///
/// # Safety
/// There is a value for that function at the address, which the caller owns and never uses again.
unsafe fn drop_contained(drop: Option<unsafe fn(NonNull<()>)>, at: NonNull<()>) -> Result<(), Payload> {
    // SAFETY: by the contract.
    drop.map_or(Ok(()), |drop| catch_unwind(AssertUnwindSafe(|| unsafe { drop(at) })))
}

/// Reports a panic in the drop of an output that nobody reads.
///
/// # Safety
/// The caller has a reference.
unsafe fn report(cell: NonNull<Header>, dropped: Result<(), Payload>) {
    if let Err(payload) = dropped {
        // SAFETY: by the contract.
        let report = unsafe { cell.as_ref() }.vtable.report;
        // SAFETY: as above.
        unsafe { report(cell, Mishap::OutputDrop, payload) };
    }
}

/// # Safety
/// The caller has the right to the store, which is empty.
unsafe fn store_payload(cell: NonNull<Header>, payload: Payload) {
    // SAFETY: by the contract: alive.
    let store: NonNull<Box<Payload>> = unsafe { Header::store(cell) }.cast();
    // SAFETY: as above. The store of every cell has room for a box and is aligned for it: it is one field of its union.
    unsafe { store.write(Box::new(payload)) };
    // SAFETY: as above.
    unsafe { replace(cell, Stage::Panicked) };
}

/// # Safety
/// The caller has the right to the store, and has just replaced the stage `Panicked`.
unsafe fn take_payload(cell: NonNull<Header>) -> Payload {
    // SAFETY: by the contract: alive.
    let store: NonNull<Box<Payload>> = unsafe { Header::store(cell) }.cast();
    // SAFETY: as above: there is one, which nobody else takes.
    *unsafe { store.read() }
}

/// Says what is in the store from now on, and gives what was.
///
/// # Safety
/// The caller has the right to the store.
unsafe fn replace(cell: NonNull<Header>, with: Stage) -> Stage {
    // SAFETY: alive, by the contract.
    let header = unsafe { cell.as_ref() };
    // SAFETY: the right to the store is the right to its stage.
    header.stage.with_mut(|stage| unsafe { stage.replace(with) })
}
