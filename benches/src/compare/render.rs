//! The tables of a report.
use super::options::{Contest, Placement};
use super::record::{Outcome, Report, ServerFigures, ServerRecord};
use super::servers::SERVERS;
use super::tasks::{Measure, Parked, TASKERS, TaskFigures};
use crate::stats::{Summary, figure, paired_ratio};
use crate::table::Table;

/// Whom the others are compared with.
const PEERS: [&str; 2] = ["threads", "tokio"];
const NONE: &str = "–";

impl Report {
    /// All tables: per placement and number of connections one with figures and one with ratios, then the tasks.
    pub fn tables(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        if self.plan.tables.contains(&Contest::Servers) {
            for &placement in &self.plan.placements {
                for &connections in &self.plan.connections {
                    let group = self.group(placement, connections);
                    if !group.is_empty() {
                        tables.push(self.figures_table(placement, connections, &group));
                        tables.push(ratio_table(connections, placement, &group));
                    }
                }
            }
        }
        if !self.tasks.is_empty() {
            tables.push(self.task_table());
        }
        tables
    }

    /// The report in plain text.
    pub fn text(&self) -> String {
        let mut text = self.machine.lines().join("\n");
        text.push_str(&format!("\n{}\n", self.terms()));
        for table in self.tables() {
            text.push_str(&format!("\n{}", table.text()));
        }
        text.push_str(&format!("\n{}\n", self.legend().join("\n")));
        text
    }

    /// The report in Markdown, with its plots.
    pub fn markdown(&self, plots: &[String]) -> String {
        let mut text = format!("# compare\n\n{}\n\n{}\n", self.machine.lines().join("  \n"), self.terms());
        for plot in plots {
            text.push_str(&format!("\n![{}]({plot})\n", plot.trim_end_matches(".svg")));
        }
        for table in self.tables() {
            text.push_str(&format!("\n{}", table.markdown()));
        }
        text.push_str("\n## How to read it\n\n");
        for line in self.legend() {
            text.push_str(&format!("- {line}\n"));
        }
        let failures = self.failures();
        if !failures.is_empty() {
            text.push_str("\n## Failures\n\n");
            for failure in failures {
                text.push_str(&format!("- {failure}\n"));
            }
        }
        text
    }

    /// The terms of the contest in one sentence.
    pub fn terms(&self) -> String {
        let plan = &self.plan;
        let work =
            if plan.work_us == 0 { String::from("no work") } else { format!("{} µs of work", plan.work_us) };
        format!(
            "64-byte ping-pong over loopback, {work} per request, {} rounds of {} s; figures are median (min–max) over the rounds",
            plan.rounds, plan.seconds
        )
    }

    fn legend(&self) -> Vec<String> {
        let mut legend = Vec::new();
        if self.plan.tables.contains(&Contest::Servers) {
            legend.push(String::from(
                "CPU is the server's, user + system, per request; switches are its context switches, voluntary + involuntary, per request. Latency is measured by a closed loop: a slow server is also asked less often.",
            ));
            legend.push(String::from("Ratios are formed within each round, then summarised: above 1 is more than the other. Client and server share the machine."));
            let named = |name: &str| self.plan.contestants.iter().any(|contestant| contestant == name);
            let servers = SERVERS.iter().filter(|server| named(server.name));
            legend.extend(servers.map(|server| format!("{}: {}", server.name, server.about)));
        }
        for tasker in
            TASKERS.iter().filter(|tasker| self.tasks.iter().any(|task| task.contestant == tasker.name))
        {
            let about = format!("{} (table of tasks): {}", tasker.name, tasker.about);
            match self.parked(tasker.name) {
                Some(parked) => {
                    legend.push(format!("{about}; their number was limited by {}", parked.stopped_by))
                }
                None => legend.push(about),
            }
        }
        if self.tasks.iter().any(|task| task.measure == Measure::Memory) {
            legend.push(String::from("Kernel memory (stacks, page tables) is the growth of the whole machine: other processes add noise."));
        }
        legend
    }

    fn group(&self, placement: Placement, connections: usize) -> Vec<&ServerRecord> {
        let belongs =
            |record: &&ServerRecord| record.placement == placement && record.connections == connections;
        self.servers.iter().filter(belongs).collect()
    }

    fn figures_table(&self, placement: Placement, connections: usize, group: &[&ServerRecord]) -> Table {
        let workers = placement.workers(self.plan.workers);
        let title =
            format!("{} · {} · workers: {workers}", connections_title(connections), placement.about());
        let columns = [
            "contestant",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "CPU µs",
            "user + system",
            "switches",
            "threads",
            "peak MiB",
        ];
        let mut table = Table::new(title, &columns);
        for name in contestants(group) {
            let rounds = measured(group, name);
            let all = |pick: fn(&ServerFigures) -> f64| Summary::of(rounds.iter().map(|(_, f)| pick(f)));
            let show = |pick| all(pick).map_or_else(|| NONE.into(), |summary| summary.show());
            let median = |pick| all(pick).map_or_else(|| NONE.into(), |summary| figure(summary.median));
            let max = |pick| all(pick).map_or_else(|| NONE.into(), |summary| figure(summary.max));
            if !rounds.is_empty() {
                table.row(vec![
                    name.to_owned(),
                    show(|figures| figures.requests_per_s),
                    show(|figures| figures.p50_us),
                    show(|figures| figures.p99_us),
                    show(|figures| figures.p999_us),
                    show(ServerFigures::cpu_us),
                    format!(
                        "{} + {}",
                        median(|figures| figures.user_us),
                        median(|figures| figures.system_us)
                    ),
                    format!("{} + {}", median(|f| f.voluntary), median(|f| f.involuntary)),
                    max(|figures| figures.threads as f64),
                    max(|figures| figures.memory_peak as f64 / f64::from(1 << 20)),
                ]);
            }
            if let Some(sentence) = failure(group.iter().filter(|r| r.contestant == name).map(|r| &r.outcome))
            {
                table.sentence(name, sentence);
            }
        }
        table
    }

