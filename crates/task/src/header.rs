//! The part of a cell that has the same shape for every task.

use crate::error::Payload;
use crate::host::Mishap;
use crate::list::Links;
use crate::memory::{self, CellBlock};
use crate::stage::Stage;
use shopfloor_protocol::cells::Word;
use shopfloor_protocol::sync::UnsafeCell;
use shopfloor_protocol::task_state::TaskState;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::{Context, RawWakerVTable, Waker};

/// Which threads run a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Workers.
    Async,
    /// Threads of the blocking pool.
    Blocking,
}

/// Names a task among all that are alive in the process or have a handle left; afterwards it may name another
/// one. It is the address of the task's cell, so it costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(NonZero);

type NonZero = std::num::NonZeroUsize;

impl Id {
    pub(crate) fn of(header: NonNull<Header>) -> Self {
        Self(header.addr())
    }

    /// From the number that [`as_u64`](Self::as_u64) gave; `None` for 0, which is no task's.
    pub fn from_u64(number: u64) -> Option<Self> {
        NonZero::new(number as usize).map(Self)
    }

    /// As a number.
    pub fn as_u64(self) -> u64 {
        self.0.get() as u64
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// What differs by the type of the future (and of the host).
pub(crate) struct TaskVtable {
    /// Polls the future. True: it is gone, and what became of it is stored. A panic of the poll goes through. Owner of
    /// the obligation, with the stage `Running`.
    pub(crate) poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future at the address, its owner's. `None`: it needs no drop.
    pub(crate) drop_future: Option<unsafe fn(NonNull<()>)>,
    /// The same for an output.
    pub(crate) drop_output: Option<unsafe fn(NonNull<()>)>,
    /// The memory of the cell.
    pub(crate) block: CellBlock,
    /// Bytes from its begin to the store.
    pub(crate) store: usize,
    /// Unlists and frees the cell. Whoever found it dead.
    pub(crate) release: unsafe fn(NonNull<Header>),
    /// Hands the obligation to the host. Whoever got it, holding a reference or being on a worker.
    pub(crate) schedule: unsafe fn(NonNull<Header>),
    /// [`Host::is_polling`](crate::Host::is_polling). Holder of a pin on a task that is not done.
    pub(crate) is_polling: unsafe fn(NonNull<Header>) -> bool,
    /// [`Host::note_orphan`](crate::Host::note_orphan). Holder of a pin on a task that is not done.
    pub(crate) note_orphan: unsafe fn(NonNull<Header>),
    /// [`Host::report`](crate::Host::report). Holder of a reference.
    pub(crate) report: unsafe fn(NonNull<Header>, Mishap, Payload),
    /// The waker of every task of this host.
    pub(crate) waker: &'static RawWakerVTable,
}

/// The head of every cell. Shared by all who have a reference; what is not atomic has its own rule.
pub(crate) struct Header {
    pub(crate) state: TaskState,
    pub(crate) vtable: &'static TaskVtable,
    /// The `H: Host` that the vtable was made for; alive while the cell is listed, null before and in a refused task.
    pub(crate) host: *const (),
    /// Under the lock of the roster.
    pub(crate) links: UnsafeCell<Links>,
    /// The join handle's or the completing worker's: see the access rule of the state word.
    pub(crate) join_waker: UnsafeCell<Option<Waker>>,
    /// Written before the cell is listed, never after.
    pub(crate) location: &'static Location<'static>,
    /// What the task waits for, packed by the runtime; for display.
    pub(crate) wait: Word,
    /// The number of its list; [`UNLISTED`] before it is listed and for a refused task.
    pub(crate) roster: u32,
    pub(crate) kind: Kind,
    /// What is in the store, and whose it is: its owner's.
    pub(crate) stage: UnsafeCell<Stage>,
}

impl Header {
    /// A new cell, into whose store its maker writes the future.
    pub(crate) fn allocate(
        vtable: &'static TaskVtable,
        kind: Kind,
        location: &'static Location<'static>,
    ) -> NonNull<Self> {
        let cell = memory::allocate(&vtable.block).cast();
        let header = Self {
            state: TaskState::new(),
            vtable,
            host: std::ptr::null(),
            links: UnsafeCell::new(Links::default()),
            join_waker: UnsafeCell::new(None),
            location,
            wait: Word::new(0),
            roster: UNLISTED,
            kind,
            stage: UnsafeCell::new(Stage::Running),
        };
        // SAFETY: fresh memory for a cell, which begins with the header.
        unsafe { cell.write(header) };
        cell
    }

    /// Where the store is. A reference to the header would not reach it: its pointer may not leave the header.
    ///
    /// # Safety
    /// The cell is alive.
    pub(crate) unsafe fn store(cell: NonNull<Self>) -> NonNull<()> {
        // SAFETY: by the contract.
        let offset = unsafe { cell.as_ref() }.vtable.store;
        // SAFETY: within the block that was allocated for the cell; `cell` is the pointer that the allocation gave, handed
        // on by value, so it may reach all of it.
        unsafe { cell.byte_add(offset) }.cast()
    }
}

/// The roster number of a cell that is on no list.
pub(crate) const UNLISTED: u32 = u32::MAX;
