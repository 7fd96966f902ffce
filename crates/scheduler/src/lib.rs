//! To be written.

pub mod coop;
pub mod timer;
