//! What the measuring programs share: `compare` (servers, and tasks against OS threads) and `micro` (paired micro
//! benches). Each measurement runs in a process of its own, so that no contestant inherits another one's heap,
//! threads or warm caches. And the one that measures nothing: `simulate`.
#![allow(
    clippy::disallowed_types,
    reason = "rivals and load generators are ordinary programs: no atomic of the runtime lives here"
)]

pub mod compare;
pub mod helper;
pub mod machine;
pub mod micro;
pub mod os;
pub mod runtimes;
pub mod simulation;
pub mod stats;
pub mod syscalls;
pub mod table;
