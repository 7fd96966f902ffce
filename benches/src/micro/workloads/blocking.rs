//! Code that blocks, on a thread made for it.
use crate::micro::row::{Effort, Measurement, Workload, repeated_by};
use crate::runtimes::Runtime;

const ROUND_TRIPS: u64 = 100;
const JOBS: u64 = 1000;

/// One at a time.
pub(super) struct RoundTrip;

impl Workload for RoundTrip {
    const NAME: &str = "blocking";
    const OPERATION: &str = "one empty spawn_blocking, awaited before the next (threads: started and joined)";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let mut done = 0;
        for _ in 0..ROUND_TRIPS {
            done += R::spawn_blocking(|| 1).await;
        }
        done
    }
}

/// Very many at once.
pub(super) struct BlockingBatch;

impl Workload for BlockingBatch {
    const NAME: &str = "blocking_batch";
    const OPERATION: &str = "one of 1000 empty spawn_blocking, all started, then all awaited";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let jobs: Vec<_> = (0..JOBS).map(|_| R::spawn_blocking(|| 1)).collect();
        let mut done = 0;
        for job in jobs {
            done += job.await;
        }
        done
    }
}

/// A thread for each.
pub(super) fn threads(effort: Effort) -> Measurement {
    repeated_by(effort, || {
        (0..ROUND_TRIPS).map(|_| std::thread::spawn(|| 1).join().expect("it only counts")).sum()
    })
}
