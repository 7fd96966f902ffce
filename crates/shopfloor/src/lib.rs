//! An M:N async runtime for servers.

pub use shopfloor_macros::{main, test};

mod context;
pub mod io;
mod io_driver;
pub mod net;
pub mod runtime;
#[cfg(unix)]
pub mod signal;
pub mod sync;
pub mod task;
pub mod time;

pub use task::spawn;

// One by one, as in `io` and `sync`.
pub use tokio::{join, pin, select, try_join};
