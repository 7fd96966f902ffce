//! One task that sleeps a millisecond, again and again.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::micro::lateness::Lateness;
use crate::micro::row::{Effort, Kind, Measurement, Observation, Stopwatch};
use crate::runtimes::Runtime;

const SLEEPS: u64 = 500;
const LENGTH: Duration = Duration::from_millis(1);
const HOGS: usize = 4;
const HOG_NS: u64 = 50_000;

/// Alone.
pub(super) struct Alone;

impl Observation for Alone {
    const NAME: &str = "sleeper";
    const OPERATION: &str = "one of 500 sleeps of 1 ms, one after the other";
    const KIND: Kind = Kind::Lateness;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        R::run(effort.workers, sleep_on::<R>(effort))
    }
}

/// Beside tasks that use up every core.
pub(super) struct BesideHogs;

impl Observation for BesideHogs {
    const NAME: &str = "sleeper_beside_hogs";
    const OPERATION: &str = "the same beside 4 tasks that work 50 µs between yields";
    const KIND: Kind = Kind::Lateness;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        R::run(effort.workers, async move {
            let is_over = Arc::new(AtomicBool::new(false));
            let hog = |is_over: Arc<AtomicBool>| async move {
                let mut turns = 0u64;
                while !is_over.load(Ordering::Relaxed) {
                    effort.work_ns(HOG_NS);
                    R::yield_now().await;
                    turns += 1;
                }
                turns
            };
            let hogs: Vec<R::Join<u64>> = (0..HOGS).map(|_| R::spawn(hog(Arc::clone(&is_over)))).collect();
            let measurement = sleep_on::<R>(effort).await;
            is_over.store(true, Ordering::Relaxed);
            for hog in hogs {
                assert!(hog.await > 0, "every hog has its turns");
            }
            measurement
        })
    }
}

async fn sleep_on<R: Runtime>(effort: Effort) -> Measurement {
    let sleeps = effort.shrunk(SLEEPS);
    let mut lateness = Lateness::with_capacity(sleeps);
    let stopwatch = Stopwatch::start();
    for _ in 0..sleeps {
        let due = Instant::now() + LENGTH;
        R::sleep(LENGTH).await;
        assert!(Instant::now() >= due, "a sleep never ends early");
        lateness.happened(due);
    }
    lateness.measurement(&stopwatch)
}

/// One OS thread.
pub(super) fn thread(effort: Effort) -> Measurement {
    let sleeps = effort.shrunk(SLEEPS);
    let mut lateness = Lateness::with_capacity(sleeps);
    let stopwatch = Stopwatch::start();
    for _ in 0..sleeps {
        let due = Instant::now() + LENGTH;
        std::thread::sleep(LENGTH);
        lateness.happened(due);
    }
    lateness.measurement(&stopwatch)
}

/// One OS thread beside others.
pub(super) fn thread_beside_hogs(effort: Effort) -> Measurement {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..HOGS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    effort.work_ns(HOG_NS);
                    std::thread::yield_now();
                }
            });
        }
        let measurement = thread(effort);
        is_over.store(true, Ordering::Relaxed);
        measurement
    })
}
