//! Four tasks want the same thing.
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const TASKS: u64 = 4;
const TURNS: u64 = 1000;

/// A lock that is held across a yield.
pub(super) struct ContendedMutex;

impl Workload for ContendedMutex {
    const NAME: &str = "mutex";
    const OPERATION: &str =
        "one of 1000 turns of each of 4 tasks with a tokio::sync::Mutex, yielding under the lock";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let turns = Arc::new(Mutex::new(0u64));
        let task = |turns: Arc<Mutex<u64>>| async move {
            for _ in 0..TURNS {
                let mut turns = turns.lock().await;
                let before = *turns;
                R::yield_now().await;
                // Two holders at once would lose a turn.
                *turns = before + 1;
            }
        };
        let tasks: Vec<R::Join<()>> = (0..TASKS).map(|_| R::spawn(task(Arc::clone(&turns)))).collect();
        for task in tasks {
            task.await;
        }
        let turns = *turns.lock().await;
        assert_eq!(turns, TASKS * TURNS, "one holder at a time");
        turns
    }
}

/// A channel with room for one message, two senders and two receivers.
pub(super) struct NarrowChannel;

impl Workload for NarrowChannel {
    const NAME: &str = "channel_bounded_1";
    const OPERATION: &str =
        "one of 1000 messages of each of 2 tasks to 2 others, by async-channel of capacity 1";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let (sender, receiver) = smol::channel::bounded(1);
        for _ in 0..TASKS / 2 {
            let sender = sender.clone();
            R::spawn_detached(async move {
                for number in 1..=TURNS {
                    sender.send(number).await.expect("the receivers wait for all");
                }
            });
        }
        drop(sender);
        let receive = |receiver: smol::channel::Receiver<u64>| async move {
            let (mut received, mut sum) = (0, 0);
            while let Ok(number) = receiver.recv().await {
                received += 1;
                sum += number;
            }
            (received, sum)
        };
        let tasks: Vec<R::Join<(u64, u64)>> =
            (0..TASKS / 2).map(|_| R::spawn(receive(receiver.clone()))).collect();
        let (mut received, mut sum) = (0, 0);
        for task in tasks {
            let (of_one, sum_of_one) = task.await;
            received += of_one;
            sum += sum_of_one;
        }
        assert_eq!(sum, TASKS / 2 * TURNS * (TURNS + 1) / 2, "each message arrives once");
        received
    }
}
