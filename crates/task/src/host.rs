//! What a cell needs of its runtime, and the functions through which it gets that without knowing the type.

use crate::error::Payload;
use crate::header::{Header, Id, UNLISTED};
use crate::list::TaskList;
use crate::memory;
use crate::notified::Notified;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::RawWakerVTable;

/// What a cell needs of its runtime. The runtime's shared part implements it.
pub trait Host: Send + Sync + Sized + 'static {
    /// The vtable of all wakers of this host's tasks: a `static` made by
    /// [`waker_vtable`](crate::waker_vtable), so that its address tells these wakers from others.
    const WAKERS: &'static RawWakerVTable;

    /// Puts a task whose obligation the caller got into a queue. Called on any thread, from inside wakers:
    /// takes no lock that is held while user code runs.
    fn schedule(&self, task: Notified);

    /// Whether the calling thread is inside this runtime (a worker, or in `block_on`), and so keeps it alive.
    fn is_current(&self) -> bool;

    /// Whether a worker shows that it polls this task.
    fn is_polling(&self, id: Id) -> bool;

    /// The list that the cell with this number is on.
    fn roster(&self, index: u32) -> &TaskList<Self>;

    /// A task was left with no waker. Called inside drops of wakers: counts, and runs nothing.
    fn note_orphan(&self);

    /// User code panicked where no join handle can be told.
    fn report(&self, mishap: Mishap, payload: Payload);
}

/// Where user code panicked without a join handle to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// In the drop of an output that nobody read.
    OutputDrop,
    /// In a waker, or in the drop of one.
    Waker,
}

/// # Safety
/// The cell was found dead, and is used no more.
pub(crate) unsafe fn release<H: Host>(cell: NonNull<Header>) {
    // SAFETY: the caller found the cell dead, so it stays until we free it.
    let &Header { roster, vtable, .. } = unsafe { cell.as_ref() };
    let keep = if roster == UNLISTED {
        None
    } else {
        // SAFETY: a listed cell keeps its host.
        let list = unsafe { host_of::<H>(cell) }.roster(roster);
        // SAFETY: the cell is on the list with its number.
        list.remove(|list| unsafe { list.unlink(cell) })
    };
    // SAFETY: unlisted, and nobody has a reference. Its output was taken or dropped, so the store is empty.
    unsafe { cell.drop_in_place() };
    // SAFETY: `Header::allocate` took it with the block of this vtable, and it is used no more.
    unsafe { memory::free(cell.cast(), &vtable.block) };
    if let Some(keep) = keep {
        // Possibly the last owner of the host, and of the list above: that drops what the hooks have captured, user code.
        drop_silently(keep);
    }
}

/// Drops what may panic, where there is nobody to tell.
fn drop_silently<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        // Dropping it could panic again, without end.
        std::mem::forget(second);
    }
}

/// # Safety
/// The caller got the obligation, and has a reference to the cell.
pub(crate) unsafe fn schedule<H: Host>(cell: NonNull<Header>) {
    // SAFETY: the caller has a reference to a cell that is not done, so listed, so the host is alive.
    let host = unsafe { host_of::<H>(cell) };
    host.schedule(Notified::new(cell));
}

/// # Safety
/// The caller has a pin on a cell that is not done.
pub(crate) unsafe fn is_polling<H: Host>(cell: NonNull<Header>) -> bool {
    // SAFETY: the caller's pin keeps the cell, which is listed, and that keeps the host.
    unsafe { host_of::<H>(cell) }.is_polling(Id::of(cell))
}

/// # Safety
/// The caller has a pin on a cell that is not done.
pub(crate) unsafe fn note_orphan<H: Host>(cell: NonNull<Header>) {
    // SAFETY: by the contract.
    unsafe { host_of::<H>(cell) }.note_orphan();
}

/// # Safety
/// The caller has a reference.
pub(crate) unsafe fn report<H: Host>(cell: NonNull<Header>, mishap: Mishap, payload: Payload) {
    // SAFETY: by the contract.
    if unsafe { cell.as_ref() }.roster == UNLISTED {
        // A refused task has no output and no host; the payload says nothing to anybody, and its drop is
        // user code.
        return drop_silently(payload);
    }
    // SAFETY: as above, and listed.
    unsafe { host_of::<H>(cell) }.report(mishap, payload);
}

/// # Safety
/// The cell is listed, and stays so for the lifetime that the caller chooses.
pub(crate) unsafe fn host_of<'a, H: Host>(cell: NonNull<Header>) -> &'a H {
    // SAFETY: alive, by the contract.
    let host = unsafe { cell.as_ref() }.host;
    // SAFETY: the `H` that the vtable was made for; a listed cell keeps it alive.
    unsafe { &*host.cast::<H>() }
}
