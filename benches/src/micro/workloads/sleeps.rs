//! Very many tasks that sleep at the same time.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::micro::lateness::Lateness;
use crate::micro::row::{Effort, Kind, Measurement, Observation, Stopwatch};
use crate::runtimes::Runtime;

/// From the first start of a task to the first deadline: all of them are started before.
const LEAD: Duration = Duration::from_secs(2);
/// From the first deadline to the last.
const SPREAD: Duration = Duration::from_secs(1);
/// Tasks started between two yields.
const BURST: u64 = 64;
/// Steps through the deadlines in an order that is not theirs: prime, so that each comes once.
const STRIDE: u64 = 611_953;

/// So many thousand sleeps.
pub(super) struct Sleeps<const THOUSANDS: u64>;

impl<const THOUSANDS: u64> Observation for Sleeps<THOUSANDS> {
    const NAME: &str = match THOUSANDS {
        100 => "sleeps_100k",
        1000 => "sleeps_1m",
        _ => panic!("each has a name"),
    };
    const OPERATION: &str = match THOUSANDS {
        100 => {
            "one of 100,000 tasks that sleep until their moments of the third second after the first was started"
        }
        _ => "the same with a million tasks",
    };
    const KIND: Kind = Kind::Lateness;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        let sleeps = effort.shrunk(THOUSANDS * 1000);
        let (lead, spread) = match effort.shrink {
            1 => (LEAD, SPREAD),
            _ => (LEAD / 100, SPREAD / 100),
        };
        R::run(effort.workers, async move {
            let stopwatch = Stopwatch::start();
            let (all_done, done) = oneshot::channel();
            let shared = Arc::new(Shared {
                late_ns: (0..sleeps).map(|_| AtomicU64::new(0)).collect(),
                left: AtomicU64::new(sleeps),
                all_done: std::sync::Mutex::new(Some(all_done)),
            });
            let first = Instant::now() + lead;
            for index in 0..sleeps {
                let due = first + spread.mul_f64((index * STRIDE % sleeps) as f64 / sleeps as f64);
                let shared = Arc::clone(&shared);
                R::spawn_detached(async move {
                    R::sleep(due.saturating_duration_since(Instant::now())).await;
                    shared.woke(index, due);
                });
                if index % BURST == 0 {
                    R::yield_now().await;
                }
            }
            done.await.expect("the last sleeper sends");
            let mut lateness = Lateness::with_capacity(sleeps);
            for late_ns in &shared.late_ns {
                lateness.record(Duration::from_nanos(late_ns.load(Ordering::Relaxed)));
            }
            lateness.measurement(&stopwatch)
        })
    }
}

struct Shared {
    late_ns: Vec<AtomicU64>,
    left: AtomicU64,
    all_done: std::sync::Mutex<Option<oneshot::Sender<()>>>,
}

impl Shared {
    fn woke(&self, index: u64, due: Instant) {
        let now = Instant::now();
        assert!(now >= due, "a sleep never ends early");
        let late = u64::try_from((now - due).as_nanos()).unwrap_or(u64::MAX);
        self.late_ns[index as usize].store(late, Ordering::Relaxed);
        // Acquire and release: the last one's message makes what all of them stored visible.
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let sender = self.all_done.lock().expect("no sleeper panics with the lock").take();
            sender.expect("one is the last").send(()).expect("the root waits");
        }
    }
}
