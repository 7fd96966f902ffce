//! Runs the plan process by process and compares pair by pair.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::Plan;
use super::workloads::{self, Measurement};
use crate::compare::record::Outcome;
use crate::compare::run::{progress, rotated};
use crate::helper::Helper;
use crate::machine::Machine;
use crate::stats::{Summary, paired_ratio};
use crate::table::Table;

/// How long a measurement may take beyond its set time: a batch on a slow machine, start and end.
const GRACE: Duration = Duration::from_secs(60);

/// A whole run, round by round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// What was asked for.
    pub plan: Plan,
    /// All measurements.
    pub records: Vec<Record>,
}

/// One runtime in one round of one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What.
    pub workload: String,
    /// With how many workers.
    pub workers: usize,
    /// Who.
    pub runtime: String,
    /// Rounds with the same number ran side by side.
    pub round: u32,
    /// Figures or error.
    pub outcome: Outcome<Measurement>,
}

/// Measures everything in `plan`.
pub fn run(plan: Plan) -> Report {
    let steps = plan.rounds as usize * plan.workloads.len() * plan.workers.len() * plan.runtimes.len();
    let bar = progress(steps);
    let mut records = Vec::with_capacity(steps);
    for round in 1..=plan.rounds {
        for workload in &plan.workloads {
            for &workers in &plan.workers {
                for runtime in rotated(plan.runtimes.iter().collect(), round) {
                    bar.set_message(format!("round {round}: {workload}, {workers} workers, {runtime}"));
                    let outcome = measure(runtime, workload, workers, plan.time()).into();
                    let (workload, runtime) = (workload.clone(), runtime.clone());
                    records.push(Record { workload, workers, runtime, round, outcome });
                    bar.inc(1);
                }
            }
        }
    }
    bar.finish_and_clear();
    Report { machine: Machine::look(), plan, records }
}

fn measure(runtime: &str, workload: &str, workers: usize, time: Duration) -> Result<Measurement, String> {
    let arguments = [
        String::from("measure"),
        runtime.to_owned(),
        workload.to_owned(),
        format!("--workers={workers}"),
        format!("--time-ms={}", time.as_millis()),
    ];
    let life = 2 * time + GRACE;
    let mut child = Helper::start(format!("{workload} on {runtime}"), &arguments, life)?;
    let measurement = child.hear(life)?;
    child.finish()?;
    Ok(measurement)
}

impl Report {
    /// One table per number of workers.
    pub fn tables(&self) -> Vec<Table> {
        self.plan.workers.iter().map(|&workers| self.table(workers)).collect()
    }

    fn table(&self, workers: usize) -> Table {
        let first = &self.plan.runtimes[0];
        let of_first = format!("{first} / this");
        let columns = ["workload", "runtime", "ns", &of_first, "CPU ns", "CPU: first / this"];
        let title = format!("{workers} {}", if workers == 1 { "worker" } else { "workers" });
        let mut table = Table::new(title, &columns);
        for workload in &self.plan.workloads {
            for runtime in &self.plan.runtimes {
                let rounds = |who: &str, pick: fn(&Measurement) -> f64| -> Vec<(u32, f64)> {
                    let of_group = self.of_group(workload, workers, who);
                    of_group
                        .filter_map(|record| match &record.outcome {
                            Outcome::Measured(measurement) => Some((record.round, pick(measurement))),
                            Outcome::Failed(_) => None,
                        })
                        .collect()
                };
                let show =
                    |summary: Option<Summary>| summary.map_or_else(|| "–".into(), |summary| summary.show());
                let figure =
                    |pick| show(Summary::of(rounds(runtime, pick).into_iter().map(|(_, value)| value)));
                let ratio = |pick| {
                    show(
                        paired_ratio(&rounds(first, pick), &rounds(runtime, pick))
                            .filter(|_| runtime != first),
                    )
                };
                let failed =
                    self.of_group(workload, workers, runtime).find_map(|record| match &record.outcome {
                        Outcome::Failed(error) => Some(error.clone()),
                        Outcome::Measured(_) => None,
                    });
                if !rounds(runtime, |m| m.ns).is_empty() {
                    table.row(vec![
                        workload.clone(),
                        runtime.clone(),
                        figure(|m| m.ns),
                        ratio(|m| m.ns),
                        figure(|m| m.cpu_ns),
                        ratio(|m| m.cpu_ns),
                    ]);
                }
                if let Some(error) = failed {
                    table.sentence(workload, format!("{runtime} FAILED: {error}"));
                }
            }
        }
        table
    }

    fn of_group<'a>(
        &'a self,
        workload: &'a str,
        workers: usize,
        runtime: &'a str,
    ) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| {
            record.workload == workload && record.workers == workers && record.runtime == runtime
        })
    }

    /// The report in plain text.
    pub fn text(&self) -> String {
        let mut text = self.machine.lines().join("\n");
        text.push_str(&format!(
            "\n{} rounds of {} ms, one process each, runtimes in turn; median (min–max) per operation; ratios are paired by round\n",
            self.plan.rounds, self.plan.time_ms
        ));
        for table in self.tables() {
            text.push_str(&format!("\n{}", table.text()));
        }
        text.push('\n');
        for entry in workloads::entries_on(&self.plan.runtimes[0]).iter().flatten() {
            if self.plan.workloads.iter().any(|name| name == entry.name) {
                text.push_str(&format!("{}: {}\n", entry.name, entry.operation));
            }
        }
        text
    }

    /// All errors, each with the measurement it spoiled.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.records.iter().filter_map(|record| match &record.outcome {
            Outcome::Failed(error) => {
                Some(format!("{} workers, round {}: {error}", record.workers, record.round))
            }
            Outcome::Measured(_) => None,
        });
        failed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, Report};
    use crate::compare::record::Outcome;
    use crate::machine::Machine;
    use crate::micro::options::Plan;
    use crate::micro::workloads::Measurement;

    fn report() -> Report {
        let record = |runtime: &str, round, outcome| Record {
            workload: "switch".into(),
            workers: 1,
            runtime: runtime.into(),
            round,
            outcome,
        };
        let measured = |ns| Outcome::Measured(Measurement { ns, cpu_ns: 2.0 * ns, operations: 10 });
        Report {
            machine: Machine::look(),
            plan: Plan {
                runtimes: vec!["tokio".into(), "smol".into()],
                workloads: vec!["switch".into()],
                workers: vec![1],
                rounds: 2,
                time_ms: 1,
            },
            records: vec![
                record("tokio", 1, measured(50.0)),
                record("smol", 1, measured(100.0)),
                record("tokio", 2, measured(60.0)),
                record("smol", 2, Outcome::Failed("stuck".into())),
            ],
        }
    }

    #[test]
    fn ratios_pair_the_first_runtime_with_each_other_one() {
        let text = report().text();
        let row = text.lines().find(|line| line.contains("smol  ") && line.starts_with("switch")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["switch", "smol", "100", "0.500", "200", "0.500"]);
        assert!(text.contains("smol FAILED: stuck"), "{text}");
        assert_eq!(report().failures(), ["1 workers, round 2: stuck"]);
    }

    #[test]
    fn report_survives_json() {
        let text = serde_json::to_string(&report()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report());
    }
}
