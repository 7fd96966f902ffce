//! Table 2: tasks beside OS threads.
use super::{NONE, PEERS, failure};
use crate::compare::record::{Outcome, Report};
use crate::compare::tasks::{Measure, Parked, TASKERS, TaskFigures};
use crate::stats::{Summary, count, paired_ratio};
use crate::table::Table;

impl Report {
    /// The table, of all contestants that were asked.
    pub(super) fn task_table(&self) -> Table {
        let columns = [
            "contestant",
            "switch ns",
            "spawn + join ns",
            "alive at once",
            "bytes each",
            "kernel bytes each",
            "switch × threads",
            "spawn × threads",
        ];
        let mut table = Table::new("Tasks beside OS threads", &columns);
        for tasker in
            TASKERS.iter().filter(|tasker| self.tasks.iter().any(|task| task.contestant == tasker.name))
        {
            let summary =
                |measure| Summary::of(self.each(measure, tasker.name).into_iter().map(|(_, ns)| ns));
            let show =
                |summary: Option<Summary>| summary.map_or_else(|| NONE.into(), |summary| summary.show());
            let ratio = |measure| {
                // A thread's ratio to itself says nothing.
                let is_peer = tasker.name == PEERS[0];
                let ratio = paired_ratio(&self.each(measure, tasker.name), &self.each(measure, PEERS[0]));
                show(ratio.filter(|_| !is_peer))
            };
            let parked = self.parked(tasker.name);
            let each = |pick: fn(&Parked) -> u64| {
                let rounds = self.all_parked(tasker.name);
                show(Summary::of(rounds.map(|parked| pick(parked) as f64 / parked.made.max(1) as f64)))
            };
            let cells = vec![
                tasker.name.to_owned(),
                show(summary(Measure::Switch)),
                show(summary(Measure::Spawn)),
                parked.map_or_else(|| NONE.into(), |parked| count(parked.made)),
                each(|parked| parked.resident),
                each(|parked| parked.kernel),
                ratio(Measure::Switch),
                ratio(Measure::Spawn),
            ];
            let records = self.tasks.iter().filter(|task| task.contestant == tasker.name);
            if records.clone().any(|task| matches!(task.outcome, Outcome::Measured(_))) {
                table.row(cells);
            }
            if let Some(sentence) = failure(records.map(|task| &task.outcome)) {
                table.sentence(tasker.name, sentence);
            }
        }
        table
    }

    fn each(&self, measure: Measure, contestant: &str) -> Vec<(u32, f64)> {
        let records =
            self.tasks.iter().filter(|task| task.measure == measure && task.contestant == contestant);
        records
            .filter_map(|task| match task.outcome {
                Outcome::Measured(TaskFigures::Each { ns, .. }) => Some((task.round, ns)),
                _ => None,
            })
            .collect()
    }

    /// The parked ones of each round that measured them.
    fn all_parked(&self, contestant: &str) -> impl DoubleEndedIterator<Item = &Parked> {
        let records = self.tasks.iter().filter(move |task| task.contestant == contestant);
        records.filter_map(|task| match &task.outcome {
            Outcome::Measured(TaskFigures::Parked(parked)) => Some(parked),
            _ => None,
        })
    }

    /// The parked ones of the last round that measured them.
    pub(super) fn parked(&self, contestant: &str) -> Option<&Parked> {
        self.all_parked(contestant).next_back()
    }
}
