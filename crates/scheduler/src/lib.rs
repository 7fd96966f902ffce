//! To be written.

pub mod coop;
