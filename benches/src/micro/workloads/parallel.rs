//! Independent tasks of equal CPU time, started at once and joined.
use std::sync::atomic::{AtomicU64, Ordering};

use crate::micro::row::{Effort, Measurement, Workload, repeated_by};
use crate::runtimes::Runtime;

use super::pool;

/// So many tasks of so many microseconds.
pub(super) struct Parallel<const TASKS: u64, const US: u64>;

impl<const TASKS: u64, const US: u64> Workload for Parallel<TASKS, US> {
    const NAME: &str = match (TASKS, US) {
        (64, 1) => "par_1us",
        (64, 20) => "par_20us",
        (64, 100) => "par_100us",
        (2, 100) => "par_100us_two",
        _ => panic!("each has a name"),
    };
    const OPERATION: &str = match (TASKS, US) {
        (64, 1) => "one of 64 tasks of 1 µs of CPU time each, started at once and joined",
        (64, 20) => "one of 64 tasks of 20 µs of CPU time each",
        (64, 100) => "one of 64 tasks of 100 µs of CPU time each",
        _ => "one of 2 tasks of 100 µs of CPU time each",
    };

    async fn batch<R: Runtime>(effort: Effort) -> u64 {
        let task = || async move {
            effort.work_ns(US * 1000);
            1
        };
        let tasks: Vec<R::Join<u64>> = (0..TASKS).map(|_| R::spawn(task())).collect();
        let mut done = 0;
        for task in tasks {
            done += task.await;
        }
        done
    }
}

/// rayon's scope.
pub(super) fn rayon<const TASKS: u64, const US: u64>(effort: Effort) -> Measurement {
    pool(effort.workers).install(|| {
        repeated_by(effort, || {
            let done = AtomicU64::new(0);
            rayon::scope(|scope| {
                for _ in 0..TASKS {
                    scope.spawn(|_| {
                        effort.work_ns(US * 1000);
                        done.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            done.into_inner()
        })
    })
}

/// An OS thread for each, whatever the number of workers.
pub(super) fn threads<const TASKS: u64, const US: u64>(effort: Effort) -> Measurement {
    repeated_by(effort, || {
        let done = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..TASKS {
                scope.spawn(|| {
                    effort.work_ns(US * 1000);
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        done.into_inner()
    })
}