    fn task_table(&self) -> Table {
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
                parked.map_or_else(
                    || NONE.into(),
                    |parked| figure(pick(parked) as f64 / parked.made.max(1) as f64),
                )
            };
            let cells = vec![
                tasker.name.to_owned(),
                show(summary(Measure::Switch)),
                show(summary(Measure::Spawn)),
                parked.map_or_else(|| NONE.into(), |parked| figure(parked.made as f64)),
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

    /// The parked ones of the last round that measured them.
    fn parked(&self, contestant: &str) -> Option<&Parked> {
        self.tasks.iter().rev().filter(|task| task.contestant == contestant).find_map(|task| {
            match &task.outcome {
                Outcome::Measured(TaskFigures::Parked(parked)) => Some(parked),
                _ => None,
            }
        })
    }
}

fn ratio_table(connections: usize, placement: Placement, group: &[&ServerRecord]) -> Table {
    let title = format!("{} · {}: ratios", connections_title(connections), placement.name());
    let columns = [
        "contestant",
        "requests/s × threads",
        "p99 × threads",
        "CPU × threads",
        "requests/s × tokio",
        "p99 × tokio",
        "CPU × tokio",
    ];
    let mut table = Table::new(title, &columns);
    for name in contestants(group) {
        let mut cells = vec![name.to_owned()];
        for peer in PEERS {
            let picks: [fn(&ServerFigures) -> f64; 3] =
                [|f| f.requests_per_s, |f| f.p99_us, ServerFigures::cpu_us];
            for pick in picks {
                let rounds =
                    |who| measured(group, who).iter().map(|(round, f)| (*round, pick(f))).collect::<Vec<_>>();
                let ratio = paired_ratio(&rounds(name), &rounds(peer)).filter(|_| name != peer);
                cells.push(ratio.map_or_else(|| NONE.into(), |ratio| ratio.show()));
            }
        }
        table.row(cells);
    }
    table
}

fn connections_title(connections: usize) -> String {
    if connections == 1 {
        String::from("1 connection")
    } else {
        format!("{} connections", figure(connections as f64))
    }
}

/// Contestants of a group in the order of [`SERVERS`].
fn contestants<'a>(group: &[&'a ServerRecord]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for record in group {
        if !names.contains(&record.contestant.as_str()) {
            names.push(&record.contestant);
        }
    }
    names.sort_by_key(|name| SERVERS.iter().position(|server| server.name == *name));
    names
}

pub(super) fn measured<'a>(group: &[&'a ServerRecord], name: &str) -> Vec<(u32, &'a ServerFigures)> {
    group
        .iter()
        .filter(|record| record.contestant == name)
        .filter_map(|record| match &record.outcome {
            Outcome::Measured(figures) => Some((record.round, figures)),
            Outcome::Failed(_) => None,
        })
        .collect()
}

/// `FAILED in 1 of 3 rounds: reason`, if any failed.
fn failure<'a, T: 'a>(outcomes: impl Iterator<Item = &'a Outcome<T>>) -> Option<String> {
    let (mut all, mut failed, mut first) = (0, 0, None);
    for outcome in outcomes {
        all += 1;
        if let Outcome::Failed(error) = outcome {
            failed += 1;
            first = first.or(Some(error));
        }
    }
    first.map(|error| format!("FAILED in {failed} of {all} measurements: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::compare::record::tests::example;

    #[test]
    fn failed_round_shows_its_error_beside_the_figures_of_the_others() {
        let text = example().text();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("tokio")).collect();
        assert!(rows[0].contains("1,000"), "{text}");
        assert!(rows[1].contains("FAILED in 1 of 2 measurements: killed"), "{text}");
    }

    #[test]
    fn ratios_use_only_rounds_that_both_finished() {
        let report = example();
        let tables = report.tables();
        let ratios = tables[1].text();
        let row = ratios.lines().find(|line| line.starts_with("tokio")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["tokio", "2.00", "1.00", "1.00", "–", "–", "–"]);
        let row = ratios.lines().find(|line| line.starts_with("threads")).unwrap();
        assert_eq!(row.split_whitespace().nth(4), Some("0.500"), "{ratios}");
    }

    #[test]
    fn task_table_divides_by_the_number_alive() {
        let text = example().tables().pop().unwrap().text();
        let row = text.lines().find(|line| line.starts_with("tokio")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["tokio", "50.0", "–", "1,000", "100", "0", "0.017", "–"]);
    }

    #[test]
    fn markdown_names_machine_plots_and_failures() {
        let report = example();
        let markdown = report.markdown(&["throughput-unpinned.svg".into()]);
        assert!(markdown.contains(&report.machine.kernel));
        assert!(markdown.contains("![throughput-unpinned](throughput-unpinned.svg)"));
        assert!(markdown.contains("- tokio, 64 connections, unpinned, round 2: killed"));
        assert!(markdown.contains("limited by the number asked for, 1,000"));
    }
}
