//! What `micro` can be told.
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};

use super::workloads;
use crate::runtimes::{CONTESTANTS, NAMES};

/// Where callgrind's profiles are left unless told otherwise.
const PROFILES: &str = "target/callgrind";

/// Paired micro benches: the same workloads on several runtimes, in turn.
#[derive(Debug, Parser)]
#[command(name = "micro", args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Other things than a comparison.
    #[command(subcommand)]
    pub command: Option<MicroCommand>,
    /// What to measure.
    #[command(flatten)]
    pub options: Options,
}

/// What `micro` does beside comparing.
#[derive(Debug, Subcommand)]
pub enum MicroCommand {
    /// Measures one row on one contestant, as a child process.
    #[command(hide = true)]
    Measure(MeasureArguments),
    /// Counts what has a ceiling, and fails if a count is above it.
    Guard(GuardArguments),
}

/// Arguments of `micro guard`.
#[derive(Clone, Debug, Args)]
pub struct GuardArguments {
    /// The file of ceilings.
    pub ceilings: PathBuf,
    /// Where callgrind's profiles are left.
    #[arg(long, value_name = "DIRECTORY", default_value = PROFILES)]
    pub profiles: PathBuf,
}

/// Arguments of `micro measure`.
#[derive(Clone, Debug, Args)]
pub struct MeasureArguments {
    /// Contestant.
    pub contestant: String,
    /// Row.
    pub row: String,
    /// Workers.
    #[arg(long)]
    pub workers: usize,
    /// Time, ms.
    #[arg(long, default_value_t = 0)]
    pub time_ms: u64,
    /// So many batches instead of a time.
    #[arg(long)]
    pub batches: Option<u64>,
    /// Steps of work that take a microsecond.
    #[arg(long)]
    pub steps_per_us: u64,
    /// Divides large numbers.
    #[arg(long, default_value_t = 1)]
    pub shrink: u64,
}

impl MeasureArguments {
    /// The command line that parses to this.
    pub fn to_command_line(&self) -> Vec<String> {
        let mut words = vec![
            String::from("measure"),
            self.contestant.clone(),
            self.row.clone(),
            format!("--workers={}", self.workers),
            format!("--time-ms={}", self.time_ms),
            format!("--steps-per-us={}", self.steps_per_us),
            format!("--shrink={}", self.shrink),
        ];
        words.extend(self.batches.map(|batches| format!("--batches={batches}")));
        words
    }
}

/// Options of a run.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Whom to compare shopfloor with; who has nothing of the kind is left out of a row.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "CONTESTANTS",
        default_value = "tokio,smol,rayon,threads"
    )]
    pub vs: Vec<String>,
    /// Only these rows.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub only: Option<Vec<String>>,
    /// Numbers of workers.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", default_value = "1,2")]
    pub workers: Vec<usize>,
    /// Rounds; each measures all contestants once.
    #[arg(long, default_value_t = 5)]
    pub rounds: u32,
    /// Length of one measurement, ms. Rows with a fixed number of timers or tasks take what they take.
    #[arg(long, default_value_t = 200)]
    pub time_ms: u64,
    /// Count instructions per operation under callgrind instead of measuring time, with one worker.
    #[arg(long)]
    pub instructions: bool,
    /// Where `--instructions` leaves callgrind's profiles.
    #[arg(long, value_name = "DIRECTORY", default_value = PROFILES)]
    pub profiles: PathBuf,
    /// Write the figures to this file.
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
    /// Divides large numbers of tasks and timers, for a quick look whether everything runs.
    #[arg(long, default_value_t = 1, hide = true)]
    pub shrink: u64,
}

/// A complete, valid plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Contestants; the first is the one the others are compared with.
    pub contestants: Vec<String>,
    /// Rows.
    pub rows: Vec<String>,
    /// Numbers of workers.
    pub workers: Vec<usize>,
    /// Rounds.
    pub rounds: u32,
    /// Length of one measurement, ms.
    pub time_ms: u64,
    /// Divides large numbers.
    pub shrink: u64,
}

impl Options {
    /// Checks names and numbers.
    ///
    /// # Errors
    /// If a value makes no sense or names nobody.
    pub fn plan(&self) -> Result<Plan, String> {
        let mut contestants = vec![NAMES[0].to_owned()];
        for name in &self.vs {
            if !CONTESTANTS.contains(&name.as_str()) {
                return Err(format!("no contestant {name:?}; there are {}", CONTESTANTS.join(", ")));
            }
            if !contestants.contains(name) {
                contestants.push(name.clone());
            }
        }
        let rows = workloads::rows();
        let all: Vec<&str> = rows.iter().map(|row| row.name).collect();
        if let Some(unknown) = self.only.iter().flatten().find(|name| !all.contains(&name.as_str())) {
            return Err(format!("no row {unknown:?}; there are {}", all.join(", ")));
        }
        let is_wanted = |name: &str| self.only.as_ref().is_none_or(|names| names.iter().any(|n| n == name));
        let rows = rows.iter().filter(|row| is_wanted(row.name) && (!self.instructions || row.is_countable));
        if self.rounds == 0 || self.workers.is_empty() || self.workers.iter().any(|&n| n == 0 || n > 1024) {
            return Err(String::from("--rounds 0, or --workers outside 1 to 1024, makes no sense"));
        }
        if self.time_ms > 60_000 || self.shrink == 0 {
            return Err(String::from("--time-ms above 60000, or --shrink 0, makes no sense"));
        }
        Ok(Plan {
            contestants,
            rows: rows.map(|row| row.name.to_owned()).collect(),
            workers: self.workers.clone(),
            rounds: self.rounds,
            time_ms: self.time_ms,
            shrink: self.shrink,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Cli, MicroCommand, Plan};
    use crate::runtimes::NAMES;

    fn parse(arguments: &[&str]) -> Result<Cli, String> {
        let arguments = std::iter::once("micro").chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        parse(arguments)?.options.plan()
    }

    #[test]
    fn our_runtime_comes_first_and_nobody_twice() {
        let plan = plan(&["--vs=smol,smol,tokio"]).unwrap();
        assert_eq!(plan.contestants, [NAMES[0], "smol", "tokio"]);
    }

    #[test]
    fn rows_can_be_picked() {
        let plan = plan(&["--only=switch,spawn_join", "--workers=1"]).unwrap();
        assert_eq!(plan.rows, ["spawn_join", "switch"]);
        assert_eq!(plan.workers, [1]);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        assert!(plan(&["--vs=goblin"]).unwrap_err().contains("goblin"));
        assert!(plan(&["--only=goblin"]).unwrap_err().contains("goblin"));
        for nonsense in ["--rounds=0", "--workers=0", "--time-ms=99999999", "--shrink=0"] {
            assert!(plan(&[nonsense]).unwrap_err().contains("makes no sense"), "{nonsense}");
        }
    }

    #[test]
    fn the_command_line_of_a_child_is_what_it_parses() {
        let words = ["measure", "tokio", "switch", "--workers=2", "--batches=7", "--steps-per-us=600"];
        let Some(MicroCommand::Measure(first)) = parse(&words).unwrap().command else { panic!("{words:?}") };
        let line = first.to_command_line();
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let Some(MicroCommand::Measure(second)) = parse(&line).unwrap().command else { panic!("{line:?}") };
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!((second.workers, second.batches, second.steps_per_us), (2, Some(7), 600));
    }
}
