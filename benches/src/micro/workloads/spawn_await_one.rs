//! A task starts one task and waits for it, a thousand times.
use super::Workload;
use crate::runtimes::Runtime;

pub(super) struct SpawnAwaitOne;

impl Workload for SpawnAwaitOne {
    const NAME: &str = "spawn_await_one";
    const OPERATION: &str = "one task started and awaited before the next";
    const OPERATIONS: u64 = 1000;

    async fn batch<R: Runtime>() {
        for _ in 0..Self::OPERATIONS {
            R::spawn(async {}).await;
        }
    }
}
