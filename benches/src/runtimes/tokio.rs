//! tokio's multi-threaded runtime.
use std::future::Future;
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{CONNECTED, Runtime, TaskSet, read_byte, write_byte};

/// tokio's multi-threaded runtime with all drivers enabled, as servers use it.
#[derive(Debug)]
pub struct Tokio;

/// A tokio join handle that passes a task's panic on.
#[derive(Debug)]
pub struct Joined<T>(tokio::task::JoinHandle<T>);

impl<T> Future for Joined<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let result = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(result.expect("tasks of a workload neither panic nor are aborted"))
    }
}

impl Runtime for Tokio {
    const NAME: &str = "tokio";
    type Join<T: Send + 'static> = Joined<T>;

    fn block_on<F: Future>(workers: usize, root: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("tokio's runtime starts");
        runtime.block_on(root)
    }

    fn spawn<F>(future: F) -> Joined<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(tokio::spawn(future))
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(tokio::spawn(future));
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future + Send {
        tokio::time::sleep(duration)
    }

    fn spawn_blocking<T: Send + 'static>(
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        Joined(tokio::task::spawn_blocking(job))
    }

    fn abort<T: Send + 'static>(task: Joined<T>) -> impl Future<Output = ()> + Send {
        task.0.abort();
        async {
            let result = task.0.await;
            assert!(result.is_err_and(|error| error.is_cancelled()), "an aborted task has no output");
        }
    }

    type Connection = tokio::net::TcpStream;

    fn watch(connection: TcpStream) -> Self::Connection {
        connection.set_nonblocking(true).expect(CONNECTED);
        tokio::net::TcpStream::from_std(connection).expect(CONNECTED)
    }

    fn read_byte(connection: &mut Self::Connection) -> impl Future<Output = Option<u8>> + Send {
        read_byte(connection)
    }

    fn write_byte(connection: &mut Self::Connection, byte: u8) -> impl Future<Output = ()> + Send {
        write_byte(connection, byte)
    }
}

impl TaskSet for Tokio {
    type Set = tokio::task::JoinSet<u64>;

    fn spawn_in(set: &mut Self::Set, future: impl Future<Output = u64> + Send + 'static) {
        set.spawn(future);
    }

    async fn join_next(set: &mut Self::Set) -> Option<u64> {
        let joined = set.join_next().await?;
        Some(joined.expect("tasks of a workload neither panic nor are aborted"))
    }
}
