//! `simulate`: how the rules by which workers wake each other and steal fare with up to 128 workers, on paper.
//!
//! A discrete-event simulation of workers, their queues and LIFO slots, and of the drivers from which events come. A
//! state changes at once; the time that the change takes is the worker's. Events arrive at random at a fixed rate,
//! so a slow runtime is asked as often as a fast one. Each event makes one task ready, whose one poll may wake more.
//!
//! What is not in it: caches and memory, locks inside the kernel, other processes, the race between a push and a
//! worker that falls asleep (which the models of the protocol cover).

pub mod costs;
mod engine;
pub mod random;
pub mod report;
mod rules;
pub mod study;
mod tally;
#[cfg(test)]
mod tests;

pub use engine::run;
pub use rules::Rules;
pub use tally::Outcome;

use costs::Costs;
use random::PollLength;

/// One run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Who wakes whom, and when.
    pub rules: Rules,
    /// Workers.
    pub workers: usize,
    /// Groups of workers, each with a driver that has a share of the connections.
    pub groups: usize,
    /// Events come so often that their polls alone would keep this part of the workers busy.
    pub load: f64,
    /// How long a poll takes.
    pub poll: PollLength,
    /// Tasks that the poll of an event wakes.
    pub wakes: u32,
    /// Events.
    pub events: u64,
    /// Of the random numbers: the same seed gives the same run.
    pub seed: u64,
    /// What everything else takes.
    pub costs: Costs,
}
