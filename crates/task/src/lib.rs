//! The task cell: one block of memory per task, its type erased.
//!
//! A cell is a [`Header`](header::Header), the same for every task, then the future, which the output
//! replaces at completion. All unsafe code that rests on the erasure is here, and all of it rests on one
//! table: the access rules of [`shopfloor_protocol::task_state`]. What the rest of the runtime sees is safe:
//!
//! - [`Unlisted`]: a task that its maker is about to list and to put into a queue.
//! - [`Notified`]: the obligation to look at a task. It is in exactly one place, a queue or a worker's hand,
//!   and [`Notified::run`] discharges it.
//! - [`Join`]: the right to the output.
//! - [`TaskRef`]: a pin, through which anybody may look at a task, suspend, resume or abort it.
//! - [`Host`]: what a cell needs to know of its runtime.

mod cell;
mod error;
mod header;
mod host;
mod join;
mod list;
mod memory;
mod notified;
mod os;
mod stage;
mod task_ref;
mod unlisted;
mod waker;

pub use cell::new_task;
pub use error::JoinError;
pub use header::{Id, Kind};
pub use host::{Host, Mishap};
pub use join::Join;
pub use list::{CellList, TaskList};
pub use notified::{Notified, Ran};
pub use task_ref::{State, TaskRef};
pub use unlisted::Unlisted;
pub use waker::{touch, waker_vtable};
