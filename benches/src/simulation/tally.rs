//! What is counted during a run, and the figures made of it.
use hdrhistogram::Histogram;

/// Beyond this a task counts as having taken so long, ns.
const LATENCY_MAX: u64 = 3_600_000_000_000;

/// Figures of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Tasks that became ready.
    pub ready: u64,
    /// Tasks that were polled to their end.
    pub done: u64,
    /// Tasks done per second, from the first event to the last.
    pub tasks_per_s: f64,
    /// Those as a part of all tasks: what was left at the last event is a backlog if it is more than a few.
    pub kept_up: f64,
    /// Mean time from ready to done, ns.
    pub mean_ns: f64,
    /// Median of that, ns.
    pub p50_ns: u64,
    /// 99th percentile, ns.
    pub p99_ns: u64,
    /// Wakes of workers by workers, per task.
    pub wakes: f64,
    /// Such wakes whose worker found nothing to do, per task.
    pub wasted_wakes: f64,
    /// CPU time of all workers per task, ns, polls included.
    pub cpu_ns: f64,
    /// The longest time that a task lay in a queue while some worker slept, ns.
    pub stranded_ns: u64,
    /// The longest time that an event waited in a driver while some worker slept, ns.
    pub unseen_ns: u64,
    /// The longest time that an event waited in a driver, after the start, ns.
    pub waited_ns: u64,
    /// Events that a driver delivered per second, the mean of all drivers.
    pub events_per_s: f64,
}

#[derive(Debug)]
pub(super) struct Tally {
    latency: Histogram<u64>,
    /// Tasks to leave out of latency and waits: the start is no steady state.
    warm_up: u64,
    pub(super) ready: u64,
    pub(super) done: u64,
    pub(super) wakes: u64,
    pub(super) wasted_wakes: u64,
    pub(super) cpu: u64,
    pub(super) stranded: u64,
    unseen: u64,
    waited: u64,
    first_event: u64,
    last_event: u64,
    done_by_last_event: u64,
}

impl Tally {
    pub(super) fn new(tasks: u64) -> Self {
        Self {
            latency: Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("the bounds are constants"),
            warm_up: tasks / 10,
            ready: 0,
            done: 0,
            wakes: 0,
            wasted_wakes: 0,
            cpu: 0,
            stranded: 0,
            unseen: 0,
            waited: 0,
            first_event: 0,
            last_event: 0,
            done_by_last_event: 0,
        }
    }

    pub(super) fn event(&mut self, now: u64) {
        if self.ready == 0 {
            self.first_event = now;
        }
        self.ready += 1;
        self.last_event = now;
        self.done_by_last_event = self.done;
    }

    /// An event that came at `came` is taken from its driver; somebody has slept since `idle_since`, if anybody does.
    pub(super) fn seen(&mut self, now: u64, came: u64, idle_since: Option<u64>) {
        if let Some(since) = idle_since {
            self.unseen = self.unseen.max(now - came.max(since));
        }
        if self.done > self.warm_up {
            self.waited = self.waited.max(now - came);
        }
    }

    pub(super) fn done(&mut self, latency: u64) {
        self.done += 1;
        if self.done > self.warm_up {
            self.latency.saturating_record(latency);
        }
    }

    /// `tasks_of_event` tasks became ready for each event, in the end.
    pub(super) fn outcome(&self, tasks_of_event: u32, drivers: usize) -> Outcome {
        let per_task = |amount: u64| amount as f64 / self.done.max(1) as f64;
        let seconds = (self.last_event - self.first_event).max(1) as f64 / 1e9;
        let tasks_per_s = self.done_by_last_event as f64 / seconds;
        Outcome {
            ready: self.ready,
            done: self.done,
            tasks_per_s,
            kept_up: per_task(self.done_by_last_event),
            mean_ns: self.latency.mean(),
            p50_ns: self.latency.value_at_quantile(0.5),
            p99_ns: self.latency.value_at_quantile(0.99),
            wakes: per_task(self.wakes),
            wasted_wakes: per_task(self.wasted_wakes),
            cpu_ns: per_task(self.cpu),
            stranded_ns: self.stranded,
            unseen_ns: self.unseen,
            waited_ns: self.waited,
            events_per_s: tasks_per_s / f64::from(tasks_of_event) / drivers as f64,
        }
    }
}
