//! Which task runs here.

use crate::context;
use shopfloor_task::Id;

/// The id of the task that this code is part of: a poll, also inside `block_in_place`, a blocking job, or the
/// drop of a future that is cancelled.
///
/// # Panics
/// Outside a task. The future of `block_on` is not one; if `block_on` is called by a task, the id is the
/// task's.
#[track_caller]
pub fn id() -> Id {
    try_id()
        .expect("`task::id` needs a task: the future of `block_on` is none, and no other thread is in one")
}

/// As [`id`]; `None` outside a task.
pub fn try_id() -> Option<Id> {
    context::running()
}
