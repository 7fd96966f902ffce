//! What the cells take from the system and a test of schedules replaces: thread locals.

#[cfg(shuttle)]
pub(crate) use shopfloor_protocol::sync::thread_local;
#[cfg(not(shuttle))]
pub(crate) use std::thread_local;
