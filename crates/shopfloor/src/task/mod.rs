//! Tasks: spawning, joining, stopping, continuing and ending them.

mod join_set;
mod spawn;
mod task_local;

pub use join_set::JoinSet;
pub use shopfloor_scheduler::coop::{
    Coop, Unconstrained, consume_budget, cooperative, has_budget_remaining, unconstrained,
};
pub use shopfloor_scheduler::{
    AbortHandle, Id, JoinError, JoinHandle, State, WaitReason, block_in_place, id, spawn_local, try_id,
    yield_now,
};
pub use spawn::{spawn, spawn_blocking};
pub use task_local::{AccessError, LocalKey};

/// The cooperative budget: what a task may do in one poll before it lets others run.
pub mod coop {
    pub use shopfloor_scheduler::coop::{
        Coop, RestoreOnPending, Unconstrained, consume_budget, cooperative, has_budget_remaining,
        poll_proceed, unconstrained,
    };
}

/// Futures with a name of their own.
pub mod futures {
    pub use super::task_local::TaskLocalFuture;
}
