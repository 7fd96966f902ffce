//! Waiting for a point in time: [`sleep()`], [`timeout()`] and [`interval()`], under tokio's names.
//!
//! A timer never fires early. It is filed by a tick of 66 µs; on top of that come the precision with which
//! the system ends the driver's sleep, and the time until a worker is free to poll the task. Time is the
//! system's monotonic clock, so steps of the wall clock have no effect.
//!
//! Timers belong to the runtime in which they were made; that runtime wakes them, whoever polls them. A
//! timer is filed at its first poll that has to wait, so one that is dropped before costs nothing. Filing
//! and dropping it on the same worker takes no lock that another thread is likely to want.
//!
//! ```
//! use shopfloor::time::{Duration, Instant, sleep, timeout};
//!
//! # shopfloor::runtime::Runtime::new()?.block_on(async {
//! let start = Instant::now();
//! sleep(Duration::from_millis(5)).await;
//! assert!(start.elapsed() >= Duration::from_millis(5));
//!
//! let never = std::future::pending::<()>();
//! assert!(timeout(Duration::from_millis(1), never).await.is_err());
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod error;
mod instant;
mod interval;
mod sleep;
mod timeout;

pub use std::time::Duration;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Timeout, timeout, timeout_at};
