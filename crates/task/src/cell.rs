//! The whole cell, and the functions that know the type of its future. Every future has its own of these, so they are
//! few and small; what needs no type is in [`stage`].

use crate::error::Payload;
use crate::header::{Header, Kind, TaskVtable};
use crate::host::{self, Host};
use crate::join::Join;
use crate::memory::CellBlock;
use crate::stage;
use crate::unlisted::Unlisted;
use std::alloc::Layout;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, needs_drop, offset_of};
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

/// Header first, so that the address of the cell is the address of its header. Nobody makes a value of it: only its
/// layout counts.
#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    store: Store<F>,
}

/// Room for the future, then for what became of it; the [stage] says which. All at its address.
#[repr(C)]
union Store<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
    payload: ManuallyDrop<Box<Payload>>,
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
    let cell = Header::allocate(VtableOf::<F, H>::VTABLE, kind, location);
    // SAFETY: a new cell of this type.
    let store = unsafe { future_of::<F>(cell) };
    // SAFETY: the store has room for a future, and nothing is in it.
    unsafe { store.write(future) };
    // SAFETY: the cell is new and made for `H`; the obligation of `TaskState::new` goes to the value.
    let task = unsafe { Unlisted::new(cell) };
    // SAFETY: `TaskState::new` has the join interest that this handle stands for, and the output type is F's.
    (task, unsafe { Join::new(cell) })
}

struct VtableOf<F, H>(PhantomData<(F, H)>);

impl<F: Future, H: Host> VtableOf<F, H> {
    const VTABLE: &'static TaskVtable = &TaskVtable {
        poll: poll::<F>,
        drop_future: dropper::<F>(),
        drop_output: dropper::<F::Output>(),
        block: CellBlock::new(Layout::new::<Cell<F>>()),
        store: offset_of!(Cell<F>, store),
        release: host::release::<H>,
        schedule: host::schedule::<H>,
        is_polling: host::is_polling::<H>,
        note_orphan: host::note_orphan::<H>,
        report: host::report::<H>,
        waker: H::WAKERS,
    };
}

/// Where the future of a cell is.
///
/// # Safety
/// `cell` is alive and was made for `F`.
unsafe fn future_of<F: Future>(cell: NonNull<Header>) -> NonNull<F> {
    // SAFETY: the offset of a field of the cell, which is one block of memory. The pointer to the header is the one that
    // `memory::allocate` gave, handed on by value and cast: it may reach the whole block.
    unsafe { cell.byte_add(offset_of!(Cell<F>, store)) }.cast()
}

/// Polls the future. Ready, it is dropped and the output takes its place. A panic of the poll goes through, and leaves
/// the future where it is.
///
/// # Safety
/// `cell` was made for `F`, the caller owns its obligation, and its stage is `Running`.
unsafe fn poll<F: Future>(cell: NonNull<Header>, context: &mut Context<'_>) -> bool {
    // SAFETY: the obligation keeps the cell alive.
    let mut store = unsafe { future_of::<F>(cell) };
    // SAFETY: Running: the future is there, and it belongs to the owner of the obligation.
    let future = unsafe { store.as_mut() };
    // SAFETY: it does not move until it is dropped where it is.
    let future = unsafe { Pin::new_unchecked(future) };
    let Poll::Ready(output) = future.poll(context) else { return false };
    let mut output = ManuallyDrop::new(output);
    // SAFETY: as for the poll; the output is a value of the type of the cell's, dropped by nobody else.
    if unsafe { stage::make_room(cell, NonNull::from(&mut output).cast()) } {
        // SAFETY: there is room in the store for an output, and nothing in it now.
        unsafe { store.cast().write(output) };
    }
    true
}

/// What drops a `T` where it is; `None` if there is nothing to do.
const fn dropper<T>() -> Option<unsafe fn(NonNull<()>)> {
    if needs_drop::<T>() { Some(drop_in_place::<T>) } else { None }
}

/// # Safety
/// There is a `T` at the address, which the caller owns and never uses again.
unsafe fn drop_in_place<T>(at: NonNull<()>) {
    let at: NonNull<T> = at.cast();
    // SAFETY: by the contract.
    unsafe { at.drop_in_place() };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Ready;

    #[test]
    fn a_cell_is_a_header_of_eighty_bytes_and_room_for_the_largest_of_future_output_and_one_pointer() {
        assert_eq!(size_of::<Cell<Ready<()>>>(), 88);
        assert_eq!(size_of::<Cell<Pending<u8, 24>>>(), 104);
        assert_eq!(size_of::<Cell<Pending<[u8; 32], 24>>>(), 112);
    }

    /// A future of so many bytes.
    struct Pending<T, const SIZE: usize>([u8; SIZE], PhantomData<T>);

    impl<T, const SIZE: usize> Future for Pending<T, SIZE> {
        type Output = T;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
            Poll::Pending
        }
    }
}
