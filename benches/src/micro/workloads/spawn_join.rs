//! A thousand empty tasks are started, then all of them joined.
use crate::micro::row::{Effort, Place, Workload};
use crate::runtimes::Runtime;

const TASKS: u64 = 1000;

pub(super) struct Inside;

impl Workload for Inside {
    const NAME: &str = "spawn_join";
    const OPERATION: &str = "one of 1000 tasks started from a worker and joined";

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
