//! A row of the tables: one thing to measure, written once for all runtimes, and who can do it.
use std::future::Future;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::compare::work;
use crate::os::Usage;
use crate::runtimes::Runtime;
use crate::runtimes::shopfloor::Shopfloor;
use crate::runtimes::smol::Smol;
use crate::runtimes::tokio::Tokio;

/// How much of a row one process does.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Workers.
    pub workers: usize,
    /// When to stop.
    pub amount: Amount,
    /// Steps of [`work::spend`] that take a microsecond on this machine.
    pub steps_per_us: u64,
    /// Large numbers of tasks and timers are divided by this: 1, but for tests.
    pub shrink: u64,
}

/// When a repeated batch stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// At the end of the first batch that ends so late. A tenth of the time more goes before, to warm up.
    Time(Duration),
    /// After so many batches, without a warm-up: for counting instructions.
    Batches(u64),
}

impl Effort {
    /// The time to measure for; a count of batches is short.
    pub fn time(&self) -> Duration {
        match self.amount {
            Amount::Time(time) => time,
            Amount::Batches(_) => Duration::ZERO,
        }
    }

    /// `number`, or less of it in a test.
    pub fn shrunk(&self, number: u64) -> u64 {
        (number / self.shrink).max(1)
    }

    /// Works for about `ns` in a way that the compiler cannot fold.
    pub fn work_ns(&self, ns: u64) {
        work::spend(self.steps_per_us * ns / 1000);
    }
}

/// What the figures of a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Time per operation.
    Cost,
    /// How late something happened, and what one costs.
    Lateness,
    /// Memory per task.
    Memory,
    /// Context switches of a process that has nothing to do.
    Idleness,
}

impl Kind {
    /// All kinds, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Cost, Self::Lateness, Self::Memory, Self::Idleness];

    /// What the figures of a measurement are, in their order.
    pub fn figures(self) -> &'static [&'static str] {
        match self {
            Self::Cost => &["ns", "CPU ns"],
            Self::Lateness => &["p50 µs", "p99 µs", "max µs", "CPU ns"],
            Self::Memory => &["bytes"],
            Self::Idleness => &["switches/s"],
        }
    }
}

/// One process's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The figures that the row's [`Kind`] names.
    pub figures: Vec<f64>,
    /// Operations measured.
    pub operations: u64,
}

/// Measures in this process.
pub type Run = fn(Effort) -> Measurement;

/// Where a batch is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Inside a task, on a worker.
    Worker,
    /// On the thread that called `block_on`.
    Outside,
}

/// A batch of operations that is repeated.
pub trait Workload: 'static {
    /// Name on the command line and in tables.
    const NAME: &str;
    /// What one operation is.
    const OPERATION: &str;
    /// Where the batch is called.
    const PLACE: Place = Place::Worker;

    /// Runs one batch and returns how many operations it saw done. A batch checks its own result and panics if
    /// something is missing.
    fn batch<R: Runtime>(effort: Effort) -> impl Future<Output = u64> + Send;
}

/// Something that measures itself, because a repeated batch would not show it.
pub trait Observation: 'static {
    /// Name on the command line and in tables.
    const NAME: &str;
    /// What is looked at.
    const OPERATION: &str;
    /// What the figures are.
    const KIND: Kind;

    /// Measures. It checks its own result and panics if something is missing.
    fn observe<R: Runtime>(effort: Effort) -> Measurement;
}

/// A row with its contestants.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name on the command line and in tables.
    pub name: &'static str,
    /// What one operation is.
    pub operation: &'static str,
    /// What the figures are.
    pub kind: Kind,
    /// Whether it can be repeated a fixed number of times, and so its instructions be counted.
    pub is_countable: bool,
    /// Whether it is about what a second worker brings.
    pub is_parallel: bool,
    contestants: Vec<(&'static str, Run)>,
}

impl Row {
    /// The workload on every runtime.
    pub fn repeated<W: Workload>() -> Self {
        Self::countable(W::NAME, W::OPERATION)
            .and(Shopfloor::NAME, repeated::<Shopfloor, W>)
            .and(Tokio::NAME, repeated::<Tokio, W>)
            .and(Smol::NAME, repeated::<Smol, W>)
    }

    /// The observation on every runtime.
    pub fn observed<O: Observation>() -> Self {
        let row = Self { kind: O::KIND, is_countable: false, ..Self::countable(O::NAME, O::OPERATION) };
        row.and(Shopfloor::NAME, O::observe::<Shopfloor>)
            .and(Tokio::NAME, O::observe::<Tokio>)
            .and(Smol::NAME, O::observe::<Smol>)
    }

    /// A row of batches that nobody runs yet.
    pub fn countable(name: &'static str, operation: &'static str) -> Self {
        let (is_countable, is_parallel) = (true, false);
        Self { name, operation, kind: Kind::Cost, is_countable, is_parallel, contestants: Vec::new() }
    }

