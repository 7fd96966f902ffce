//! A thousand tasks wait and nothing happens: whether the process sleeps.
use std::time::Duration;

use tokio::sync::watch;

use crate::micro::row::{Effort, Kind, Measurement, Observation};
use crate::os::Usage;
use crate::runtimes::Runtime;

const TASKS: u64 = 1000;
/// What was started comes to rest.
const SETTLING: Duration = Duration::from_millis(200);
const WATCHED: Duration = Duration::from_secs(1);

pub(super) struct Idle;

impl Observation for Idle {
    const NAME: &str = "idle";
    const OPERATION: &str = "context switches of a process with 1000 tasks that wait, while nothing happens";
    const KIND: Kind = Kind::Idleness;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        // The root's thread is no worker: it may sleep without the runtime's help.
        R::block_on(effort.workers, async move {
            let (end, ending) = watch::channel(());
            let wait = |mut ending: watch::Receiver<()>| async move { ending.changed().await.is_ok() };
            let tasks: Vec<R::Join<bool>> = (0..TASKS).map(|_| R::spawn(wait(ending.clone()))).collect();
            drop(ending);
            std::thread::sleep(SETTLING / u32::try_from(effort.shrink).unwrap_or(u32::MAX));
            let before = Usage::of_this_process();
            let watched = WATCHED / u32::try_from(effort.shrink).unwrap_or(u32::MAX);
            std::thread::sleep(watched);
            let used = Usage::of_this_process().since(&before);
            // One is this thread's own sleep.
            let switches = (used.voluntary + used.involuntary).saturating_sub(1);
            end.send(()).expect("all tasks wait");
            let mut ended = 0;
            for task in tasks {
                ended += u64::from(task.await);
            }
            assert_eq!(ended, TASKS, "every task was waiting for the end");
            Measurement { figures: vec![switches as f64 / watched.as_secs_f64()], operations: ended }
        })
    }
}
