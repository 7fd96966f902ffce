//! The list of a slot's cells, linked through their headers.

use crate::header::{Header, Id, Kind};
use crate::task_ref::TaskRef;
use shopfloor_protocol::roster::Roster;
use std::ptr::NonNull;
use std::sync::Arc;

/// The cells that one slot has spawned, and what keeps the host alive for them.
pub type TaskList<H> = Roster<CellList, Arc<H>>;

/// Tasks that a search looks at: it bounds the time for which it keeps the lock of the list from those who spawn and
/// end tasks. A look at one costs a cache miss.
const FIND_MAX: usize = 16_384;

/// A doubly linked list of cells; used under the lock of its [`TaskList`] only.
#[derive(Debug, Default)]
pub struct CellList {
    head: Option<NonNull<Header>>,
}

/// The neighbours of a listed cell.
#[derive(Default)]
pub(crate) struct Links {
    prev: Option<NonNull<Header>>,
    next: Option<NonNull<Header>>,
}

// SAFETY: the list is reached through the mutex of its roster only, and a listed cell is not freed before it
// is unlinked under that mutex; the thread on which it happens does not matter.
unsafe impl Send for CellList {}

impl CellList {
    /// An empty list.
    pub const fn new() -> Self {
        Self { head: None }
    }

    /// # Safety
    /// `cell` is alive and on no list; it is unlinked from this list before it is freed.
    pub(crate) unsafe fn link(&mut self, cell: NonNull<Header>) {
        let next = self.head.replace(cell);
        set_links(cell, |links| *links = Links { prev: None, next });
        if let Some(next) = next {
            set_links(next, |links| links.prev = Some(cell));
        }
    }

    /// # Safety
    /// `cell` is alive and on this list.
    pub(crate) unsafe fn unlink(&mut self, cell: NonNull<Header>) {
        let Links { prev, next } = set_links(cell, std::mem::take);
        match prev {
            Some(prev) => set_links(prev, |links| links.next = next),
            None => self.head = next,
        }
        if let Some(next) = next {
            set_links(next, |links| links.prev = prev);
        }
    }

    /// Pins every task that is not about to be freed. The pins are dropped after the lock.
    pub fn pin_all(&self) -> Vec<TaskRef> {
        // SAFETY: the cell is listed and we have `&self`, so it is alive.
        self.cells().filter_map(|cell| unsafe { TaskRef::pin(cell) }).collect()
    }

    /// Pins the tasks that were noted as orphans and not [taken](TaskRef::take_orphan) since. Costs a look at each task.
    pub fn pin_orphans(&self) -> Vec<TaskRef> {
        // SAFETY: as above.
        let is_noted = |cell: &NonNull<Header>| unsafe { cell.as_ref() }.state.load().is_noted_orphan();
        // SAFETY: as above.
        self.cells().filter(is_noted).filter_map(|cell| unsafe { TaskRef::pin(cell) }).collect()
    }

    /// Pins the task with this id, as a number, if it is among the [`FIND_MAX`] that were listed last. Looks at each
    /// in turn.
    pub fn find(&self, id: u64) -> Option<TaskRef> {
        let cell = self.cells().take(FIND_MAX).find(|&cell| Id::of(cell).as_u64() == id)?;
        // SAFETY: as above.
        unsafe { TaskRef::pin(cell) }
    }

    /// Whether a task of this kind is not done. Looks at each in turn.
    pub fn any_incomplete(&self, kind: Kind) -> bool {
        self.cells().any(|cell| {
            // SAFETY: as above.
            let header = unsafe { cell.as_ref() };
            header.kind == kind && !header.state.load().is_complete()
        })
    }

    fn cells(&self) -> impl Iterator<Item = NonNull<Header>> {
        std::iter::successors(self.head, |&cell| set_links(cell, |links| links.next))
    }
}

/// Gives access to the links of a cell that is listed here, or being listed.
fn set_links<R>(cell: NonNull<Header>, access: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: called under the lock of the roster with a cell that is on its list or is being put there:
    // alive, and its links accessed by nobody else.
    let header = unsafe { cell.as_ref() };
    header.links.with_mut(|links| {
        // SAFETY: as above; the reference ends with `access`, which calls nothing of ours.
        access(unsafe { &mut *links })
    })
}
