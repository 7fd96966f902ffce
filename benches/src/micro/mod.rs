//! `micro`: the same workload source on several runtimes, process by process in turn, compared pair by pair.

pub mod guard;
pub mod instructions;
pub mod lateness;
pub mod options;
pub mod report;
pub mod row;
pub mod run;
pub mod workloads;
