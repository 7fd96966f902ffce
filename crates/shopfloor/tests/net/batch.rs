//! One turn of the driver that has many wakers to call, two of which misbehave.
#![cfg(unix)]

use std::io::Write;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use shopfloor::io::AsyncReadExt;
use shopfloor::net::UnixStream;
use shopfloor::runtime::Runtime;
use shopfloor::task::{JoinHandle, State};
use shopfloor_protocol::sync::Mutex;

use crate::{multi_thread, on_each_backend, watched};

/// A waker of another executor.
struct Foreign(Mutex<Box<dyn FnMut() + Send>>);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        (*self.0.lock())();
    }
}

fn foreign(on_wake: impl FnMut() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Foreign(Mutex::new(Box::new(on_wake)))))
}

fn pair() -> (StdStream, UnixStream) {
    let (peer, ours) = StdStream::pair().expect("a pair");
    ours.set_nonblocking(true).expect("the mode");
    (peer, UnixStream::from_std(ours).expect("a stream"))
}

/// A task that waits for one byte and says that it came.
fn reader(runtime: &Runtime, mut stream: UnixStream, served: mpsc::Sender<()>) -> JoinHandle<()> {
    let task = runtime.spawn(async move {
        stream.read_exact(&mut [0]).await.expect("a byte");
        served.send(()).expect("the test counts");
    });
    while task.state() != State::Waiting {
        std::thread::yield_now();
    }
    task
}

/// Occupies a worker from the time that this returns until the sender is dropped.
fn plug(runtime: &Runtime) -> (JoinHandle<()>, mpsc::Sender<()>) {
    let (entered, is_in) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let task = runtime.spawn(async move {
        entered.send(()).expect("the test waits");
        assert!(released.recv().is_err(), "the sender is dropped");
    });
    is_in.recv().expect("a worker runs it");
    (task, release)
}

#[test]
fn wakers_that_panic_or_block_keep_nobody_of_their_batch_waiting() {
    const SOCKETS: usize = 100;
    on_each_backend(|backend| {
        watched(move || {
            let runtime = multi_thread(backend);
            let _inside = runtime.enter();
            let (served, serves) = mpsc::channel();
            let (mut peers, mut tasks) = (Vec::new(), Vec::new());
            for _ in 0..SOCKETS - 2 {
                let (peer, stream) = pair();
                peers.push(peer);
                tasks.push(reader(&runtime, stream, served.clone()));
            }
            // One more, whose byte comes while the waker blocks: it needs another turn of the driver.
            let (mut late_peer, stream) = pair();
            tasks.push(reader(&runtime, stream, served));

            let panicking = foreign(|| panic!("this waker panics on purpose"));
            let (released, is_released) = mpsc::channel();
            let blocking = foreign(move || {
                for _ in 0..SOCKETS - 2 {
                    serves.recv().expect("a task of the same batch");
                }
                late_peer.write_all(b"x").expect("a byte");
                serves.recv().expect("a task of a later turn");
                released.send(()).expect("the test waits");
            });
            let waits: Vec<_> = [panicking, blocking]
                .into_iter()
                .map(|waker| {
                    let (peer, stream) = pair();
                    peers.push(peer);
                    let mut waiting = Box::pin(async move { stream.readable().await });
                    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                    waiting
                })
                .collect();

            // Nobody turns the driver while all become ready.
            let plugs = [plug(&runtime), plug(&runtime)];
            for peer in &mut peers {
                peer.write_all(b"x").expect("a byte");
            }
            drop(plugs);
            is_released.recv().expect("the blocking waker comes to its end");
            for task in tasks {
                runtime.block_on(task).expect("no panic");
            }
            for mut waiting in waits {
                let polled = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(Ok(()))), "{polled:?}");
            }
            // Another worker may still be at the panic, until it ends.
            let handle = runtime.handle().clone();
            assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
            assert_eq!(handle.metrics().user_panics, 1);
        });
    });
}
