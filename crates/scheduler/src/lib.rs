//! The scheduler: workers that run tasks and steal from each other, the timers, the blocking pool, and the
//! foreman who watches them. Sources of events come in through [`Driver`]; it knows no other.
//!
//! Reading order: [`config`], `slot` (what a worker shares), `worker` (the loop), `wake_policy` (when a peer
//! is woken), `spin_policy` (when it looks before it sleeps), `floor` (what everybody shares), `crew` and
//! `foreman` (threads), `scheduler` (start and end). Then by need: `block_on` and `block_in_place` (threads that
//! are no workers, or for a while not), `context` (what a thread is inside of), [`timer`], and the blocking pool:
//! [`blocking`] has the threads, `blocking_job` makes tasks of closures for them.
#![forbid(unsafe_op_in_unsafe_fn)]

mod block_in_place;
mod block_on;
pub mod blocking;
mod blocking_job;
pub mod config;
mod contain;
mod context;
pub mod coop;
mod crew;
mod driver;
mod driver_group;
mod floor;
mod foreman;
mod handle;
mod join_handle;
mod local;
mod os;
mod running;
mod scheduler;
mod slot;
mod smoothing;
mod spin_policy;
pub mod timer;
pub mod wait;
mod wake_policy;
mod worker;
mod yield_now;

pub use block_in_place::block_in_place;
pub use config::{Config, Flavor, driver_count};
pub use context::EnterGuard;
pub use driver::Driver;
pub use handle::{Handle, MetricsSnapshot, TryCurrentError, spawn};
pub use join_handle::{AbortHandle, JoinHandle};
pub use local::{LocalScheduler, spawn_local};
pub use running::{id, try_id};
pub use scheduler::{Scheduler, ShutdownReport};
pub use shopfloor_task::{Id, JoinError, State};
pub use wait::WaitReason;
pub use yield_now::yield_now;
