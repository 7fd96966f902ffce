//! A task starts a task that starts a task, a thousand deep: tokio's `chained_spawn`.
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::micro::row::{Effort, Workload};
use crate::runtimes::Runtime;

const LINKS: u64 = 1000;

pub(super) struct ChainedSpawn;

impl Workload for ChainedSpawn {
    const NAME: &str = "chained_spawn";
    const OPERATION: &str = "one link of a chain of 1000 tasks, each started by the one before";

    async fn batch<R: Runtime>(_: Effort) -> u64 {
        let (done, all_done) = oneshot::channel();
        spawn_link::<R>(done, 1);
        all_done.await.expect("the last link sends")
    }
}

/// Starts the next link; the last one tells the root its number.
fn spawn_link<R: Runtime>(done: oneshot::Sender<u64>, number: u64) {
    R::spawn_detached(Link::<R> { done: Some(done), number, runtime: PhantomData });
}

/// Written by hand, because an `async fn` that starts itself would have a type without end.
struct Link<R> {
    done: Option<oneshot::Sender<u64>>,
    number: u64,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Future for Link<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let done = self.done.take().expect("a finished link is not polled again");
        if self.number == LINKS {
            done.send(self.number).expect("the root waits for it");
        } else {
            spawn_link::<R>(done, self.number + 1);
        }
        Poll::Ready(())
    }
}
