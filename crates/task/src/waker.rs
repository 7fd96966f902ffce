//! The waker of a task: the cell's address and a counted reference, no allocation.

use crate::header::{Header, TaskVtable};
use crate::host::{Host, host_of};
use crate::notified::Notified;
use shopfloor_protocol::task_state::{DropAction, WakeAction};
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// The vtable of the wakers of all tasks of host `H`.
pub const fn waker_vtable<H: Host>() -> RawWakerVTable {
    RawWakerVTable::new(clone, wake::<H>, wake_by_ref::<H>, drop_waker)
}

/// Reads the state of the task that `waker` wakes, and forgets it: before many tasks are woken, their cells come into
/// the cache together, not one after the other. Does nothing with a waker that is not of a task of host `H`.
pub fn touch<H: Host>(waker: &Waker) {
    if std::ptr::eq(waker.vtable(), H::WAKERS) {
        // SAFETY: the vtable says whose waker it is, and it is borrowed for as long as the header.
        black_box(unsafe { header(waker.data()) }.state.load());
    }
}

/// A waker for the duration of a poll that borrows the obligation's reference: not counted, not dropped.
///
/// # Safety
/// The caller owns the obligation of `cell` for as long as it uses the waker.
pub(crate) unsafe fn borrowed(cell: NonNull<Header>) -> ManuallyDrop<Waker> {
    // SAFETY: alive, by the contract.
    let vtable = unsafe { cell.as_ref() }.vtable.waker;
    let raw = RawWaker::new(cell.as_ptr().cast_const().cast(), vtable);
    // SAFETY: the functions of the vtable keep the contract of `RawWakerVTable` (each below); the one
    // reference that this waker stands for is the obligation's, so it is not dropped.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw) })
}

/// The cell that a waker's data pointer stands for.
fn cell(data: *const ()) -> NonNull<Header> {
    NonNull::new(data.cast_mut().cast()).expect("a waker's data is the address of a cell")
}

/// # Safety
/// `data` is a waker's of host `H`, which counts as a reference for the lifetime that the caller chooses.
unsafe fn header<'a>(data: *const ()) -> &'a Header {
    // SAFETY: the reference that the waker stands for keeps the cell alive.
    unsafe { cell(data).as_ref() }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: called on a live waker.
    let header = unsafe { header(data) };
    header.state.clone_waker();
    RawWaker::new(data, header.vtable.waker)
}

unsafe fn wake<H: Host>(data: *const ()) {
    // SAFETY: called on a live waker.
    let header = unsafe { header(data) };
    // SAFETY: as above; the cell has a waker, so it was not refused, so it is listed.
    let host = unsafe { host_of::<H>(cell(data)) };
    if !host.is_current() {
        // On another thread our reference is all that surely keeps the host, so it goes last.
        // SAFETY: the waker is live until it is dropped in the next statement.
        unsafe { wake_by_ref::<H>(data) };
        // SAFETY: as above; it is used no more after.
        return unsafe { drop_waker(data) };
    }
    match header.state.wake_by_val() {
        WakeAction::None => {}
        WakeAction::Schedule => host.schedule(Notified::new(cell(data))),
        // SAFETY: the action says that the cell is dead.
        WakeAction::Release => unsafe { (header.vtable.release)(cell(data)) },
    }
}

unsafe fn wake_by_ref<H: Host>(data: *const ()) {
    // SAFETY: called on a live waker.
    let header = unsafe { header(data) };
    if header.state.wake_by_ref() == WakeAction::Schedule {
        // SAFETY: as above; the caller's waker keeps the cell, which is listed because it has one.
        let host = unsafe { host_of::<H>(cell(data)) };
        host.schedule(Notified::new(cell(data)));
    }
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: called on a live waker, which is used no more after the transition unless the action says so.
    let header = unsafe { header(data) };
    let release = header.vtable.release;
    match header.state.drop_waker() {
        DropAction::None => {}
        // SAFETY: the action says that the cell is dead.
        DropAction::Release => unsafe { release(cell(data)) },
        // SAFETY: the action gave us a pin.
        DropAction::Orphaned => unsafe { note_orphan_and_unpin(cell(data)) },
    }
}

/// Discharges `Orphaned`. Takes no reference to the header: the cell may be freed here.
///
/// # Safety
/// The caller holds the pin that came with the action, and uses the cell no more.
pub(crate) unsafe fn note_orphan_and_unpin(cell: NonNull<Header>) {
    // SAFETY: the pin keeps the cell until `unpin`.
    let TaskVtable { note_orphan, release, .. } = unsafe { cell.as_ref() }.vtable;
    // SAFETY: as above, and so the host.
    unsafe { note_orphan(cell) };
    // SAFETY: as above.
    if unsafe { cell.as_ref() }.state.unpin() {
        // SAFETY: `unpin` found the cell dead.
        unsafe { release(cell) };
    }
}
