//! Two tasks send a token to and fro over two bounded channels of one place.
use std::sync::mpsc as std_mpsc;

use tokio::sync::mpsc;

use crate::micro::row::{Effort, Measurement, Workload, repeated_by};
use crate::runtimes::Runtime;

const ROUND_TRIPS: u64 = 1000;
const ALIVE: &str = "both play to the end";

/// By the channel that shopfloor and tokio have.
pub(super) struct ByTokio;

impl Workload for ByTokio {
    const NAME: &str = "switch";
    const OPERATION: &str = "one hand-over of a token between two tasks, by tokio::sync::mpsc of capacity 1 \
        (threads: by std's sync_channel)";

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

/// By the channel that smol has.
pub(super) struct ByAsyncChannel;

impl Workload for ByAsyncChannel {
    const NAME: &str = "switch_async_channel";
    const OPERATION: &str = "the same by async-channel of capacity 1";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let (there, token_there) = smol::channel::bounded::<()>(1);
        let (back, token_back) = smol::channel::bounded::<()>(1);
        let other = R::spawn(async move {
            let mut returned = 0;
            while token_there.recv().await.is_ok() {
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

/// Two OS threads.
pub(super) fn threads(effort: Effort) -> Measurement {
    repeated_by(effort, || {
        let (there, token_there) = std_mpsc::sync_channel::<()>(1);
        let (back, token_back) = std_mpsc::sync_channel::<()>(1);
        let other = std::thread::spawn(move || {
            let mut returned = 0;
            while token_there.recv().is_ok() {
                back.send(()).expect(ALIVE);
                returned += 1;
            }
            returned
        });
        for _ in 0..ROUND_TRIPS {
            there.send(()).expect(ALIVE);
            token_back.recv().expect(ALIVE);
        }
        drop(there);
        2 * other.join().expect(ALIVE)
    })
}
