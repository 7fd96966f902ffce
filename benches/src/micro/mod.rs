//! `micro`: the same workload source on several runtimes, process by process in turn, compared pair by pair.

pub mod options;
pub mod run;
pub mod workloads;
