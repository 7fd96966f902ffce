//! A thousand tasks that wait for ever are aborted.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const TASKS: u64 = 1000;

pub(super) struct AbortStorm;

impl Workload for AbortStorm {
    const NAME: &str = "abort_storm";
    const OPERATION: &str =
        "one of 1000 tasks, started and left to wait for ever, then all aborted and joined";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let counts = Arc::new(Counts::default());
        let wait = |counts: Arc<Counts>| async move {
            counts.waiting.fetch_add(1, Ordering::Relaxed);
            let _dropped = CountsDrop(counts);
            std::future::pending::<()>().await;
        };
        let tasks: Vec<R::Join<()>> = (0..TASKS).map(|_| R::spawn(wait(Arc::clone(&counts)))).collect();
        while counts.waiting.load(Ordering::Relaxed) < TASKS {
            R::yield_now().await;
        }
        let aborted: Vec<_> = tasks.into_iter().map(R::abort).collect();
        for task in aborted {
            task.await;
        }
        counts.dropped.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
struct Counts {
    waiting: AtomicU64,
    dropped: AtomicU64,
}

struct CountsDrop(Arc<Counts>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
