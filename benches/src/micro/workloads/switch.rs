//! Two tasks send a token to and fro over two bounded channels of one place.
use tokio::sync::mpsc;

use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const ROUND_TRIPS: u64 = 1000;
const ALIVE: &str = "both tasks play to the end";

pub(super) struct Switch;

impl Workload for Switch {
    const NAME: &str = "switch";
    const OPERATION: &str = "one hand-over of a token between two tasks, by tokio::sync::mpsc of capacity 1";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let (there, mut token_there) = mpsc::channel::<()>(1);
        let (back, mut token_back) = mpsc::channel::<()>(1);
        let other = R::spawn(async move {
            let mut returned = 0;
            while token_there.recv().await.is_some() {
                back.send(()).await.expect(ALIVE);
                returned += 1;
            }
            returned
        });
        for _ in 0..ROUND_TRIPS {
            there.send(()).await.expect(ALIVE);
            token_back.recv().await.expect(ALIVE);
        }
        drop(there);
        2 * other.await
    }
}
