//! A task starts a thousand empty tasks, then joins all of them.
use super::Workload;
use crate::runtimes::Runtime;

pub(super) struct SpawnJoin;

impl Workload for SpawnJoin {
    const NAME: &str = "spawn_join";
    const OPERATION: &str = "one of 1000 tasks started from a worker and joined";
    const OPERATIONS: u64 = 1000;

    async fn batch<R: Runtime>() {
        let tasks: Vec<R::Join<()>> = (0..Self::OPERATIONS).map(|_| R::spawn(async {})).collect();
        for task in tasks {
            task.await;
        }
    }
}
