//! What `compare` can be told, and the plan that follows from it.
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::case::{Case, Placement, Traffic};
use super::servers::{Presence, SERVERS, server};
use super::suite::{self, Wishes};
use super::tasks::{Measure, TASKERS};

/// Connections of one client, idle ones included.
const CONNECTIONS_MAX: usize = 100_000;
/// A message says who sent it and which one it is.
const SIZE_MIN: usize = 16;
const SIZE_MAX: usize = 1 << 20;

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
    /// Bytes of a message, or of the body of a response.
    #[arg(long, default_value_t = 64)]
    pub size: usize,
    /// Whether to speak HTTP.
    #[arg(long)]
    pub http: bool,
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
    /// What to do with the connections.
    #[arg(long, value_enum, default_value_t = Traffic::PingPong)]
    pub traffic: Traffic,
    /// Connections.
    #[arg(long)]
    pub connections: usize,
    /// Connections that say nothing.
    #[arg(long, default_value_t = 0)]
    pub idle: usize,
    /// Bytes of a message, or of the body of a response.
    #[arg(long, default_value_t = 64)]
    pub size: usize,
    /// Messages per second, for held traffic.
    #[arg(long, default_value_t = 0.0)]
    pub rate: f64,
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
    /// About a minute: ping-pong on 1, 64 and 1000 connections, three short rounds (the default).
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// About an hour and a half: every kind of traffic and placement, all contestants, five longer rounds.
    #[arg(long)]
    pub full: bool,
    /// Only these tables.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub tables: Option<Vec<Contest>>,
    /// Only these contestants.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub contestants: Option<Vec<String>>,
    /// What the clients do [default: ping-pong].
    #[arg(long, value_enum, value_delimiter = ',')]
    pub traffic: Option<Vec<Traffic>>,
    /// Numbers of connections.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    pub connections: Option<Vec<usize>>,
    /// Sizes of a message, or of the body of a response, bytes [default: 64].
    #[arg(long, value_delimiter = ',', value_name = "BYTES")]
    pub size: Option<Vec<usize>>,
    /// Connections that say nothing beside the busy ones of `idle` traffic [default: 8000].
    #[arg(long, value_name = "NUMBER")]
    pub idle: Option<usize>,
    /// Rates of `held` traffic, percent of what the reference does in ping-pong [default: 50,80].
    #[arg(long, value_delimiter = ',', value_name = "PERCENT")]
    pub held: Option<Vec<u32>>,
    /// Rounds; each measures all contestants once.
    #[arg(long)]
    pub rounds: Option<u32>,
    /// Length of a measured window.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Workers of each server that has a choice; a pinned server always has one [default: 2].
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    pub workers: Option<Vec<usize>>,
    /// Where server and client run [default: none].
    #[arg(long, alias = "placement", value_enum, value_delimiter = ',')]
    pub pin: Option<Vec<Placement>>,
    /// CPU time that a handler spends on each request, µs [default: 0; held: 20,200].
    #[arg(long, value_delimiter = ',', value_name = "MICROSECONDS")]
    pub work_us: Option<Vec<u64>>,
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
    /// Rows of the server table.
    pub cases: Vec<Case>,
    /// Rounds.
    pub rounds: u32,
    /// Rounds of the memory measurement, which varies little and takes long.
    pub memory_rounds: u32,
    /// Length of a measured window, seconds.
    pub seconds: f64,
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
        let by_default = |name: &str| {
            server(name).is_none_or(|server| match server.presence {
                Presence::Quick => true,
                Presence::Full => self.full,
                Presence::Named => false,
            })
        };
        let wanted = |name: &&&str| match &self.contestants {
            Some(names) => names.iter().any(|n| n == **name),
            None => by_default(name),
        };
        let wishes = Wishes {
            traffic: self.traffic.clone(),
            placements: self.pin.clone(),
            connections: self.connections.clone(),
            sizes: self.size.clone(),
            work_us: self.work_us.clone(),
            workers: self.workers.clone(),
            loads: self.held.clone(),
            idle: self.idle,
        };
        let plan = Plan {
            tables: self.tables.clone().unwrap_or_else(|| vec![Contest::Servers, Contest::Tasks]),
            contestants: all.iter().filter(wanted).map(|&name| name.to_owned()).collect(),
            cases: suite::cases(&wishes, self.full),
            rounds: self.rounds.unwrap_or(if self.full { 5 } else { 3 }),
            memory_rounds: if self.full { 3 } else { 1 },
            seconds: self.seconds.unwrap_or(if self.full { 2.0 } else { 0.5 }),
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
        let any = |is_wrong: fn(&Case) -> bool| self.cases.iter().any(is_wrong);
        if any(|case| case.connections == 0 || case.open_at_once() > CONNECTIONS_MAX) {
            return refuse("--connections outside 1 to 100000, idle ones included,");
        }
        if any(|case| !(SIZE_MIN..=SIZE_MAX).contains(&case.size)) {
            return refuse("--size outside 16 to 1048576");
        }
        if any(|case| case.workers == 0 || case.workers > 1024) {
            return refuse("--workers outside 1 to 1024");
        }
        if any(|case| case.work_us > 1_000_000) {
            return refuse("--work-us above a second");
        }
        if any(|case| case.traffic == Traffic::Held && !(1..=1000).contains(&case.load_percent)) {
            return refuse("--held outside 1 to 1000 percent");
        }
        if self.rounds == 0 {
            return refuse("--rounds 0");
        }
        if !(0.01..=600.0).contains(&self.seconds) {
            return refuse("--seconds outside 0.01 to 600");
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

    use super::{ChildCommand, Cli, Contest, Plan};
    use crate::compare::case::Placement;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let arguments = std::iter::once("compare").chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.options.plan()
    }

    #[test]
    fn quick_is_the_default_and_fits_a_minute() {
        let default = plan(&[]).unwrap();
        assert_eq!(default, plan(&["--quick"]).unwrap());
        assert!(default.cases.iter().all(|case| case.workers == 2 && case.placement == Placement::None));
        // A sixth of a window more is start and end of two processes.
        let measurements = default.cases.len() * default.contestants.len() * default.rounds as usize;
        let each = (default.window() + default.warm_up()).as_secs_f64() + default.seconds / 6.0;
        assert!(measurements as f64 * each < 50.0, "{measurements} of {each} s");
    }

    #[test]
    fn full_has_more_of_everything() {
        let full = plan(&["--full"]).unwrap();
        assert!(full.cases.len() > 5 * plan(&[]).unwrap().cases.len());
        assert!(full.contestants.contains(&String::from("monoio")));
        assert!(!full.contestants.contains(&String::from("shopfloor-no-spin")));
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
        let rows: Vec<(Placement, usize, u64)> =
            plan.cases.iter().map(|case| (case.placement, case.connections, case.work_us)).collect();
        let expected = [Placement::Split, Placement::Same].map(|place| [(place, 1, 5), (place, 64, 5)]);
        assert_eq!(rows, expected.concat());
        assert_eq!(plan.tables, [Contest::Servers]);
    }

    #[test]
    fn a_placement_may_be_called_what_tables_call_it() {
        let plan = plan(&["--placement=unpinned,same-core", "--traffic=http"]).unwrap();
        let rows: Vec<Placement> = plan.cases.iter().map(|case| case.placement).collect();
        assert_eq!(rows, [Placement::None, Placement::None, Placement::Same, Placement::Same]);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        assert!(plan(&["--contestants=goblin"]).unwrap_err().contains("goblin"));
        for nonsense in [
            "--rounds=0",
            "--connections=0",
            "--seconds=0",
            "--seconds=NaN",
            "--workers=0",
            "--tasks-max=0",
            "--size=15",
            "--work-us=1000001",
        ] {
            assert!(plan(&[nonsense]).unwrap_err().contains("makes no sense"), "{nonsense}");
        }
        assert!(plan(&["--pin=sideways"]).is_err());
        assert!(plan(&["--traffic=held", "--held=0"]).unwrap_err().contains("makes no sense"));
        assert!(plan(&["--traffic=idle", "--idle=100000"]).unwrap_err().contains("makes no sense"));
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
