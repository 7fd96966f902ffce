//! Runs the plan process by process.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::instructions;
use super::options::{MeasureArguments, Plan};
use super::row::{Amount, Effort, Measurement};
use super::workloads;
use crate::compare::record::Outcome;
use crate::compare::run::{progress, rotated};
use crate::compare::work;
use crate::helper::Helper;
use crate::runtimes;

/// How long a measurement may take beyond its set time: a batch on a slow machine, a million timers, start and end.
const GRACE: Duration = Duration::from_secs(120);

/// One contestant in one round of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What.
    pub row: String,
    /// With how many workers.
    pub workers: usize,
    /// Who.
    pub contestant: String,
    /// Rounds with the same number ran side by side.
    pub round: u32,
    /// Figures or error.
    pub outcome: Outcome<Measurement>,
}

/// Measures everything in `plan`.
pub fn run(plan: &Plan) -> Vec<Record> {
    // Once for all contestants, so that everybody does the same work.
    let steps_per_us = steps_per_us();
    let rows: Vec<_> = plan.rows.iter().filter_map(|name| workloads::row(name)).collect();
    let pairs: usize =
        rows.iter().map(|row| plan.contestants.iter().filter(|name| row.on(name).is_some()).count()).sum();
    let bar = progress(plan.rounds as usize * plan.workers.len() * pairs);
    let mut records = Vec::new();
    for round in 1..=plan.rounds {
        for row in &rows {
            for &workers in &plan.workers {
                let able = plan.contestants.iter().filter(|name| row.on(name).is_some());
                for contestant in rotated(able.collect(), round) {
                    bar.set_message(format!("round {round}: {}, {workers} workers, {contestant}", row.name));
                    let outcome = measure(&MeasureArguments {
                        contestant: contestant.clone(),
                        row: row.name.to_owned(),
                        workers,
                        time_ms: plan.time_ms,
                        batches: None,
                        steps_per_us,
                        shrink: plan.shrink,
                    });
                    records.push(Record {
                        row: row.name.to_owned(),
                        workers,
                        contestant: contestant.clone(),
                        round,
                        outcome: outcome.into(),
                    });
                    bar.inc(1);
                }
            }
        }
    }
    bar.finish_and_clear();
    records
}

/// Steps of [`work::spend`] that take a microsecond on this machine.
pub fn steps_per_us() -> u64 {
    // A millisecond is long enough that the clock's own cost does not count.
    (work::steps_for(Duration::from_millis(1)) / 1000).max(1)
}

/// Parent: one measurement in a process of its own.
///
/// # Errors
/// If the child fails.
pub fn measure(arguments: &MeasureArguments) -> Result<Measurement, String> {
    measure_under(&[], arguments, 2 * Duration::from_millis(arguments.time_ms) + GRACE)
}

/// The same under a program such as valgrind, for at most `life`.
///
/// # Errors
/// If the child fails.
pub fn measure_under(
    program: &[String],
    arguments: &MeasureArguments,
    life: Duration,
) -> Result<Measurement, String> {
    let name = format!("{} on {}", arguments.row, arguments.contestant);
    let mut child = Helper::start_under(program, name, &arguments.to_command_line(), life)?;
    let measurement = child.hear(life)?;
    child.finish()?;
    Ok(measurement)
}

/// Child: measures.
///
/// # Errors
/// If there is no such row, or the contestant does not have it.
pub fn measure_here(arguments: &MeasureArguments) -> Result<Measurement, String> {
    let MeasureArguments { contestant, row, workers, time_ms, batches, steps_per_us, shrink } = arguments;
    let run = workloads::row(row).ok_or_else(|| format!("no row {row:?}"))?.on(contestant);
    let run = run.ok_or_else(|| format!("{contestant:?} does not have {row:?}"))?;
    let amount = batches.map_or(Amount::Time(Duration::from_millis(*time_ms)), Amount::Batches);
    if *steps_per_us == instructions::STEPS_PER_US {
        runtimes::shopfloor::look_by_count();
    }
    Ok(run(Effort { workers: *workers, amount, steps_per_us: *steps_per_us, shrink: *shrink }))
}
