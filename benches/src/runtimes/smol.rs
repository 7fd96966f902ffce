//! smol: its executor run by a number of threads, which also drive its reactor.
use std::future::Future;
use std::net::TcpStream;
use std::time::Duration;

use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::{CONNECTED, Runtime};

/// smol's executor with one thread per worker, as its documentation builds a multi-threaded one.
#[derive(Debug)]
pub struct Smol;

static EXECUTOR: smol::Executor<'static> = smol::Executor::new();

impl Runtime for Smol {
    const NAME: &str = "smol";
    type Join<T: Send + 'static> = smol::Task<T>;

    fn block_on<F: Future>(workers: usize, root: F) -> F::Output {
        let (stop, stopped) = smol::channel::bounded::<()>(1);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let stopped = stopped.clone();
                // The workers run until the channel closes, which is why they receive an error.
                scope.spawn(move || smol::block_on(EXECUTOR.run(stopped.recv())).expect_err("nobody sends"));
            }
            // Moved in, so that the workers stop even if the root panics.
            let _stop = stop;
            smol::block_on(root)
        })
    }

    fn spawn<F>(future: F) -> smol::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        EXECUTOR.spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        smol::future::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future + Send {
        smol::Timer::after(duration)
    }

    fn spawn_blocking<T: Send + 'static>(
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        smol::unblock(job)
    }

    async fn abort<T: Send + 'static>(task: smol::Task<T>) {
        assert!(task.cancel().await.is_none(), "an aborted task has no output");
    }
    type Connection = smol::Async<TcpStream>;

    fn watch(connection: TcpStream) -> Self::Connection {
        smol::Async::new(connection).expect(CONNECTED)
    }

    async fn read_byte(connection: &mut Self::Connection) -> Option<u8> {
        let mut byte = [0];
        let read = connection.read(&mut byte).await.expect(CONNECTED);
        (read == 1).then_some(byte[0])
    }

    async fn write_byte(connection: &mut Self::Connection, byte: u8) {
        connection.write_all(&[byte]).await.expect(CONNECTED);
    }
}
