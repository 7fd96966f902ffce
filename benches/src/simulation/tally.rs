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
    /// Tasks per second, from the first event to the end of the last poll.
    pub tasks_per_s: f64,
    /// The same as a part of the rate at which tasks became ready: below 1 the runtime does not keep up.
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
    /// Events that one driver delivered in a second at most, over the drivers.
    pub events_per_s: f64,
}

#[derive(Debug)]
pub(super) struct Tally {
    latency: Histogram<u64>,
    /// Tasks to leave out of the latency: the start is no steady state.
    warm_up: u64,
    pub(super) ready: u64,
    pub(super) done: u64,
    pub(super) wakes: u64,
    pub(super) wasted_wakes: u64,
    pub(super) cpu: u64,
    pub(super) stranded: u64,
    pub(super) unseen: u64,
    pub(super) first_event: u64,
    pub(super) last_event: u64,
    pub(super) end: u64,
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
            first_event: 0,
            last_event: 0,
            end: 0,
        }
    }

    pub(super) fn done(&mut self, now: u64, latency: u64) {
        self.done += 1;
        self.end = now;
        if self.done > self.warm_up {
            self.latency.saturating_record(latency);
        }
    }

    pub(super) fn outcome(&self, events: u64, drivers: usize) -> Outcome {
        let per_task = |amount: u64| amount as f64 / self.done.max(1) as f64;
        let seconds = |ns: u64| ns.max(1) as f64 / 1e9;
        let (asked, took) = (self.last_event - self.first_event, self.end - self.first_event);
        Outcome {
            ready: self.ready,
            done: self.done,
            tasks_per_s: self.done as f64 / seconds(took),
            kept_up: asked.max(1) as f64 / took.max(1) as f64,
            mean_ns: self.latency.mean(),
            p50_ns: self.latency.value_at_quantile(0.5),
            p99_ns: self.latency.value_at_quantile(0.99),
            wakes: per_task(self.wakes),
            wasted_wakes: per_task(self.wasted_wakes),
            cpu_ns: per_task(self.cpu),
            stranded_ns: self.stranded,
            unseen_ns: self.unseen,
            events_per_s: events as f64 / drivers as f64 / seconds(took),
        }
    }
}
