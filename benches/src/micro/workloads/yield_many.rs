//! 200 tasks yield 1000 times each: tokio's `yield_many`.
use super::Workload;
use crate::runtimes::Runtime;

const TASKS: u64 = 200;
const YIELDS: u64 = 1000;

pub(super) struct YieldMany;

impl Workload for YieldMany {
    const NAME: &str = "yield_many";
    const OPERATION: &str = "one yield_now, 200 tasks yielding 1000 times each";
    const OPERATIONS: u64 = TASKS * YIELDS;

    async fn batch<R: Runtime>() {
        let task = || async {
            for _ in 0..YIELDS {
                R::yield_now().await;
            }
        };
        let tasks: Vec<R::Join<()>> = (0..TASKS).map(|_| R::spawn(task())).collect();
        for task in tasks {
            task.await;
        }
    }
}
