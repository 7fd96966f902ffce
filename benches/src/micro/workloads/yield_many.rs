//! 200 tasks yield 1000 times each: tokio's `yield_many`.
use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const TASKS: u64 = 200;
const YIELDS: u64 = 1000;

pub(super) struct YieldMany;

impl Workload for YieldMany {
    const NAME: &str = "yield_many";
    const OPERATION: &str = "one yield_now, 200 tasks yielding 1000 times each";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let task = || async {
            let mut yielded = 0;
            for _ in 0..YIELDS {
                R::yield_now().await;
                yielded += 1;
            }
            yielded
        };
        let tasks: Vec<R::Join<u64>> = (0..TASKS).map(|_| R::spawn(task())).collect();
        let mut yielded = 0;
        for task in tasks {
            yielded += task.await;
        }
        yielded
    }
}
