//! The program that is tormented: a server that keeps account of everything it begins.
//!
//! A request is one byte, and its echo the answer. Before it answers, the server does what the byte asks for: a
//! blocking job, a connection to another server, a nap. A pipe is watched all the time. The program ends when it has
//! accounted for as many connections as its peers say they have opened.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use shopfloor::io::{AsyncFd, AsyncReadExt, AsyncWriteExt, Interest};
use shopfloor::net::{TcpListener, TcpStream};
use shopfloor::runtime::{Builder, Runtime};
use shopfloor::sync::Notify;
use shopfloor::task::{JoinSet, spawn_blocking};
use shopfloor::time::{sleep, timeout};
use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::Mutex;

/// Bytes that go through the pipe.
const PIPED: u64 = 20;
/// Nobody else is to look for the end of the program before it has looked itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was begun and what became of it.
#[derive(Debug, Default)]
struct Books {
    accepted: Counter,
    served: Counter,
    failed: Counter,
    bind_errors: Counter,
    accept_errors: Counter,
    jobs: Counter,
    jobs_cancelled: Counter,
    dials: Counter,
    dial_errors: Counter,
    naps: Counter,
    piped: Counter,
    pipe_errors: Counter,
    /// Connections that the peers have opened, as far as they have said.
    opened: Mutex<u64>,
    /// Every error that was told, by its number.
    errnos: Mutex<BTreeSet<i32>>,
    progress: Notify,
}

impl Books {
    fn note(&self, errors: &Counter, error: &io::Error) {
        errors.add(1);
        self.errnos.lock().insert(error.raw_os_error().unwrap_or(0));
    }

    fn is_settled(&self) -> bool {
        let opened = *self.opened.lock();
        opened > 0 && self.served.get() + self.failed.get() == opened && self.accepted.get() == opened
    }

    fn ledger(&self) -> String {
        let errnos: Vec<String> = self.errnos.lock().iter().map(i32::to_string).collect();
        let entries = [
            ("opened", *self.opened.lock()),
            ("accepted", self.accepted.get()),
            ("served", self.served.get()),
            ("failed", self.failed.get()),
            ("bind_errors", self.bind_errors.get()),
            ("accept_errors", self.accept_errors.get()),
            ("jobs", self.jobs.get()),
            ("jobs_cancelled", self.jobs_cancelled.get()),
            ("dials", self.dials.get()),
            ("dial_errors", self.dial_errors.get()),
            ("naps", self.naps.get()),
            ("piped", self.piped.get()),
            ("pipe_errors", self.pipe_errors.get()),
        ];
        let entries: Vec<String> = entries.iter().map(|(name, count)| format!("{name}={count}")).collect();
        format!("ledger {} errnos={}", entries.join(" "), errnos.join(","))
    }
}

/// Says `line`, whatever is done to `write` meanwhile.
fn say(line: &str) {
    let line = format!("{line}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        // An error means that this call was the chosen one; the next is another.
        if let Ok(count) = rustix::io::write(io::stdout(), rest) {
            rest = &rest[count..];
        }
    }
}

/// Waits for a line, so that whoever torments the program can take its place.
fn wait(at: &str) {
    say(at);
    let mut line = String::new();
    while !line.ends_with('\n') {
        // An interrupted or failed read is one that was chosen.
        let _ = io::stdin().read_line(&mut line);
    }
}

/// The program.
pub(crate) fn run(upstream: SocketAddr) {
    // On a system that asks for leave to be traced. Where none is needed the call is refused.
    let _ = rustix::process::set_ptracer(rustix::process::PTracer::Any);
    wait("ready");
    match Builder::new_multi_thread().worker_threads(2).shutdown_grace(PATIENCE).build() {
        Ok(runtime) => {
            wait("built");
            open(runtime, upstream);
        }
        Err(error) => say(&format!("refused {}", error.raw_os_error().unwrap_or(0))),
    }
    io::stdout().flush().expect("everything is written");
}

