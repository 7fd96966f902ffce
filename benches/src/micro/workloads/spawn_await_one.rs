//! A task starts one task and waits for it, a thousand times.
use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const TASKS: u64 = 1000;

pub(super) struct SpawnAwaitOne;

impl Workload for SpawnAwaitOne {
    const NAME: &str = "spawn_await_one";
    const OPERATION: &str = "one task started and awaited before the next";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let mut ended = 0;
        for _ in 0..TASKS {
            ended += R::spawn(async { 1 }).await;
        }
        ended
    }
}
