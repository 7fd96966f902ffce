//! What is measured. A new row is a file with one type and a line in [`entries`].
use std::future::Future;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::os::Usage;
use crate::runtimes::{self, ForRuntime, Runtime};

mod chained_spawn;
mod ping_pong;
mod spawn_await_one;
mod spawn_join;
mod switch;
mod yield_many;

/// A workload: a batch of operations, written once for all runtimes.
pub trait Workload: 'static {
    /// Name on the command line and in tables.
    const NAME: &str;
    /// What one operation is.
    const OPERATION: &str;
    /// Operations in a batch.
    const OPERATIONS: u64;

    /// Runs one batch. Called from inside a task of the runtime, again and again.
    fn batch<R: Runtime>() -> impl Future<Output = ()> + Send;
}

/// A workload with its runtime chosen.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name on the command line and in tables.
    pub name: &'static str,
    /// What one operation is.
    pub operation: &'static str,
    /// Repeats the batch on a runtime with so many workers for at least so long.
    pub run: fn(usize, Duration) -> Measurement,
}

/// One process's figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Wall time per operation, ns.
    pub ns: f64,
    /// CPU time of the whole process per operation, ns.
    pub cpu_ns: f64,
    /// Operations timed.
    pub operations: u64,
}

/// All workloads on `R`, in the order of the tables.
pub fn entries<R: Runtime>() -> Vec<Entry> {
    vec![
        entry::<R, spawn_join::SpawnJoin>(),
        entry::<R, spawn_await_one::SpawnAwaitOne>(),
        entry::<R, yield_many::YieldMany>(),
        entry::<R, ping_pong::PingPong>(),
        entry::<R, chained_spawn::ChainedSpawn>(),
        entry::<R, switch::Switch>(),
    ]
}

fn entry<R: Runtime, W: Workload>() -> Entry {
    Entry { name: W::NAME, operation: W::OPERATION, run: run::<R, W> }
}

fn run<R: Runtime, W: Workload>(workers: usize, time: Duration) -> Measurement {
    R::run(workers, async move {
        // Heap, queues and branch predictors are warm after a tenth of the time.
        repeat::<R, W>(time / 10).await;
        let usage = Usage::of_this_process();
        let start = Instant::now();
        let operations = repeat::<R, W>(time).await;
        let elapsed = start.elapsed();
        let used = Usage::of_this_process().since(&usage);
        Measurement {
            ns: elapsed.as_nanos() as f64 / operations as f64,
            cpu_ns: (used.user_us + used.system_us) as f64 * 1000.0 / operations as f64,
            operations,
        }
    })
}

/// At least one batch.
async fn repeat<R: Runtime, W: Workload>(time: Duration) -> u64 {
    let start = Instant::now();
    let mut operations = 0;
    loop {
        W::batch::<R>().await;
        operations += W::OPERATIONS;
        if start.elapsed() >= time {
            return operations;
        }
    }
}

/// The workloads on the runtime called `name`, if there is one.
pub fn entries_on(name: &str) -> Option<Vec<Entry>> {
    struct Entries;
    impl ForRuntime for Entries {
        type Output = Vec<Entry>;
        fn on<R: Runtime>(self) -> Vec<Entry> {
            entries::<R>()
        }
    }
    runtimes::with_runtime(name, Entries)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::entries_on;
    use crate::runtimes::NAMES;

    #[test]
    fn every_workload_ends_on_every_runtime_with_one_and_two_workers() {
        for runtime in NAMES {
            for entry in entries_on(runtime).unwrap() {
                for workers in [1, 2] {
                    let measurement = (entry.run)(workers, Duration::ZERO);
                    assert!(measurement.operations > 0 && measurement.ns > 0.0, "{runtime} {}", entry.name);
                }
            }
        }
    }

    #[test]
    fn names_are_distinct() {
        let entries = entries_on(NAMES[0]).unwrap();
        let names: HashSet<_> = entries.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), entries.len());
    }
}
