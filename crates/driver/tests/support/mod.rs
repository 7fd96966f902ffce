//! A tiny executor: all tasks on the thread of the test, which also makes the driver's turns. A task that is
//! never woken fails the test instead of hanging it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use shopfloor_driver::{Backend, Driver, Source, SourceKind};
use shopfloor_protocol::sync::Mutex;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// The backends that this platform has, in every mode.
#[cfg(target_os = "linux")]
pub(crate) const BACKENDS: &[Backend] = &[Backend::Epoll, Backend::Portable, Backend::PortableOneshot];
#[cfg(not(target_os = "linux"))]
pub(crate) const BACKENDS: &[Backend] = &[Backend::Portable, Backend::PortableOneshot];

/// Longer than any wake-up on a busy machine takes; a test that needs it has lost one.
pub(crate) const LOST: Duration = Duration::from_secs(20);

pub(crate) type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A driver and the tasks that run on it.
pub(crate) struct Floor {
    pub(crate) driver: Arc<Driver>,
    pub(crate) backend: Backend,
}

struct Alarm(Mutex<bool>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.0.lock() = true;
    }
}

/// Runs `test` once on each backend.
pub(crate) fn on_each_backend(test: impl Fn(&Floor)) {
    for &backend in BACKENDS {
        let driver = Arc::new(Driver::with_backend(backend).expect("a driver"));
        test(&Floor { driver, backend });
    }
}

impl Floor {
    /// Runs one task to its end.
    pub(crate) fn run<T>(&self, task: impl Future<Output = T>) -> T {
        self.run_all(vec![Box::pin(task)]).remove(0)
    }

    /// Runs a task that has to wait, and does `meanwhile` once it does: the next turn sees all of it at once.
    pub(crate) fn while_waiting<T>(&self, task: impl Future<Output = T>, meanwhile: impl FnOnce()) -> T {
        let mut meanwhile = Some(meanwhile);
        let mut task = std::pin::pin!(task);
        self.run(std::future::poll_fn(|cx| {
            let polled = task.as_mut().poll(cx);
            if polled.is_pending()
                && let Some(meanwhile) = meanwhile.take()
            {
                // What is ready now must not be the first thing that the kernel says.
                self.drain_events();
                assert!(task.as_mut().poll(cx).is_pending(), "it has nothing to go on with yet");
                meanwhile();
            }
            polled
        }))
    }

    /// Runs all tasks to their ends; the results are in the order of the tasks.
    pub(crate) fn run_all<T>(&self, tasks: Vec<Task<'_, T>>) -> Vec<T> {
        let mut results: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
        let mut tasks: Vec<_> =
            tasks.into_iter().map(|task| (Some(task), Arc::new(Alarm(Mutex::new(true))))).collect();
        loop {
            for ((task, alarm), result) in tasks.iter_mut().zip(&mut results) {
                while task.is_some() && std::mem::take(&mut *alarm.0.lock()) {
                    let waker = Waker::from(Arc::clone(alarm));
                    let polled =
                        task.as_mut().map(|task| task.as_mut().poll(&mut Context::from_waker(&waker)));
                    if let Some(Poll::Ready(output)) = polled {
                        *result = Some(output);
                        *task = None;
                    }
                }
            }
            if tasks.iter().all(|(task, _)| task.is_none()) {
                return results.into_iter().map(|result| result.expect("every task has ended")).collect();
            }
            if !tasks.iter().any(|(task, alarm)| task.is_some() && *alarm.0.lock()) {
                self.turn();
            }
        }
    }