    /// With one more contestant.
    pub fn and(mut self, contestant: &'static str, run: Run) -> Self {
        self.contestants.push((contestant, run));
        self
    }

    /// As one that is about what a second worker brings.
    pub fn parallel(mut self) -> Self {
        self.is_parallel = true;
        self
    }

    /// How `contestant` does it, if it can.
    pub fn on(&self, contestant: &str) -> Option<Run> {
        self.contestants.iter().find(|(name, _)| *name == contestant).map(|&(_, run)| run)
    }
}

fn repeated<R: Runtime, W: Workload>(effort: Effort) -> Measurement {
    repeated_in::<R, _>(effort, W::PLACE, W::batch::<R>)
}

/// Repeats `batch`, which returns how many operations it saw done, on `R`.
pub fn repeated_in<R, F>(
    effort: Effort,
    place: Place,
    batch: impl Fn(Effort) -> F + Send + Sync + 'static,
) -> Measurement
where
    R: Runtime,
    F: Future<Output = u64> + Send,
{
    let root = async move {
        if let Amount::Time(time) = effort.amount {
            // Heap, queues and branch predictors are warm after a tenth of the time.
            repeat(effort, Amount::Time(time / 10), &batch).await;
        }
        let stopwatch = Stopwatch::start();
        let operations = repeat(effort, effort.amount, &batch).await;
        stopwatch.cost(operations)
    };
    match place {
        Place::Worker => R::run(effort.workers, root),
        Place::Outside => R::block_on(effort.workers, root),
    }
}

async fn repeat<F: Future<Output = u64>>(
    effort: Effort,
    amount: Amount,
    batch: &impl Fn(Effort) -> F,
) -> u64 {
    let mut progress = Progress::start(amount);
    while progress.goes_on() {
        progress.did(batch(effort).await);
    }
    progress.operations
}

/// The same for what is no runtime: repeats `batch`, which returns how many operations it saw done.
pub fn repeated_by(effort: Effort, mut batch: impl FnMut() -> u64) -> Measurement {
    let mut repeat = |amount| {
        let mut progress = Progress::start(amount);
        while progress.goes_on() {
            progress.did(batch());
        }
        progress.operations
    };
    if let Amount::Time(time) = effort.amount {
        repeat(Amount::Time(time / 10));
    }
    let stopwatch = Stopwatch::start();
    let operations = repeat(effort.amount);
    stopwatch.cost(operations)
}

/// How far a repetition has come.
struct Progress {
    amount: Amount,
    start: Instant,
    batches: u64,
    operations: u64,
}

impl Progress {
    fn start(amount: Amount) -> Self {
        Self { amount, start: Instant::now(), batches: 0, operations: 0 }
    }

    /// There is at least one batch.
    fn goes_on(&self) -> bool {
        match self.amount {
            Amount::Time(time) => self.batches == 0 || self.start.elapsed() < time,
            Amount::Batches(batches) => self.batches < batches.max(1),
        }
    }

    fn did(&mut self, operations: u64) {
        self.batches += 1;
        self.operations += operations;
    }
}

/// Wall and CPU time since a moment.
#[derive(Debug)]
pub struct Stopwatch {
    usage: Usage,
    start: Instant,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { usage: Usage::of_this_process(), start: Instant::now() }
    }

    /// CPU time of the whole process so far, ns.
    pub fn cpu_ns(&self) -> f64 {
        let used = Usage::of_this_process().since(&self.usage);
        (used.user_us + used.system_us) as f64 * 1000.0
    }

    /// The figures of [`Kind::Cost`].
    pub fn cost(&self, operations: u64) -> Measurement {
        let ns = self.start.elapsed().as_nanos() as f64;
        let each = operations as f64;
        Measurement { figures: vec![ns / each, self.cpu_ns() / each], operations }
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, Effort, Kind, repeated_by};
    use std::time::Duration;

    fn effort(amount: Amount) -> Effort {
        Effort { workers: 1, amount, steps_per_us: 1, shrink: 1 }
    }

    #[test]
    fn a_fixed_number_of_batches_is_neither_warmed_up_nor_exceeded() {
        let mut calls = 0;
        let measurement = repeated_by(effort(Amount::Batches(7)), || {
            calls += 1;
            10
        });
        assert_eq!((calls, measurement.operations), (7, 70));
    }

    #[test]
    fn no_time_is_one_batch_beside_the_one_that_warms_up() {
        let mut calls = 0;
        let measurement = repeated_by(effort(Amount::Time(Duration::ZERO)), || {
            calls += 1;
            10
        });
        assert_eq!((calls, measurement.operations), (2, 10));
    }

    #[test]
    fn a_measurement_has_the_figures_of_its_kind() {
        let measurement = repeated_by(effort(Amount::Batches(1)), || 1);
        assert_eq!(measurement.figures.len(), Kind::Cost.figures().len());
    }
}
