//! A task between its allocation and the list of its runtime.

use crate::header::{Header, UNLISTED};
use crate::host::Host;
use crate::notified::Notified;
use crate::stage;
use shopfloor_protocol::task_state::TaskState;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// A new task of host `H`. Dropped before it is listed, it is refused: its future is dropped, which is user code, and
/// its handle reports cancellation.
#[derive(Debug)]
pub struct Unlisted<H: Host> {
    cell: NonNull<Header>,
    _host: PhantomData<fn(&H)>,
}

impl<H: Host> Unlisted<H> {
    /// # Safety
    /// The cell is new and was made for `H`; its obligation and the right to change its header are this value's.
    pub(crate) unsafe fn new(cell: NonNull<Header>) -> Self {
        Self { cell, _host: PhantomData }
    }

    /// Lists the task under `roster` and gives the obligation to run it to the caller; runs no user code.
    ///
    /// # Errors
    /// The roster is closed.
    #[inline(always)]
    pub fn list(mut self, host: &Arc<H>, roster: u32) -> Result<Notified, Self> {
        // SAFETY: nobody else reads the header before the cell is listed; a join handle does not look at these fields.
        let header = unsafe { self.cell.as_mut() };
        header.host = Arc::as_ptr(host).cast();
        header.roster = roster;
        let cell = self.cell;
        // SAFETY: the cell is new, so on no list, and `release` unlinks it before it frees it.
        let listed = host.roster(roster).insert(|list| unsafe { list.link(cell) }, || Arc::clone(host));
        if listed { Ok(Notified::new(ManuallyDrop::new(self).cell)) } else { Err(self) }
    }
}

impl<H: Host> Drop for Unlisted<H> {
    fn drop(&mut self) {
        // SAFETY: as in `list`: it did not get onto a list, so the header is still ours.
        let header = unsafe { self.cell.as_mut() };
        header.roster = UNLISTED;
        header.host = std::ptr::null();
        header.state = TaskState::refused();
        // SAFETY: the obligation is ours, and so the future. The cell stays, for the join handle that `refused` counts.
        unsafe { stage::cancel(self.cell) };
    }
}