    /// One turn that wakes somebody.
    pub(crate) fn turn(&self) {
        let start = std::time::Instant::now();
        let mut wakers = Vec::new();
        while wakers.is_empty() {
            assert!(start.elapsed() < LOST, "nobody was woken: {:?}", self.backend);
            self.driver.turn(Some(LOST), usize::MAX, &mut wakers).expect("a turn");
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Makes turns without waiting until no event is left, and wakes whom they concern.
    pub(crate) fn drain_events(&self) {
        let mut wakers = Vec::new();
        while self.driver.turn(Some(Duration::ZERO), usize::MAX, &mut wakers).expect("a turn") > 0 {}
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A TCP connection: our end as a source, the peer's as a blocking stream.
    pub(crate) fn tcp(&self) -> (Source<TcpStream>, TcpStream) {
        let listener = TcpListener::bind(localhost()).expect("a listener");
        let peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let (ours, _) = listener.accept().expect("a connection");
        ours.set_nonblocking(true).expect("a mode");
        ours.set_nodelay(true).expect("an option");
        peer.set_nodelay(true).expect("an option");
        (Source::new(ours, &self.driver, SourceKind::TcpStream), peer)
    }

    /// A UDP socket as a source, and a blocking one that is connected to it.
    pub(crate) fn udp(&self) -> (Source<UdpSocket>, UdpSocket) {
        let ours = UdpSocket::bind(localhost()).expect("a socket");
        let peer = UdpSocket::bind(localhost()).expect("a socket");
        peer.connect(ours.local_addr().expect("an address")).expect("a peer");
        ours.set_nonblocking(true).expect("a mode");
        (Source::new(ours, &self.driver, SourceKind::Other), peer)
    }
}

pub(crate) fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Reads as a stream does.
pub(crate) async fn read<T>(source: &Source<T>, buffer: &mut [u8]) -> io::Result<usize>
where
    T: polling::AsSource,
    for<'a> &'a T: io::Read,
{
    std::future::poll_fn(|cx| source.poll_read_io(cx, buffer.len(), |mut io| io::Read::read(&mut io, buffer)))
        .await
}

/// Reads until the end.
pub(crate) async fn read_to_end<T>(source: &Source<T>, buffer_len: usize) -> io::Result<Vec<u8>>
where
    T: polling::AsSource,
    for<'a> &'a T: io::Read,
{
    let (mut all, mut buffer) = (Vec::new(), vec![0; buffer_len]);
    loop {
        match read(source, &mut buffer).await? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Writes everything as a stream does.
pub(crate) async fn write_all<T>(source: &Source<T>, mut data: &[u8]) -> io::Result<()>
where
    T: polling::AsSource,
    for<'a> &'a T: io::Write,
{
    while !data.is_empty() {
        let count = std::future::poll_fn(|cx| {
            source.poll_write_io(cx, data.len(), |mut io| io::Write::write(&mut io, data))
        })
        .await?;
        data = &data[count..];
    }
    Ok(())
}

/// Runs one task on this thread, which sleeps in between; another one makes the driver's turns.
pub(crate) fn block_on_thread<T>(task: impl Future<Output = T>) -> T {
    struct Thread(std::thread::Thread);
    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Thread(std::thread::current())));
    let mut task = std::pin::pin!(task);
    loop {
        if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        std::thread::park();
    }
}

/// A thread that makes turns until it is stopped.
pub(crate) struct Turning {
    driver: Arc<Driver>,
    stopped: Arc<Mutex<bool>>,
    thread: std::thread::JoinHandle<()>,
}

impl Turning {
    pub(crate) fn start(driver: &Arc<Driver>) -> Self {
        let stopped = Arc::new(Mutex::new(false));
        let (in_thread, driver_in_thread) = (Arc::clone(&stopped), Arc::clone(driver));
        let thread = std::thread::spawn(move || {
            let mut wakers = Vec::new();
            while !*in_thread.lock() {
                driver_in_thread.turn(None, usize::MAX, &mut wakers).expect("a turn");
                wakers.drain(..).for_each(Waker::wake);
            }
        });
        Self { driver: Arc::clone(driver), stopped, thread }
    }

    pub(crate) fn stop(self) {
        *self.stopped.lock() = true;
        self.driver.interrupt();
        self.thread.join().expect("the turns end");
    }
}

/// Returns Pending once, and is woken at once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
