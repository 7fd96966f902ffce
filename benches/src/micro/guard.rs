//! Ceilings for what can be counted: instructions per operation, and system calls per request.
//!
//! A count is nearly the same on every machine and in every run, so a check of it can be part of CI, which a check of
//! time cannot. The ceilings are a file of the repository: whoever raises one says why.
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::instructions::InstructionCounter;
use super::workloads;
use crate::runtimes::NAMES;
use crate::table::Table;

/// What shopfloor may need at most.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceilings {
    /// How far a count of instructions may be above its figure, in percent.
    pub tolerance_percent: f64,
    /// Instructions per operation, by row.
    pub instructions: BTreeMap<String, f64>,
    /// System calls per request of the echo server.
    pub syscalls: Vec<SyscallCeilings>,
}

/// What the echo server may need under one load.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyscallCeilings {
    /// A contestant of `compare`.
    pub contestant: String,
    /// Connections.
    pub connections: u32,
    /// Workers.
    pub workers: u32,
    /// Calls per request at most, by the name that strace shows.
    pub per_request: BTreeMap<String, f64>,
}

impl Ceilings {
    /// Reads the ceilings.
    ///
    /// # Errors
    /// If the file cannot be read, makes no sense, or names a row that cannot be counted.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let ceilings: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let is_countable = |name: &str| workloads::row(name).is_some_and(|row| row.is_countable);
        match ceilings.instructions.keys().find(|name| !is_countable(name)) {
            Some(unknown) => Err(format!("no row {unknown:?} whose instructions can be counted")),
            None => Ok(ceilings),
        }
    }
}

/// Counts everything that has a ceiling. Returns the table, and what is above its ceiling or could not be counted.
///
/// # Errors
/// If nothing can be counted on this machine.
pub fn check(ceilings: &Ceilings, profiles: &Path) -> Result<(String, Vec<String>), String> {
    let counter = InstructionCounter::new(profiles, 1)?;
    let mut verdicts = Verdicts::new();
    for (row, &figure) in &ceilings.instructions {
        let count = counter.per_operation(NAMES[0], row);
        verdicts.instructions(row, count, figure, ceilings.tolerance_percent);
    }
    for load in &ceilings.syscalls {
        verdicts.syscalls(load, count_syscalls(load));
    }
    Ok((verdicts.table.text(), verdicts.failures))
}

struct Verdicts {
    table: Table,
    failures: Vec<String>,
}

impl Verdicts {
    fn new() -> Self {
        let title = "Counts of shopfloor beside their ceilings";
        Self { table: Table::new(title, &["what", "count", "ceiling", ""]), failures: Vec::new() }
    }

    fn instructions(&mut self, row: &str, count: Result<f64, String>, figure: f64, tolerance_percent: f64) {
        let what = format!("instructions, {row}");
        let margin = figure * tolerance_percent / 100.0;
        match count {
            Ok(count) => {
                let ceiling = format!("{figure:.0} + {tolerance_percent} %");
                let is_far_below = count < figure - margin;
                self.verdict(what, format!("{count:.0}"), ceiling, count > figure + margin, is_far_below);
            }
            Err(error) => self.failed(what, error),
        }
    }

    fn syscalls(&mut self, load: &SyscallCeilings, counts: Result<BTreeMap<String, f64>, String>) {
        let SyscallCeilings { contestant, connections, workers, per_request } = load;
        let of = format!("{contestant}, {connections} connections, {workers} workers");
        match counts {
            Ok(counts) => {
                for (call, &ceiling) in per_request {
                    // A call that was not made is not in the list.
                    let count = counts.get(call).copied().unwrap_or(0.0);
                    let (shown, most) = (format!("{count:.3}"), format!("{ceiling:.3}"));
                    self.verdict(format!("{call} per request, {of}"), shown, most, count > ceiling, false);
                }
            }
            Err(error) => self.failed(format!("system calls, {of}"), error),
        }
    }

