//! What `compare` can be told, and the plan that follows from it.
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::servers::{SERVERS, server};
use super::tasks::{Measure, TASKERS};

/// Compares shopfloor with other ways to serve many connections, and tasks with OS threads.
#[derive(Debug, Parser)]
#[command(
    name = "compare",
    args_conflicts_with_subcommands = true,
    after_help = "Each contestant serves in a process of its own on 127.0.0.1; rounds are interleaved. \
                  The exit status is 1 if any measurement failed."
)]
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
    /// Serves as one contestant.
    #[command(hide = true)]
    Serve(ServeArguments),
    /// Loads a server.
    #[command(hide = true)]
    Load(LoadArguments),
    /// Measures tasks or threads.
    #[command(hide = true)]
    Tasks(TaskArguments),
}

/// Arguments of `compare serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Contestant.
    pub contestant: String,
    /// Workers.
    #[arg(long)]
    pub workers: usize,
    /// Work per request, in steps.
    #[arg(long)]
    pub work_steps: u64,
    /// Core to be confined to.
    #[arg(long)]
    pub core: Option<usize>,
    /// Whether to count system calls.
    #[arg(long)]
    pub syscalls: bool,
}

/// Arguments of `compare load`.
#[derive(Debug, Args)]
pub struct LoadArguments {
    /// Loopback port of the server.
    pub port: u16,
    /// Connections.
    #[arg(long)]
    pub connections: usize,
    /// Warm-up, ms.
    #[arg(long)]
    pub warm_up_ms: u64,
    /// Window, ms.
    #[arg(long)]
    pub window_ms: u64,
    /// Core to be confined to.
    #[arg(long)]
    pub core: Option<usize>,
}

/// Arguments of `compare tasks`.
#[derive(Debug, Args)]
pub struct TaskArguments {
    /// Contestant.
    pub contestant: String,
    /// What to measure.
    #[arg(value_enum)]
    pub measure: Measure,
    /// How many to park.
    #[arg(long)]
    pub count: u64,
    /// How long to switch or spawn, ms.
    #[arg(long)]
    pub time_ms: u64,
    /// Core to be confined to.
    #[arg(long)]
    pub core: Option<usize>,
}

/// Where server and client run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// The kernel decides, and may change its mind between two rounds.
    None,
    /// The server on core 0, the client on core 1.
    Split,
    /// Both on core 0.
    Same,
}

impl Placement {
    /// Name in tables and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "unpinned",
            Self::Split => "split",
            Self::Same => "same-core",
        }
    }

    /// What the name means.
    pub fn about(self) -> &'static str {
        match self {
            Self::None => "unpinned: the kernel places server and client",
            Self::Split => "split: server on core 0, client on core 1",
            Self::Same => "same core: server and client on core 0",
        }
    }

    /// The core of the server.
    pub fn server_core(self) -> Option<usize> {
        (self != Self::None).then_some(0)
    }

    /// The core of the client.
    pub fn client_core(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Split => Some(1),
            Self::Same => Some(0),
        }
    }

    /// Cores the server can use if it is given `workers` workers.
    pub fn workers(self, workers: usize) -> usize {
        if self == Self::None { workers } else { 1 }
    }
}

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contest {
    /// Servers under load.
    Servers,
    /// Tasks beside OS threads.
    Tasks,
}

