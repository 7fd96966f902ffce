//! What a run found: figures, compared pair by pair.
use serde::{Deserialize, Serialize};

use super::options::Plan;
use super::row::{Kind, Row};
use super::run::Record;
use super::workloads;
use crate::compare::record::Outcome;
use crate::machine::Machine;
use crate::stats::{Summary, paired_ratio};
use crate::table::Table;

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

impl Report {
    /// The report in plain text.
    pub fn text(&self) -> String {
        let mut text = self.machine.lines().join("\n");
        text.push_str(&format!(
            "\n{} rounds of {} ms, one process each, contestants in turn; median (min–max) per operation; \
             ratios ({} / this) are paired by round\n",
            self.plan.rounds, self.plan.time_ms, self.plan.contestants[0]
        ));
        let rows: Vec<Row> = self.plan.rows.iter().filter_map(|name| workloads::row(name)).collect();
        for kind in Kind::ALL {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.kind == kind).collect();
            if rows.is_empty() {
                continue;
            }
            for &workers in &self.plan.workers {
                text.push_str(&format!("\n{}", self.table(kind, &rows, workers).text()));
            }
        }
        if let Some(table) = self.speed_ups(&rows) {
            text.push_str(&format!("\n{}", table.text()));
        }
        text.push('\n');
        for row in rows {
            text.push_str(&format!("{}: {}\n", row.name, row.operation));
        }
        text
    }

    /// The rows of one kind on so many workers. Each figure but the CPU time of lateness has its ratio beside it.
    fn table(&self, kind: Kind, rows: &[&Row], workers: usize) -> Table {
        let mut columns = vec!["row", "contestant"];
        for figure in kind.figures() {
            columns.extend([figure, "ratio"]);
        }
        let title = format!("{workers} {}", if workers == 1 { "worker" } else { "workers" });
        let mut table = Table::new(title, &columns);
        for row in rows {
            for contestant in &self.plan.contestants {
                let mut cells = vec![row.name.to_owned(), contestant.clone()];
                for index in 0..kind.figures().len() {
                    let ours = self.rounds(row.name, workers, &self.plan.contestants[0], index);
                    let theirs = self.rounds(row.name, workers, contestant, index);
                    cells.push(show(Summary::of(theirs.iter().map(|&(_, value)| value))));
                    let is_ours = *contestant == self.plan.contestants[0];
                    cells.push(show(paired_ratio(&ours, &theirs).filter(|_| !is_ours)));
                }
                if !self.rounds(row.name, workers, contestant, 0).is_empty() {
                    table.row(cells);
                }
                let failed =
                    self.of_group(row.name, workers, contestant).find_map(|record| match &record.outcome {
                        Outcome::Failed(error) => Some(error.clone()),
                        Outcome::Measured(_) => None,
                    });
                if let Some(error) = failed {
                    table.sentence(row.name, format!("{contestant} FAILED: {error}"));
                }
            }
        }
        table
    }

    /// How much faster the most workers are than the fewest, for the rows that are about it.
    fn speed_ups(&self, rows: &[Row]) -> Option<Table> {
        let (&few, &many) = (self.plan.workers.iter().min()?, self.plan.workers.iter().max()?);
        let rows: Vec<&Row> = rows.iter().filter(|row| row.is_parallel).collect();
        if few == many || rows.is_empty() {
            return None;
        }
        let title = format!("Speed-up from {few} to {many} workers");
        let mut table = Table::new(title, &["row", "contestant", "times"]);
        for row in rows {
            for contestant in &self.plan.contestants {
                let slow = self.rounds(row.name, few, contestant, 0);
                let fast = self.rounds(row.name, many, contestant, 0);
                if let Some(times) = paired_ratio(&slow, &fast) {
                    table.row(vec![row.name.to_owned(), contestant.clone(), times.show()]);
                }
            }
        }
        Some(table)
    }

    /// One figure, round by round.
    fn rounds(&self, row: &str, workers: usize, contestant: &str, index: usize) -> Vec<(u32, f64)> {
        let measured = self.of_group(row, workers, contestant).filter_map(|record| match &record.outcome {
            Outcome::Measured(measurement) => Some((record.round, *measurement.figures.get(index)?)),
            Outcome::Failed(_) => None,
        });
        measured.collect()
    }

    fn of_group<'a>(
        &'a self,
        row: &'a str,
        workers: usize,
        contestant: &'a str,
    ) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| {
            record.row == row && record.workers == workers && record.contestant == contestant
        })
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

fn show(summary: Option<Summary>) -> String {
    summary.map_or_else(|| String::from("–"), |summary| summary.show())
}

#[cfg(test)]
mod tests {
    use super::{Record, Report};
    use crate::compare::record::Outcome;
    use crate::machine::Machine;
    use crate::micro::options::Plan;
    use crate::micro::row::Measurement;

    fn report() -> Report {
        let record = |contestant: &str, workers, round, outcome| Record {
            row: "switch".into(),
            workers,
            contestant: contestant.into(),
            round,
            outcome,
        };
        let measured = |ns| Outcome::Measured(Measurement { figures: vec![ns, 2.0 * ns], operations: 10 });
        Report {
            machine: Machine::look(),
            plan: Plan {
                contestants: vec!["tokio".into(), "smol".into()],
                rows: vec!["switch".into()],
                workers: vec![1],
                rounds: 2,
                time_ms: 1,
                shrink: 1,
            },
            records: vec![
                record("tokio", 1, 1, measured(50.0)),
                record("smol", 1, 1, measured(100.0)),
                record("tokio", 1, 2, measured(60.0)),
                record("smol", 1, 2, Outcome::Failed("stuck".into())),
            ],
        }
    }

    #[test]
    fn ratios_pair_the_first_contestant_with_each_other_one() {
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
