//! Table 1: servers under load.
use super::{NONE, PEERS, failure};
use crate::compare::case::{Case, Traffic};
use crate::compare::record::{Outcome, Report, ServerFigures, ServerRecord};
use crate::compare::servers::SERVERS;
use crate::stats::{Summary, count, figure, paired_ratio};
use crate::table::Table;

/// A column: its head, and what it shows of the rounds of one contestant.
type Column = (&'static str, fn(&[&ServerFigures]) -> String);

const COLUMNS: [Column; 11] = [
    ("requests/s", |rounds| show(rounds, |figures| Some(figures.requests_per_s))),
    ("p50 µs", |rounds| show(rounds, |figures| Some(figures.p50_us))),
    ("p99 µs", |rounds| show(rounds, |figures| Some(figures.p99_us))),
    ("p99.9 µs", |rounds| show(rounds, |figures| Some(figures.p999_us))),
    ("min/max", |rounds| show(rounds, |figures| Some(figures.fairness))),
    ("CPU µs", |rounds| show(rounds, |figures| Some(figures.cpu_us()))),
    ("user + system", |rounds| sum(rounds, |figures| figures.user_us, |figures| figures.system_us)),
    ("switches", |rounds| sum(rounds, |figures| figures.voluntary, |figures| figures.involuntary)),
    ("client", |rounds| show(rounds, |figures| Some(figures.client_cores()))),
    ("threads", |rounds| rounds.iter().map(|figures| figures.threads).max().map_or_else(none, count)),
    ("peak MiB", |rounds| {
        let peak = rounds.iter().map(|figures| figures.memory_peak).max();
        peak.map_or_else(none, |bytes| figure(bytes as f64 / f64::from(1 << 20)))
    }),
];
/// Present if they were counted.
const SYSCALLS: Column = ("syscalls", |rounds| show(rounds, |figures| figures.syscalls));
/// Present if there are slow clients.
const SLOW: Column = ("slow p99 µs", |rounds| show(rounds, |figures| figures.slow_p99_us));

impl Report {
    /// Two tables per row of the plan: figures, and ratios to the peers.
    pub(super) fn server_tables(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        for case in &self.plan.cases {
            let belongs = |record: &&ServerRecord| record.case == *case;
            let group: Vec<&ServerRecord> = self.servers.iter().filter(belongs).collect();
            if !group.is_empty() {
                tables.push(self.figures_table(case, &group));
                tables.push(ratio_table(case, &group));
            }
        }
        tables
    }

    fn figures_table(&self, case: &Case, group: &[&ServerRecord]) -> Table {
        let rate = group.iter().find_map(|record| record.rate);
        let rate = rate.map_or_else(String::new, |rate| format!(" ({} requests/s)", figure(rate)));
        let title =
            format!("{}{rate} · {} · workers: {}", case.title(), case.placement.about(), case.workers);
        let columns: Vec<Column> = COLUMNS
            .into_iter()
            .chain((case.traffic == Traffic::Mixed).then_some(SLOW))
            .chain(self.plan.syscalls.then_some(SYSCALLS))
            .collect();
        let heads: Vec<&str> =
            std::iter::once("contestant").chain(columns.iter().map(|column| column.0)).collect();
        let mut table = Table::new(title, &heads);
        for name in contestants(group) {
            let rounds: Vec<&ServerFigures> = measured(group, name).into_iter().map(|(_, f)| f).collect();
            if !rounds.is_empty() {
                let cells = columns.iter().map(|(_, cell)| cell(&rounds));
                table.row(std::iter::once(name.to_owned()).chain(cells).collect());
            }
            let outcomes =
                group.iter().filter(|record| record.contestant == name).map(|record| &record.outcome);
            if let Some(sentence) = failure(outcomes) {
                table.sentence(name, sentence);
            }
        }
        table
    }
}

fn none() -> String {
    NONE.to_owned()
}

fn show(rounds: &[&ServerFigures], pick: fn(&ServerFigures) -> Option<f64>) -> String {
    let summary = Summary::of(rounds.iter().filter_map(|figures| pick(figures)));
    summary.map_or_else(none, |summary| summary.show())
}

/// Medians of two parts of a sum, for which a range of each would be too much to read.
fn sum(
    rounds: &[&ServerFigures],
    left: fn(&ServerFigures) -> f64,
    right: fn(&ServerFigures) -> f64,
) -> String {
    let median = |pick: fn(&ServerFigures) -> f64| {
        Summary::of(rounds.iter().map(|figures| pick(figures)))
            .map_or_else(none, |summary| figure(summary.median))
    };
    format!("{} + {}", median(left), median(right))
}

fn ratio_table(case: &Case, group: &[&ServerRecord]) -> Table {
    let title = format!("{} · {} · workers: {}: ratios", case.title(), case.placement.name(), case.workers);
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
                cells.push(ratio.map_or_else(none, |ratio| ratio.show()));
            }
        }
        table.row(cells);
    }
    table
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

/// The rounds of `name` that went well, with their numbers.
pub(crate) fn measured<'a>(group: &[&'a ServerRecord], name: &str) -> Vec<(u32, &'a ServerFigures)> {
    group
        .iter()
        .filter(|record| record.contestant == name)
        .filter_map(|record| match &record.outcome {
            Outcome::Measured(figures) => Some((record.round, figures)),
            Outcome::Failed(_) => None,
        })
        .collect()
}