/// Options of a run; what is not given depends on `--full`.
#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// About a minute: 1, 64 and 1000 connections, three short rounds (the default).
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// About half an hour: also 8000 connections, all placements, five longer rounds.
    #[arg(long)]
    pub full: bool,
    /// Only these tables.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub tables: Option<Vec<Contest>>,
    /// Only these contestants.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub contestants: Option<Vec<String>>,
    /// Numbers of connections.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    pub connections: Option<Vec<usize>>,
    /// Rounds; each measures all contestants once.
    #[arg(long)]
    pub rounds: Option<u32>,
    /// Length of a measured window.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Workers of each server that has a choice; a pinned server always has one.
    #[arg(long)]
    pub workers: Option<usize>,
    /// Where server and client run.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub pin: Option<Vec<Placement>>,
    /// CPU time that a handler spends on each request, µs.
    #[arg(long, value_name = "MICROSECONDS")]
    pub work_us: Option<u64>,
    /// Count the servers' system calls, which slows them down (needs tracefs and the right to use it).
    #[arg(long)]
    pub syscalls: bool,
    /// How many tasks to park.
    #[arg(long, value_name = "NUMBER")]
    pub tasks_max: Option<u64>,
    /// How many threads to park at most.
    #[arg(long, value_name = "NUMBER")]
    pub threads_max: Option<u64>,
    /// Write the figures to this file as well.
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
    /// Directory of JSON, Markdown and SVG [default: compare in the target directory].
    #[arg(long, value_name = "DIRECTORY")]
    pub out: Option<PathBuf>,
}

/// A complete, valid plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Tables.
    pub tables: Vec<Contest>,
    /// Contestants by name, in the order of the tables.
    pub contestants: Vec<String>,
    /// Numbers of connections.
    pub connections: Vec<usize>,
    /// Rounds.
    pub rounds: u32,
    /// Rounds of the memory measurement, which varies little and takes long.
    pub memory_rounds: u32,
    /// Length of a measured window, seconds.
    pub seconds: f64,
    /// Workers.
    pub workers: usize,
    /// Placements.
    pub placements: Vec<Placement>,
    /// Work per request, µs.
    pub work_us: u64,
    /// Whether system calls are counted.
    pub syscalls: bool,
    /// Tasks to park.
    pub tasks_max: u64,
    /// Threads to park at most.
    pub threads_max: u64,
}

/// Names of all contestants, in the order of the tables.
pub fn contestants() -> Vec<&'static str> {
    let mut names: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
    for tasker in TASKERS {
        if !names.contains(&tasker.contestant) {
            names.push(tasker.contestant);
        }
    }
    names
}

impl Options {
    /// Fills in the defaults.
    ///
    /// # Errors
    /// If a value makes no sense or names nobody.
    pub fn plan(&self) -> Result<Plan, String> {
        let all = contestants();
        if let Some(unknown) = self.contestants.iter().flatten().find(|name| !all.contains(&name.as_str())) {
            return Err(format!("no contestant {unknown:?}; there are {}", all.join(", ")));
        }
        let by_default = |name: &str| server(name).is_none_or(|server| server.by_default);
        let wanted = |name: &&&str| match &self.contestants {
            Some(names) => names.iter().any(|n| n == **name),
            None => by_default(name),
        };
        let either = |quick: Vec<usize>, full: Vec<usize>| if self.full { full } else { quick };
        let plan = Plan {
            tables: self.tables.clone().unwrap_or_else(|| vec![Contest::Servers, Contest::Tasks]),
            contestants: all.iter().filter(wanted).map(|&name| name.to_owned()).collect(),
            connections: self
                .connections
                .clone()
                .unwrap_or_else(|| either(vec![1, 64, 1000], vec![1, 64, 1000, 8000])),
            rounds: self.rounds.unwrap_or(if self.full { 5 } else { 3 }),
            memory_rounds: if self.full { 3 } else { 1 },
            seconds: self.seconds.unwrap_or(if self.full { 2.0 } else { 0.5 }),
            workers: self.workers.unwrap_or(2),
            placements: self.pin.clone().unwrap_or_else(|| {
                let all = vec![Placement::None, Placement::Split, Placement::Same];
                if self.full { all } else { vec![Placement::None] }
            }),
            work_us: self.work_us.unwrap_or(0),
            syscalls: self.syscalls,
            tasks_max: self.tasks_max.unwrap_or(1_000_000),
            threads_max: self.threads_max.unwrap_or(if self.full { 100_000 } else { 10_000 }),
        };
        plan.check()?;
        Ok(plan)
    }
}

