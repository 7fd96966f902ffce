//! A thousand tasks at once, each of which starts a partner and exchanges one message each way by two oneshot
//! channels: tokio's `ping_pong`.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const PAIRS: u64 = 1000;
const ALIVE: &str = "the partner waits for it";

pub(super) struct PingPong;

impl Workload for PingPong {
    const NAME: &str = "ping_pong";
    const OPERATION: &str = "a pair of tasks, started, one message each way by oneshot, 1000 pairs at once";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let left = Arc::new(AtomicU64::new(PAIRS));
        let (done, mut all_done) = mpsc::channel(1);
        for _ in 0..PAIRS {
            let (left, done) = (Arc::clone(&left), done.clone());
            R::spawn_detached(async move {
                exchange::<R>().await;
                if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    done.try_send(()).expect(ALIVE);
                }
            });
        }
        all_done.recv().await.expect("the last pair sends");
        PAIRS - left.load(Ordering::Relaxed)
    }
}

async fn exchange<R: Runtime>() {
    let (ping, pinged) = oneshot::channel();
    let (pong, ponged) = oneshot::channel();
    R::spawn_detached(async move {
        pinged.await.expect(ALIVE);
        pong.send(()).expect(ALIVE);
    });
    ping.send(()).expect(ALIVE);
    ponged.await.expect(ALIVE);
}
