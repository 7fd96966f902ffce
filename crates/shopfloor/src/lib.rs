//! An M:N async runtime for servers.

pub use shopfloor_macros::{main, test};