    fn verdict(&mut self, what: String, count: String, ceiling: String, is_above: bool, is_far_below: bool) {
        let word = match (is_above, is_far_below) {
            (true, _) => "ABOVE",
            (false, true) => "below: the figure can be lowered",
            (false, false) => "",
        };
        if is_above {
            self.failures.push(format!("{what}: {count} is above its ceiling of {ceiling}"));
        }
        self.table.row(vec![what, count, ceiling, word.to_owned()]);
    }

    fn failed(&mut self, what: String, error: String) {
        self.failures.push(format!("{what}: {error}"));
        self.table.sentence(what, format!("FAILED: {error}"));
    }
}

/// Calls per request, by name, as `benches/syscalls` counts them.
fn count_syscalls(load: &SyscallCeilings) -> Result<BTreeMap<String, f64>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("syscalls");
    // The script looks for `compare` where cargo builds it, which is beside this program.
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = binary.ancestors().nth(2).ok_or("this program is in no target directory")?;
    let arguments = [load.contestant.clone(), load.connections.to_string(), load.workers.to_string()];
    let output = Command::new(&script).args(arguments).env("CARGO_TARGET_DIR", target).output();
    let output = output.map_err(|error| format!("{}: {error}", script.display()))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}: {}", script.display(), output.status, complaint.trim()));
    }
    let counts = per_request(&String::from_utf8_lossy(&output.stdout));
    if counts.is_empty() { Err(format!("{} counted nothing", script.display())) } else { Ok(counts) }
}

/// Lines such as `  recvfrom  1.000 per request`.
fn per_request(text: &str) -> BTreeMap<String, f64> {
    let counts = text.lines().filter_map(|line| {
        let mut words = line.strip_suffix(" per request")?.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Ceilings, Verdicts, per_request};

    fn ceilings(text: &str) -> Result<Ceilings, String> {
        Ceilings::parse(text)
    }

    fn failures_at(count: f64) -> (Vec<String>, String) {
        let mut verdicts = Verdicts::new();
        verdicts.instructions("switch", Ok(count), 1000.0, 5.0);
        (verdicts.failures, verdicts.table.text())
    }

    #[test]
    fn the_ceilings_of_the_repository_are_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ceilings.toml");
        let ceilings = Ceilings::read(&path).unwrap();
        assert!(!ceilings.instructions.is_empty() && !ceilings.syscalls.is_empty());
    }

    #[test]
    fn a_count_above_figure_and_tolerance_fails() {
        assert_eq!(failures_at(1050.0).0, Vec::<String>::new());
        assert!(failures_at(1051.0).0[0].contains("1051 is above"));
    }

    #[test]
    fn a_count_far_below_its_figure_is_pointed_out_and_passes() {
        let (failures, text) = failures_at(949.0);
        assert_eq!(failures, Vec::<String>::new());
        assert!(text.contains("can be lowered"), "{text}");
        assert!(!failures_at(950.0).1.contains("can be lowered"));
    }

    #[test]
    fn a_call_above_its_ceiling_fails_and_one_that_is_not_made_counts_as_none() {
        let text = "tolerance_percent = 5\n[instructions]\n[[syscalls]]\ncontestant = \"shopfloor\"\n\
            connections = 1\nworkers = 1\nper_request = { recvfrom = 1.01, futex = 0.1, sendto = 1.01 }\n";
        let mut verdicts = Verdicts::new();
        let counts = per_request("  recvfrom            1.020 per request\n  sendto  1.000 per request\n");
        verdicts.syscalls(&ceilings(text).unwrap().syscalls[0], Ok(counts));
        assert_eq!(verdicts.failures.len(), 1, "{:?}", verdicts.failures);
        assert!(verdicts.failures[0].contains("recvfrom"), "{:?}", verdicts.failures);
    }

    #[test]
    fn what_could_not_be_counted_fails() {
        let mut verdicts = Verdicts::new();
        verdicts.instructions("switch", Err("stuck".into()), 1000.0, 5.0);
        assert!(verdicts.failures[0].contains("stuck"));
    }

    #[test]
    fn a_ceiling_for_nothing_is_refused() {
        let text = "tolerance_percent = 5\nsyscalls = []\n[instructions]\ngoblin = 3\n";
        assert!(ceilings(text).unwrap_err().contains("goblin"));
    }
}
