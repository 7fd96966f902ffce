//! Runtimes: how to start, use and end one.
//!
//! ```
//! let runtime = shopfloor::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
//! let seven = runtime.block_on(async { shopfloor::spawn(async { 7 }).await })?;
//! assert_eq!(seven, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod local;
mod owner;

pub use builder::{Builder, IoBackend};
pub use local::LocalRuntime;
pub use owner::Runtime;
pub use shopfloor_driver::is_shutdown_error as is_rt_shutdown_err;
pub use shopfloor_scheduler::blocking::BlockingReport;
pub use shopfloor_scheduler::{
    EnterGuard, Flavor as RuntimeFlavor, Handle, MetricsSnapshot, ShutdownReport, TryCurrentError,
};
