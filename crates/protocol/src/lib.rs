//! Every atomic of the shopfloor runtime.
//!
//! This crate holds the state machines on which the runtime's correctness rests, and nothing else: no
//! file descriptors, no clocks, no thread spawning, no statics, no types of futures. What the outside
//! world decides enters as a closure or a parameter. The same source is compiled twice: as an ordinary
//! crate on std's atomics, and by `loom-tests` against loom's, where the models explore it. The switch is
//! in [`sync`] alone.
//!
//! Each module opens with its states, its transitions (who performs each, what the caller then owes), the
//! orderings (the edge each one makes), the one hard race, and the names of the models that check it.

#![allow(clippy::disallowed_types, reason = "this is the crate that holds the atomics")]

pub mod alarm;
pub mod blocking_queue;
pub mod cells;
pub mod driver_token;
pub mod driving_role;
pub mod flag;
pub mod foreman_sleep;
pub mod groups;
pub mod idle;
pub mod interest;
pub mod interrupt;
pub mod lifo_slot;
pub mod parker;
pub mod readiness;
pub mod ready_list;
pub mod registration;
pub mod registry;
pub mod roster;
pub mod round_robin;
pub mod seats;
pub mod shared_wheel;
pub mod shutdown;
pub mod sync;
pub mod task_state;
pub mod thread_count;
pub mod waiters;
