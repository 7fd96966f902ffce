//! The part of a cell that has the same shape for every task.

use crate::list::{Links, TaskList};
use crate::notified::Notified;
use shopfloor_protocol::cells::Word;
use shopfloor_protocol::sync::UnsafeCell;
use shopfloor_protocol::task_state::TaskState;
use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::{RawWakerVTable, Waker};

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
    fn report(&self, mishap: Mishap, payload: Box<dyn Any + Send>);
}

/// Where user code panicked without a join handle to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// In the drop of an output that nobody read.
    OutputDrop,
    /// In a waker, or in the drop of one.
    Waker,
}

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
    /// Polls the future. True: it is gone and the output is stored. Owner of the obligation.
    pub(crate) poll: unsafe fn(NonNull<Header>, &Waker) -> bool,
    /// Drops the future and stores the failure. Owner of the obligation.
    pub(crate) cancel: unsafe fn(NonNull<Header>),
    /// Drops the output. Its owner.
    pub(crate) drop_output: unsafe fn(NonNull<Header>),
    /// Moves the output to the `Option<Result<T, Failure>>` at the address. Its owner.
    pub(crate) take_output: unsafe fn(NonNull<Header>, NonNull<()>),
    /// Unlists and frees the cell. Whoever found it dead.
    pub(crate) release: unsafe fn(NonNull<Header>),
    /// Hands the obligation to the host. Whoever got it, holding a reference or being on a worker.
    pub(crate) schedule: unsafe fn(NonNull<Header>),
    /// [`Host::is_polling`]. Holder of a pin on a task that is not done.
    pub(crate) is_polling: unsafe fn(NonNull<Header>) -> bool,
    /// [`Host::note_orphan`]. Holder of a pin on a task that is not done.
    pub(crate) note_orphan: unsafe fn(NonNull<Header>),
    /// [`Host::report`]. Holder of a reference.
    pub(crate) report: unsafe fn(NonNull<Header>, Mishap, Box<dyn Any + Send>),
    /// The waker of every task of this host.
    pub(crate) waker: &'static RawWakerVTable,
    pub(crate) kind: Kind,
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
}

/// The roster number of a cell that is on no list.
pub(crate) const UNLISTED: u32 = u32::MAX;
