//! The tables of a report.
use super::case::Traffic;
use super::options::Contest;
use super::record::{Outcome, Report};
use super::servers::SERVERS;
use super::tasks::{Measure, TASKERS};
use crate::table::Table;

mod servers;
mod tasks;

pub(super) use servers::measured;

/// Whom the others are compared with.
const PEERS: [&str; 2] = ["threads", "tokio"];
const NONE: &str = "–";

impl Report {
    /// All tables: per placement and number of connections one with figures and one with ratios, then the tasks.
    pub fn tables(&self) -> Vec<Table> {
        let mut tables = self.server_tables();
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
        format!(
            "servers on loopback; {} rounds of {} s; figures are median (min–max) over the rounds",
            plan.rounds, plan.seconds
        )
    }

    /// The kinds of traffic, in the order of the tables.
    fn traffic(&self) -> Vec<Traffic> {
        let mut kinds = Vec::new();
        for case in &self.plan.cases {
            if !kinds.contains(&case.traffic) {
                kinds.push(case.traffic);
            }
        }
        kinds
    }

    fn legend(&self) -> Vec<String> {
        let mut legend = Vec::new();
        if self.plan.tables.contains(&Contest::Servers) {
            legend.push(String::from(
                "CPU is the server's, user + system, per request (the kernel samples the split, not the sum); switches are its context switches, voluntary + involuntary, per request. Latency is measured by a closed loop: a slow server is also asked less often.",
            ));
            if self.plan.syscalls {
                legend.push(String::from(
                    "Syscalls are counted per request; counting makes each of them dearer, for everybody.",
                ));
            }
            legend.push(String::from("Ratios are formed within each round, then summarised: above 1 is more than the other. Client and server share the machine."));
            legend.push(String::from("min/max is the number of replies on the connection that had the fewest, divided by that of the one that had the most."));
            legend.push(String::from("client is the part of a core that the load generator was on, which is one thread: near 1 it asks as fast as it can, and nobody gets more requests/s."));
            legend.extend(self.traffic().into_iter().map(|traffic| traffic.about().to_owned()));
            if self.servers.iter().any(|record| record.rate.is_some()) {
                legend.push(String::from("The reference for held traffic is tokio, if it takes part, else the first contestant: the middle of three windows before the rounds."));
            }
            let left_out = self.left_out.iter();
            legend.extend(left_out.map(|(name, why)| format!("{name}: left out: {why}")));
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
        assert!(markdown.contains("- tokio, 64 connections · 64 B echo, unpinned, round 2: killed"));
        assert!(markdown.contains("- go: left out: there is no `go`"));
        assert!(markdown.contains("limited by the number asked for, 1,000"));
    }
}
