//! The whole cell, and the functions that know its type.

use crate::error::Failure;
use crate::header::{Header, Host, Id, Kind, Mishap, TaskVtable, UNLISTED};
use crate::join::Join;
use crate::list::Links;
use crate::memory;
use crate::notified::Notified;
use crate::unlisted::Unlisted;
use shopfloor_protocol::cells::Word;
use shopfloor_protocol::sync::UnsafeCell;
use shopfloor_protocol::task_state::TaskState;
use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// Header first, so that the address of the cell is the address of its header.
#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// The future, then what became of it.
enum Stage<F: Future> {
    Running(F),
    Finished(Result<F::Output, Failure>),
    Consumed,
}

/// Allocates a task that is on no list yet.
///
/// # Safety
/// If the future or its output is not `Send`, the host runs, cancels and releases this task on the calling
/// thread only, and the `Join` stays there, too.
pub unsafe fn new_task<F, H>(
    kind: Kind,
    location: &'static Location<'static>,
    future: F,
) -> (Unlisted<H>, Join<F::Output>)
where
    F: Future,
    H: Host,
{
    let vtable = match kind {
        Kind::Async => &VtableOf::<F, H>::ASYNC,
        Kind::Blocking => &VtableOf::<F, H>::BLOCKING,
    };
    let header = Header {
        state: TaskState::new(),
        vtable,
        host: std::ptr::null(),
        links: UnsafeCell::new(Links::default()),
        join_waker: UnsafeCell::new(None),
        location,
        wait: Word::new(0),
        roster: UNLISTED,
    };
    let cell = memory::allocate::<Cell<F>>();
    // SAFETY: fresh memory for this type.
    unsafe { cell.write(Cell { header, stage: UnsafeCell::new(Stage::Running(future)) }) };
    let header = cell.cast();
    // SAFETY: the cell is new and made for `H`; the obligation of `TaskState::new` goes to the value.
    let task = unsafe { Unlisted::new(header) };
    // SAFETY: `TaskState::new` has the join interest that this handle stands for, and the output type is F's.
    (task, unsafe { Join::new(header) })
}

struct VtableOf<F, H>(std::marker::PhantomData<(F, H)>);

impl<F: Future, H: Host> VtableOf<F, H> {
    const ASYNC: TaskVtable = Self::of(Kind::Async);
    const BLOCKING: TaskVtable = Self::of(Kind::Blocking);

    const fn of(kind: Kind) -> TaskVtable {
        TaskVtable {
            poll: poll::<F>,
            cancel: cancel::<F>,
            drop_output: drop_output::<F>,
            take_output: take_output::<F>,
            release: release::<F, H>,
            schedule: schedule::<H>,
            is_polling: is_polling::<H>,
            note_orphan: note_orphan::<H>,
            report: report::<H>,
            waker: H::WAKERS,
            kind,
        }
    }
}

/// # Safety
/// `cell` is alive and was made for `F`.
unsafe fn stage<'a, F: Future>(cell: NonNull<Header>) -> &'a UnsafeCell<Stage<F>> {
    let cell: NonNull<Cell<F>> = cell.cast();
    // SAFETY: the header is the first field of a `repr(C)` cell of this type, so the address is the cell's;
    // a place expression makes no reference to the whole.
    let stage = unsafe { &raw const (*cell.as_ptr()).stage };
    // SAFETY: alive, by the contract.
    unsafe { &*stage }
}

/// Replaces the stage and drops the old one, in this order, so that a panic in the drop finds a valid cell.
///
/// # Safety
/// As [`stage`], and the caller has the right to what is in it.
unsafe fn replace<F: Future>(cell: NonNull<Header>, with: Stage<F>) {
    // SAFETY: by the contract.
    let stage = unsafe { stage::<F>(cell) };
    let old = stage.with_mut(|stage| {
        // SAFETY: the caller has the right to the stage; nothing of the user's runs in here.
        std::mem::replace(unsafe { &mut *stage }, with)
    });
    drop(old);
}

/// Stores what became of the future, whose drop may panic: that panic then is what became of it.
///
/// # Safety
/// As [`replace`]: the caller owns the obligation.
unsafe fn finish<F: Future>(cell: NonNull<Header>, output: Result<F::Output, Failure>) {
    // SAFETY: by the contract. The stage holds the pinned future, which is dropped in place first.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { drop_future::<F>(cell) }));
    let output = match dropped {
        Ok(()) => output,
        Err(payload) => {
            // Nobody will read the output; its own drop may panic as well, with a payload whose drop does.
            if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(output))) {
                // SAFETY: by the contract: the obligation is a reference.
                let report = unsafe { cell.as_ref() }.vtable.report;
                // SAFETY: as above.
                unsafe { report(cell, Mishap::OutputDrop, second) };
            }
            Err(Failure::Panicked(payload))
        }
    };
    // SAFETY: as above; the stage is `Consumed` now, so nothing of the user's is dropped.
    unsafe { replace::<F>(cell, Stage::Finished(output)) };
}