impl Plan {
    fn check(&self) -> Result<(), String> {
        let refuse = |what: &str| Err(format!("{what} makes no sense"));
        if self.connections.is_empty()
            || self.connections.contains(&0)
            || self.connections.iter().any(|&n| n > 100_000)
        {
            return refuse("--connections outside 1 to 100000");
        }
        if self.rounds == 0 {
            return refuse("--rounds 0");
        }
        if !(0.01..=600.0).contains(&self.seconds) {
            return refuse("--seconds outside 0.01 to 600");
        }
        if self.workers == 0 || self.workers > 1024 {
            return refuse("--workers outside 1 to 1024");
        }
        if self.work_us > 1_000_000 {
            return refuse("--work-us above a second");
        }
        if self.tasks_max == 0 || self.tasks_max > 100_000_000 || self.threads_max == 0 {
            return refuse("--tasks-max outside 1 to 100000000 or --threads-max 0");
        }
        Ok(())
    }

    /// Length of a window.
    pub fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Time before a window, in which branch predictors, heaps and wake rules settle.
    pub fn warm_up(&self) -> Duration {
        self.window().div_f64(3.0).clamp(Duration::from_millis(20), Duration::from_millis(500))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{ChildCommand, Cli, Contest, Placement, Plan};

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let arguments = std::iter::once("compare").chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.options.plan()
    }

    #[test]
    fn quick_is_the_default_and_fits_a_minute() {
        let default = plan(&[]).unwrap();
        assert_eq!(default, plan(&["--quick"]).unwrap());
        assert_eq!((default.connections.as_slice(), default.workers), (&[1, 64, 1000][..], 2));
        assert_eq!(default.placements, [Placement::None]);
        // A sixth of a window more is start and end of two processes.
        let measurements = default.connections.len() * default.contestants.len() * default.rounds as usize;
        let each = (default.window() + default.warm_up()).as_secs_f64() + default.seconds / 6.0;
        assert!(measurements as f64 * each < 50.0, "{measurements} of {each} s");
    }

    #[test]
    fn full_has_more_of_everything() {
        let full = plan(&["--full"]).unwrap();
        assert!(full.connections.contains(&8000));
        assert_eq!(full.placements.len(), 3);
        assert!(full.rounds > plan(&[]).unwrap().rounds);
        assert!(plan(&["--full", "--quick"]).is_err());
    }

    #[test]
    fn lists_are_split_at_commas() {
        let plan = plan(&[
            "--contestants=tokio,epoll-1",
            "--connections=1,64",
            "--pin=split,same",
            "--tables=servers",
            "--work-us=5",
        ])
        .unwrap();
        assert_eq!(plan.contestants, ["tokio", "epoll-1"]);
        assert_eq!(plan.connections, [1, 64]);
        assert_eq!(plan.placements, [Placement::Split, Placement::Same]);
        assert_eq!((plan.tables.as_slice(), plan.work_us), (&[Contest::Servers][..], 5));
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        assert!(plan(&["--contestants=goblin"]).unwrap_err().contains("goblin"));
        for nonsense in
            ["--rounds=0", "--connections=0", "--seconds=0", "--seconds=NaN", "--workers=0", "--tasks-max=0"]
        {
            assert!(plan(&[nonsense]).unwrap_err().contains("makes no sense"), "{nonsense}");
        }
        assert!(plan(&["--pin=sideways"]).is_err());
    }

    #[test]
    fn pinned_servers_have_one_worker() {
        assert_eq!(Placement::None.workers(4), 4);
        assert_eq!(Placement::Split.workers(4), 1);
        assert_eq!((Placement::Same.server_core(), Placement::Same.client_core()), (Some(0), Some(0)));
    }

    #[test]
    fn children_have_their_own_arguments() {
        let cli =
            Cli::try_parse_from(["compare", "serve", "tokio", "--workers=2", "--work-steps=7", "--core=0"])
                .unwrap();
        let Some(ChildCommand::Serve(serve)) = cli.child else { panic!("{cli:?}") };
        assert_eq!((serve.contestant.as_str(), serve.work_steps, serve.core), ("tokio", 7, Some(0)));
    }
}
