//! shopfloor.
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Runtime;

/// shopfloor with its I/O and timers enabled, as servers use it.
#[derive(Debug)]
pub struct Shopfloor;

/// A shopfloor join handle that passes a task's panic on.
#[derive(Debug)]
pub struct Joined<T>(shopfloor::task::JoinHandle<T>);

impl<T> Future for Joined<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let result = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(result.expect("tasks of a workload neither panic nor are aborted"))
    }
}

impl Runtime for Shopfloor {
    const NAME: &str = "shopfloor";
    type Join<T: Send + 'static> = Joined<T>;

    fn block_on<F: Future>(workers: usize, root: F) -> F::Output {
        let runtime = shopfloor::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("shopfloor starts");
        runtime.block_on(root)
    }

    fn spawn<F>(future: F) -> Joined<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(shopfloor::spawn(future))
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(shopfloor::spawn(future));
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        shopfloor::task::yield_now()
    }
}
