//! What `micro` can be told.
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};

use super::workloads;
use crate::runtimes::NAMES;

/// Paired micro benches: the same workloads on several runtimes, in turn.
#[derive(Debug, Parser)]
#[command(name = "micro", args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Child processes; for internal use.
    #[command(subcommand)]
    pub child: Option<ChildCommand>,
    /// What to measure.
    #[command(flatten)]
    pub options: Options,
}

/// What a child process does.
#[derive(Debug, Subcommand)]
pub enum ChildCommand {
    /// Measures one workload on one runtime.
    #[command(hide = true)]
    Measure(MeasureArguments),
}

/// Arguments of `micro measure`.
#[derive(Debug, Args)]
pub struct MeasureArguments {
    /// Runtime.
    pub runtime: String,
    /// Workload.
    pub workload: String,
    /// Workers.
    #[arg(long)]
    pub workers: usize,
    /// Time, ms.
    #[arg(long)]
    pub time_ms: u64,
}

/// Options of a run.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Runtimes to compare shopfloor with.
    #[arg(long, value_delimiter = ',', value_name = "RUNTIMES", default_value = "tokio,smol")]
    pub vs: Vec<String>,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub only: Option<Vec<String>>,
    /// Numbers of workers.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", default_value = "1,2")]
    pub workers: Vec<usize>,
    /// Rounds; each measures all runtimes once.
    #[arg(long, default_value_t = 5)]
    pub rounds: u32,
    /// Length of one measurement, ms.
    #[arg(long, default_value_t = 200)]
    pub time_ms: u64,
    /// Write the figures to this file.
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
}

/// A complete, valid plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Runtimes; the first is the one the others are compared with.
    pub runtimes: Vec<String>,
    /// Workloads.
    pub workloads: Vec<String>,
    /// Numbers of workers.
    pub workers: Vec<usize>,
    /// Rounds.
    pub rounds: u32,
    /// Length of one measurement, ms.
    pub time_ms: u64,
}

impl Plan {
    /// Length of one measurement.
    pub fn time(&self) -> Duration {
        Duration::from_millis(self.time_ms)
    }
}

impl Options {
    /// Checks names and numbers.
    ///
    /// # Errors
    /// If a value makes no sense or names nobody.
    pub fn plan(&self) -> Result<Plan, String> {
        let mut runtimes = vec![NAMES[0].to_owned()];
        for name in &self.vs {
            if !NAMES.contains(&name.as_str()) {
                return Err(format!("no runtime {name:?}; there are {}", NAMES.join(", ")));
            }
            if !runtimes.contains(name) {
                runtimes.push(name.clone());
            }
        }
        let all: Vec<&str> =
            workloads::entries_on(NAMES[0]).iter().flatten().map(|entry| entry.name).collect();
        if let Some(unknown) = self.only.iter().flatten().find(|name| !all.contains(&name.as_str())) {
            return Err(format!("no workload {unknown:?}; there are {}", all.join(", ")));
        }
        let wanted = |name: &&&str| self.only.as_ref().is_none_or(|names| names.iter().any(|n| n == **name));
        if self.rounds == 0 || self.workers.is_empty() || self.workers.iter().any(|&n| n == 0 || n > 1024) {
            return Err(String::from("--rounds 0, or --workers outside 1 to 1024, makes no sense"));
        }
        if self.time_ms > 60_000 {
            return Err(String::from("--time-ms above 60000 makes no sense"));
        }
        Ok(Plan {
            runtimes,
            workloads: all.iter().filter(wanted).map(|&name| name.to_owned()).collect(),
            workers: self.workers.clone(),
            rounds: self.rounds,
            time_ms: self.time_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Cli, Plan};
    use crate::runtimes::NAMES;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let arguments = std::iter::once("micro").chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.options.plan()
    }

    #[test]
    fn our_runtime_comes_first_and_nobody_twice() {
        let plan = plan(&["--vs=smol,smol,tokio"]).unwrap();
        assert_eq!(plan.runtimes[0], NAMES[0]);
        assert_eq!(plan.runtimes.len(), NAMES.len());
    }

    #[test]
    fn workloads_can_be_picked() {
        let plan = plan(&["--only=switch,spawn_join", "--workers=1"]).unwrap();
        assert_eq!(plan.workloads, ["spawn_join", "switch"]);
        assert_eq!(plan.workers, [1]);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        assert!(plan(&["--vs=goblin"]).unwrap_err().contains("goblin"));
        assert!(plan(&["--only=goblin"]).unwrap_err().contains("goblin"));
        for nonsense in ["--rounds=0", "--workers=0", "--time-ms=99999999"] {
            assert!(plan(&[nonsense]).unwrap_err().contains("makes no sense"), "{nonsense}");
        }
    }
}