fn open(runtime: Runtime, upstream: SocketAddr) {
    let books = Arc::new(Books::default());
    let day = runtime.spawn(work(Arc::clone(&books), upstream));
    let outcome = match runtime.block_on(async { timeout(PATIENCE, day).await }) {
        Ok(Ok(())) => "closed",
        Ok(Err(_)) => "panicked",
        Err(_) => "hangs",
    };
    let report = runtime.shutdown_timeout(PATIENCE);
    say(&books.ledger());
    say(&format!("{outcome} clean={}", report.is_clean()));
}

async fn work(books: Arc<Books>, upstream: SocketAddr) {
    let pipe = shopfloor::spawn(watch_a_pipe(Arc::clone(&books)));
    let mut connections = JoinSet::new();
    let listener = loop {
        match TcpListener::bind("127.0.0.1:0").await {
            Ok(listener) => break listener,
            Err(error) => books.note(&books.bind_errors, &error),
        }
    };
    say(&format!("port {}", listener.local_addr().expect("it is bound").port()));
    while !books.is_settled() {
        shopfloor::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    books.accepted.add(1);
                    connections.spawn(serve(stream, Arc::clone(&books), upstream));
                }
                Err(error) => {
                    books.note(&books.accept_errors, &error);
                    sleep(Duration::from_millis(1)).await;
                }
            },
            () = books.progress.notified() => {}
        }
    }
    while let Some(ended) = connections.join_next().await {
        ended.expect("no connection panics");
    }
    pipe.await.expect("nobody aborts it");
}

async fn serve(stream: TcpStream, books: Arc<Books>, upstream: SocketAddr) {
    match echo(stream, &books, upstream).await {
        Ok(()) => books.served.add(1),
        Err(error) => books.note(&books.failed, &error),
    }
    books.progress.notify_one();
}

async fn echo(mut stream: TcpStream, books: &Books, upstream: SocketAddr) -> io::Result<()> {
    loop {
        let mut request = [0];
        if stream.read(&mut request).await? == 0 {
            return Ok(());
        }
        match request[0] {
            b'j' => {
                books.jobs.add(1);
                if spawn_blocking(std::thread::yield_now).await.is_err() {
                    books.jobs_cancelled.add(1);
                }
            }
            b'd' => {
                books.dials.add(1);
                if let Err(error) = dial(upstream).await {
                    books.note(&books.dial_errors, &error);
                }
            }
            b'n' => {
                sleep(Duration::from_millis(2)).await;
                books.naps.add(1);
            }
            b'q' => {
                let opened = stream.read_u64().await?;
                let mut known = books.opened.lock();
                *known = opened.max(*known);
            }
            _ => {}
        }
        stream.write_all(&request).await?;
    }
}

async fn dial(upstream: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(upstream).await?;
    stream.write_u8(b'e').await?;
    stream.read_u8().await?;
    Ok(())
}

async fn watch_a_pipe(books: Arc<Books>) {
    let flags = rustix::pipe::PipeFlags::NONBLOCK | rustix::pipe::PipeFlags::CLOEXEC;
    let (reader, writer) = rustix::pipe::pipe_with(flags).expect("a pipe: no call of it is chosen");
    // Each byte is an event of its own; a try that was told "would block" is made good by the next one.
    let feeding = shopfloor::spawn(async move {
        loop {
            match rustix::io::write(&writer, b"x") {
                Err(rustix::io::Errno::PIPE) => return,
                _ => sleep(Duration::from_millis(3)).await,
            }
        }
    });
    let outcome = drain(reader, &books).await;
    if let Err(error) = outcome {
        books.note(&books.pipe_errors, &error);
    }
    feeding.await.expect("it ends when nobody reads");
}

async fn drain(reader: OwnedFd, books: &Books) -> io::Result<()> {
    let pipe = AsyncFd::new(reader)?;
    while books.piped.get() < PIPED {
        // An interrupted call of the user's is the user's to repeat.
        let read = |pipe: &OwnedFd| Ok(rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut [0; 1]))?);
        pipe.async_io(Interest::READABLE, read).await?;
        books.piped.add(1);
    }
    Ok(())
}
