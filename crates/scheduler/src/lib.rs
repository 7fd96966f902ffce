//! To be written.

pub mod blocking;
mod contain;
pub mod coop;
pub mod timer;