/// Drops the future where it is, as pinning demands.
///
/// # Safety
/// As [`replace`].
unsafe fn drop_future<F: Future>(cell: NonNull<Header>) {
    struct Consume<F: Future>(*mut Stage<F>);
    impl<F: Future> Drop for Consume<F> {
        fn drop(&mut self) {
            // SAFETY: the stage was dropped in place, so it is overwritten without another drop; nobody else
            // has the right to it.
            unsafe { self.0.write(Stage::Consumed) };
        }
    }
    // SAFETY: by the contract.
    let stage = unsafe { stage::<F>(cell) };
    stage.with_mut(|stage| {
        // Also when the drop panics.
        let _consume = Consume(stage);
        // SAFETY: valid, ours by the contract, and not used again before `Consume` overwrites it.
        unsafe { std::ptr::drop_in_place(stage) };
    });
}

unsafe fn poll<F: Future>(cell: NonNull<Header>, waker: &Waker) -> bool {
    let polled = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller owns the obligation: the cell is alive and the stage is ours.
        let stage = unsafe { stage::<F>(cell) };
        stage.with_mut(|stage| {
            // SAFETY: as above.
            let Stage::Running(future) = (unsafe { &mut *stage }) else {
                unreachable!("a task is polled after its future is gone");
            };
            // SAFETY: the future does not move until `drop_future` drops it in place.
            unsafe { Pin::new_unchecked(future) }.poll(&mut Context::from_waker(waker))
        })
    }));
    let output = match polled {
        Ok(Poll::Pending) => return false,
        Ok(Poll::Ready(output)) => Ok(output),
        Err(payload) => Err(Failure::Panicked(payload)),
    };
    // SAFETY: as above.
    unsafe { finish::<F>(cell, output) };
    true
}

unsafe fn cancel<F: Future>(cell: NonNull<Header>) {
    // SAFETY: the caller owns the obligation.
    unsafe { finish::<F>(cell, Err(Failure::Cancelled)) };
}

unsafe fn drop_output<F: Future>(cell: NonNull<Header>) {
    // SAFETY: the caller owns the output.
    unsafe { replace::<F>(cell, Stage::Consumed) };
}

unsafe fn take_output<F: Future>(cell: NonNull<Header>, into: NonNull<()>) {
    // SAFETY: the caller owns the output.
    let stage = unsafe { stage::<F>(cell) };
    // SAFETY: as above; nothing of the user's runs in here.
    let stage = stage.with_mut(|stage| std::mem::replace(unsafe { &mut *stage }, Stage::Consumed));
    if let Stage::Finished(output) = stage {
        let into: NonNull<Option<Result<F::Output, Failure>>> = into.cast();
        // SAFETY: the caller passes the address of a `None` of this type.
        unsafe { into.write(Some(output)) };
    }
}

unsafe fn release<F: Future, H: Host>(cell: NonNull<Header>) {
    // SAFETY: the caller found the cell dead, so it stays until we free it.
    let roster = unsafe { cell.as_ref() }.roster;
    let keep = (roster != UNLISTED).then(|| {
        // SAFETY: a listed cell keeps its host.
        let list = unsafe { host::<H>(cell) }.roster(roster);
        // SAFETY: the cell is on the list with its number.
        list.remove(|list| unsafe { list.unlink(cell) })
    });
    let cell: NonNull<Cell<F>> = cell.cast();
    // SAFETY: a cell of this type, unlisted, and nobody has a reference.
    unsafe { cell.drop_in_place() };
    // SAFETY: it came from `new_task`, and is used no more.
    unsafe { memory::free(cell) };
    // Possibly the last owner of the host, and of the list above.
    drop(keep);
}

unsafe fn schedule<H: Host>(cell: NonNull<Header>) {
    // SAFETY: the caller has a reference to a cell that is not done, so listed, so the host is alive.
    let host = unsafe { host::<H>(cell) };
    host.schedule(Notified::new(cell));
}

unsafe fn is_polling<H: Host>(cell: NonNull<Header>) -> bool {
    // SAFETY: the caller's pin keeps the cell, which is listed, and that keeps the host.
    unsafe { host::<H>(cell) }.is_polling(Id::of(cell))
}

unsafe fn note_orphan<H: Host>(cell: NonNull<Header>) {
    // SAFETY: the caller has a pin on a cell that is not done.
    unsafe { host::<H>(cell) }.note_orphan();
}

unsafe fn report<H: Host>(cell: NonNull<Header>, mishap: Mishap, payload: Box<dyn Any + Send>) {
    // SAFETY: the caller has a reference.
    if unsafe { cell.as_ref() }.roster == UNLISTED {
        // A refused task has no output and no host; the payload says nothing to anybody, and its drop is
        // user code.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // Dropping it could panic again, without end.
            std::mem::forget(second);
        }
        return;
    }
    // SAFETY: as above, and listed.
    unsafe { host::<H>(cell) }.report(mishap, payload);
}

/// # Safety
/// The cell is listed, and stays so for the lifetime that the caller chooses.
unsafe fn host<'a, H: Host>(cell: NonNull<Header>) -> &'a H {
    // SAFETY: alive, by the contract.
    let host = unsafe { cell.as_ref() }.host;
    // SAFETY: the `H` that the vtable was made for; a listed cell keeps it alive.
    unsafe { &*host.cast::<H>() }
}
