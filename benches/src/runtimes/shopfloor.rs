//! shopfloor.
use std::future::Future;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{CONNECTED, Runtime, TaskSet, read_byte, write_byte};

/// shopfloor with its I/O and timers enabled, as servers use it.
#[derive(Debug)]
pub struct Shopfloor;

/// Whether workers look around by the number of polls alone.
static LOOKS_BY_COUNT: AtomicBool = AtomicBool::new(false);

/// Lets the runtimes of this process look around after 61 polls, as tokio's do, however long they take: under callgrind, which
/// makes them long, the number of looks would depend on the machine.
pub fn look_by_count() {
    // Relaxed: no runtime has been started yet.
    LOOKS_BY_COUNT.store(true, Ordering::Relaxed);
}

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
        let mut builder = shopfloor::runtime::Builder::new_multi_thread();
        if LOOKS_BY_COUNT.load(Ordering::Relaxed) {
            builder.event_interval(61);
        }
        let runtime = builder.worker_threads(workers).enable_all().build().expect("shopfloor starts");
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

    fn sleep(duration: Duration) -> impl Future + Send {
        shopfloor::time::sleep(duration)
    }

    fn spawn_blocking<T: Send + 'static>(
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        Joined(shopfloor::task::spawn_blocking(job))
    }

    fn abort<T: Send + 'static>(task: Joined<T>) -> impl Future<Output = ()> + Send {
        task.0.abort();
        async {
            let result = task.0.await;
            assert!(result.is_err_and(|error| error.is_cancelled()), "an aborted task has no output");
        }
    }

    type Connection = shopfloor::net::TcpStream;

    fn watch(connection: TcpStream) -> Self::Connection {
        connection.set_nonblocking(true).expect(CONNECTED);
        shopfloor::net::TcpStream::from_std(connection).expect(CONNECTED)
    }

    fn read_byte(connection: &mut Self::Connection) -> impl Future<Output = Option<u8>> + Send {
        read_byte(connection)
    }

    fn write_byte(connection: &mut Self::Connection, byte: u8) -> impl Future<Output = ()> + Send {
        write_byte(connection, byte)
    }
}

impl TaskSet for Shopfloor {
    type Set = shopfloor::task::JoinSet<u64>;

    fn spawn_in(set: &mut Self::Set, future: impl Future<Output = u64> + Send + 'static) {
        set.spawn(future);
    }

    async fn join_next(set: &mut Self::Set) -> Option<u64> {
        let joined = set.join_next().await?;
        Some(joined.expect("tasks of a workload neither panic nor are aborted"))
    }
}
