//! Tasks beside OS threads: switching, spawning and joining, memory. Each measurement is a process of its own.
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::runtimes::{self, ForRuntime, Runtime};

mod parked;
mod switch;
mod threads;

/// Tasks or threads alive at a time while spawning is measured.
const BATCH: u64 = 1000;
/// How long all parked tasks together may take to be polled for the first or the last time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum, Serialize, Deserialize)]
pub enum Measure {
    /// Two of them hand a baton to each other.
    Switch,
    /// A thousand of them are started and joined.
    Spawn,
    /// As many as asked for are parked at the same time.
    Memory,
}

impl Measure {
    /// Name on the command line and in progress messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Spawn => "spawn",
            Self::Memory => "memory",
        }
    }
}

/// A contestant of the task table.
#[derive(Clone, Copy, Debug)]
pub struct Tasker {
    /// Name in tables.
    pub name: &'static str,
    /// The contestant it belongs to on the command line.
    pub contestant: &'static str,
    /// What its figures mean, in a few words.
    pub about: &'static str,
    /// Whether its process is confined to one core.
    pub is_pinned: bool,
    /// What is measured.
    pub measures: &'static [Measure],
}

const ALL: &[Measure] = &[Measure::Switch, Measure::Spawn, Measure::Memory];
const ONE_WORKER: &str = "tasks on one worker";

/// All contestants of the task table, in its order.
pub const TASKERS: &[Tasker] = &[
    Tasker { name: "shopfloor", contestant: "shopfloor", about: ONE_WORKER, is_pinned: false, measures: ALL },
    Tasker { name: "tokio", contestant: "tokio", about: ONE_WORKER, is_pinned: false, measures: ALL },
    Tasker { name: "smol", contestant: "smol", about: ONE_WORKER, is_pinned: false, measures: ALL },
    Tasker {
        name: "threads",
        contestant: "threads",
        about: "OS threads (park and unpark, a futex), placed by the kernel",
        is_pinned: false,
        measures: ALL,
    },
    Tasker {
        name: "threads, one core",
        contestant: "threads",
        about: "the same on one core, where a hand-over needs no second core to wake",
        is_pinned: true,
        measures: &[Measure::Switch, Measure::Spawn],
    },
];

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TaskFigures {
    /// Time per switch or per spawn and join.
    Each {
        /// Wall time of one, ns.
        ns: f64,
        /// How many were timed.
        count: u64,
    },
    /// Memory of parked ones.
    Parked(Parked),
}

/// Many of them parked at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// How many were alive at the same time, every one of them started and then finished.
    pub made: u64,
    /// What stopped the count.
    pub stopped_by: String,
    /// Growth of the resident size of the process, bytes.
    pub resident: u64,
    /// Growth of the machine's kernel stacks and page tables, bytes. Other processes add noise to it.
    pub kernel: u64,
    /// Size of the future, or 0 for a thread.
    pub future: u64,
}

/// Child: measures `contestant`.
///
/// # Errors
/// If there is no such contestant, or not all tasks ran.
pub fn run(contestant: &str, measure: Measure, count: u64, time: Duration) -> Result<TaskFigures, String> {
    match (contestant, measure) {
        ("threads", Measure::Switch) => Ok(threads::switch(time)),
        ("threads", Measure::Spawn) => threads::spawn(time),
        ("threads", Measure::Memory) => threads::park(count),
        _ => runtimes::with_runtime(contestant, Job { measure, count, time })
            .ok_or_else(|| format!("no contestant {contestant:?}"))?,
    }
}

struct Job {
    measure: Measure,
    count: u64,
    time: Duration,
}

impl ForRuntime for Job {
    type Output = Result<TaskFigures, String>;

    fn on<R: Runtime>(self) -> Self::Output {
        match self.measure {
            Measure::Switch => Ok(R::run(1, switch::measure::<R>(self.time))),
            Measure::Spawn => Ok(R::run(1, spawn::<R>(self.time))),
            Measure::Memory => R::run(1, parked::measure::<R>(self.count)),
        }
    }
}

async fn spawn<R: Runtime>(time: Duration) -> TaskFigures {
    spawn_batch::<R>().await;
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < time {
        spawn_batch::<R>().await;
        count += BATCH;
    }
    TaskFigures::each(start.elapsed(), count)
}

async fn spawn_batch<R: Runtime>() {
    let tasks: Vec<R::Join<()>> = (0..BATCH).map(|_| R::spawn(async {})).collect();
    for task in tasks {
        task.await;
    }
}

impl TaskFigures {
    fn each(elapsed: Duration, count: u64) -> Self {
        Self::Each { ns: elapsed.as_nanos() as f64 / count.max(1) as f64, count }
    }
}

/// Memory of the process and of the kernel at one moment.
struct Memory {
    resident: u64,
    kernel: u64,
}

impl Memory {
    fn now() -> Result<Self, String> {
        let kib = |path, key| crate::os::proc_number(path, key).map_err(|error| error.to_string());
        Ok(Self {
            resident: kib("/proc/self/status", "VmRSS")? * 1024,
            kernel: (kib("/proc/meminfo", "KernelStack")? + kib("/proc/meminfo", "PageTables")?) * 1024,
        })
    }

    fn grown_since(&self, before: &Self, made: u64, stopped_by: String, future: usize) -> Parked {
        Parked {
            made,
            stopped_by,
            resident: self.resident.saturating_sub(before.resident),
            kernel: self.kernel.saturating_sub(before.kernel),
            future: future as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Measure, TASKERS, TaskFigures, run};

    #[test]
    fn every_contestant_can_do_every_measure_it_lists() {
        for tasker in TASKERS {
            for &measure in tasker.measures {
                let figures = run(tasker.contestant, measure, 50, Duration::from_millis(1)).unwrap();
                match figures {
                    TaskFigures::Each { ns, count } => assert!(ns > 0.0 && count > 0, "{tasker:?}"),
                    TaskFigures::Parked(parked) => assert_eq!(parked.made, 50, "{tasker:?}"),
                }
            }
        }
    }

    #[test]
    fn unknown_contestant_is_an_error() {
        assert!(run("nobody", Measure::Spawn, 1, Duration::ZERO).unwrap_err().contains("nobody"));
    }
}
