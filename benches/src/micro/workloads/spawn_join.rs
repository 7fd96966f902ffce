//! A thousand empty tasks are started, then all of them joined.
use std::sync::atomic::{AtomicU64, Ordering};

use crate::micro::row::{Effort, Measurement, Place, Workload, repeated_by};
use crate::runtimes::Runtime;

use super::pool;

const TASKS: u64 = 1000;

pub(super) struct Inside;

impl Workload for Inside {
    const NAME: &str = "spawn_join";
    const OPERATION: &str = "one of 1000 tasks started from a worker and joined (threads: of 100)";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        spawn_and_join::<R>().await
    }
}

pub(super) struct Outside;

impl Workload for Outside {
    const NAME: &str = "spawn_join_outside";
    const OPERATION: &str = "one of 1000 tasks started from the thread of block_on and joined";
    const PLACE: Place = Place::Outside;

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        spawn_and_join::<R>().await
    }
}

async fn spawn_and_join<R: Runtime>() -> u64 {
    let tasks: Vec<R::Join<()>> = (0..TASKS).map(|_| R::spawn(async {})).collect();
    let mut joined = 0;
    for task in tasks {
        task.await;
        joined += 1;
    }
    joined
}

/// rayon's scope.
pub(super) fn rayon(effort: Effort) -> Measurement {
    pool(effort.workers).install(|| {
        repeated_by(effort, || {
            let done = AtomicU64::new(0);
            rayon::scope(|scope| {
                for _ in 0..TASKS {
                    scope.spawn(|_| {
                        done.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            done.into_inner()
        })
    })
}

/// An OS thread for each, a hundred at once.
pub(super) fn threads(effort: Effort) -> Measurement {
    repeated_by(effort, || {
        let threads: Vec<_> = (0..100).map(|_| std::thread::spawn(|| 1)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it only counts")).sum()
    })
}
