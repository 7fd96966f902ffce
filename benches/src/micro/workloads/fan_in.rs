//! Four tasks send to one.
use tokio::sync::mpsc;

use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const SENDERS: u64 = 4;
const MESSAGES: u64 = 1000;
const CAPACITY: usize = 64;

pub(super) struct FanIn;

impl Workload for FanIn {
    const NAME: &str = "fan_in";
    const OPERATION: &str =
        "one of 1000 messages of each of 4 tasks to a fifth, by tokio::sync::mpsc of capacity 64";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let (sender, mut messages) = mpsc::channel(CAPACITY);
        for _ in 0..SENDERS {
            let sender = sender.clone();
            R::spawn_detached(async move {
                for number in 1..=MESSAGES {
                    sender.send(number).await.expect("the receiver waits for all");
                }
            });
        }
        drop(sender);
        let (mut received, mut sum) = (0, 0);
        while let Some(number) = messages.recv().await {
            received += 1;
            sum += number;
        }
        assert_eq!(sum, SENDERS * MESSAGES * (MESSAGES + 1) / 2, "each message arrives once");
        received
    }
}
