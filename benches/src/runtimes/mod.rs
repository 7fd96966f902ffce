//! The runtimes under test behind one small trait, so that all of them run the same workload source.
use std::future::Future;
use std::net::TcpStream;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub mod shopfloor;
pub mod smol;
pub mod tokio;

/// A runtime that runs tasks on a number of workers.
///
/// The functions are static, as a user calls them: where a runtime has no ambient context, its implementation keeps
/// one executor for the process, which runs one measurement only.
pub trait Runtime: 'static {
    /// Name on the command line and in tables.
    const NAME: &str;

    /// What `spawn` returns: resolves to the output of the task, panics if the task panicked.
    type Join<T: Send + 'static>: Future<Output = T> + Send + Unpin + 'static;

    /// Starts `workers` workers and runs `root` on the calling thread, which is none of them.
    ///
    /// # Panics
    /// If the runtime cannot be started, or `root` panics.
    fn block_on<F: Future>(workers: usize, root: F) -> F::Output;

    /// Starts `workers` workers, runs `root` as a task on one of them and returns its output.
    ///
    /// # Panics
    /// If the runtime cannot be started, or `root` panics.
    fn run<F>(workers: usize, root: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Self::block_on(workers, async { Self::spawn(root).await })
    }

    /// Starts a task from inside the runtime.
    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Starts a task that nobody will join.
    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// Lets other tasks run first.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Ends after `duration`.
    fn sleep(duration: Duration) -> impl Future + Send;

    /// Runs `job` on a thread that may block.
    fn spawn_blocking<T: Send + 'static>(
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;

    /// Aborts a task; the future ends when the task has. smol aborts on the first poll of it.
    fn abort<T: Send + 'static>(task: Self::Join<T>) -> impl Future<Output = ()> + Send;

    /// A connection whose readiness the runtime watches.
    type Connection: Send + 'static;

    /// Watches a connection, which does not block any more.
    ///
    /// # Panics
    /// If it cannot be watched.
    fn watch(connection: TcpStream) -> Self::Connection;

    /// The next byte; `None` at the end.
    fn read_byte(connection: &mut Self::Connection) -> impl Future<Output = Option<u8>> + Send;

    /// Writes one byte.
    fn write_byte(connection: &mut Self::Connection, byte: u8) -> impl Future<Output = ()> + Send;
}

/// What [`Runtime::read_byte`] and [`write_byte`](Runtime::write_byte) expect of a connection.
const CONNECTED: &str = "a connection of a workload fails only with the machine";

/// [`Runtime::read_byte`] of a connection with tokio's traits.
async fn read_byte(connection: &mut (impl AsyncRead + Unpin)) -> Option<u8> {
    let mut byte = [0];
    let read = connection.read(&mut byte).await.expect(CONNECTED);
    (read == 1).then_some(byte[0])
}

/// [`Runtime::write_byte`], as [`read_byte`].
async fn write_byte(connection: &mut (impl AsyncWrite + Unpin), byte: u8) {
    connection.write_all(&[byte]).await.expect(CONNECTED);
}

/// A runtime with a set of tasks that are joined in the order in which they end.
pub trait TaskSet: Runtime {
    /// The set.
    type Set: Default + Send;

    /// Starts a task in it.
    fn spawn_in(set: &mut Self::Set, future: impl Future<Output = u64> + Send + 'static);

    /// The output of the next task that ends; `None` if the set is empty.
    fn join_next(set: &mut Self::Set) -> impl Future<Output = Option<u64>> + Send;
}

/// A computation for any runtime: [`with_runtime`] picks the runtime by name.
pub trait ForRuntime {
    /// What the computation returns.
    type Output;
    /// Runs it on `R`.
    fn on<R: Runtime>(self) -> Self::Output;
}

/// rayon's pool, which is no runtime, but can do some of the same.
pub const RAYON: &str = "rayon";
/// Threads of the operating system.
pub const THREADS: &str = "threads";

/// Whoever has a row somewhere, in the order of the tables.
pub const CONTESTANTS: [&str; 5] = [NAMES[0], NAMES[1], NAMES[2], RAYON, THREADS];

/// Names of all runtimes, in the order of the tables.
pub const NAMES: [&str; 3] = [shopfloor::Shopfloor::NAME, tokio::Tokio::NAME, smol::Smol::NAME];

/// Runs `computation` on the runtime called `name`; `None` if there is no such runtime.
pub fn with_runtime<C: ForRuntime>(name: &str, computation: C) -> Option<C::Output> {
    match name {
        shopfloor::Shopfloor::NAME => Some(computation.on::<shopfloor::Shopfloor>()),
        tokio::Tokio::NAME => Some(computation.on::<tokio::Tokio>()),
        smol::Smol::NAME => Some(computation.on::<smol::Smol>()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::{ForRuntime, NAMES, Runtime, with_runtime};

    struct Family;

    impl ForRuntime for Family {
        type Output = u32;
        fn on<R: Runtime>(self) -> u32 {
            R::run(2, async {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                R::spawn_detached(async move {
                    R::yield_now().await;
                    sender.send(40).expect("the root task waits for it");
                });
                R::abort(R::spawn(std::future::pending::<()>())).await;
                R::sleep(Duration::from_micros(1)).await;
                let joined = R::spawn(async { 1 }).await + R::spawn_blocking(|| 1).await;
                let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
                let address = listener.local_addr().expect("a listener has an address");
                let mut near = R::watch(TcpStream::connect(address).expect("it is listening"));
                let mut far = R::watch(listener.accept().expect("it is connected").0);
                R::write_byte(&mut near, 9).await;
                drop(near);
                assert_eq!(R::read_byte(&mut far).await, Some(9));
                assert_eq!(R::read_byte(&mut far).await, None);
                joined + receiver.await.expect("the detached task runs")
            })
        }
    }

    #[test]
    fn every_runtime_spawns_yields_sleeps_aborts_joins_reads_and_writes() {
        for name in NAMES {
            assert_eq!(with_runtime(name, Family), Some(42), "{name}");
        }
        assert_eq!(with_runtime("none of these", Family), None);
    }
}
