//! Timers that never fire, as most timeouts do.
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const TIMERS: u64 = 10_000;
const FAR_AWAY: Duration = Duration::from_secs(30);

pub(super) struct UnfiredTimer;

impl Workload for UnfiredTimer {
    const NAME: &str = "timer";
    const OPERATION: &str = "one sleep of 30 s created, polled once and dropped, by a task for each worker at once; all of them divide the time";

    async fn batch<R: Runtime>(effort: Effort) -> u64 {
        let task = || async {
            let mut pending = 0;
            for _ in 0..TIMERS {
                let mut sleep = pin!(R::sleep(FAR_AWAY));
                let is_pending = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await;
                pending += u64::from(is_pending);
            }
            pending
        };
        let tasks: Vec<R::Join<u64>> = (0..effort.workers).map(|_| R::spawn(task())).collect();
        let mut pending = 0;
        for task in tasks {
            pending += task.await;
        }
        pending
    }
}
