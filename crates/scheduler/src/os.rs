//! What the scheduler takes from the system and a test of schedules replaces: threads, thread locals and the
//! clock. Under `cfg(shuttle)` threads go on in the order that a seed chooses, and time is modelled.

#[cfg(shuttle)]
pub(crate) use shopfloor_protocol::sync::{Instant, thread, thread_local};
#[cfg(not(shuttle))]
pub(crate) use std::{thread, thread_local, time::Instant};
