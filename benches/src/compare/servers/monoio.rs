//! monoio: a thread per worker with a runtime of its own, no stealing, all of them accepting from one listener.
use std::io;
use std::net::TcpListener as StdListener;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use crate::compare::echo::{Session, Terms};

pub(super) fn serve_by_epoll(listener: StdListener, terms: Terms) -> io::Result<()> {
    // A ring waits for what would block by itself; an epoll needs to be told that it would.
    listener.set_nonblocking(true)?;
    serve(listener, &terms, |listener, terms| {
        RuntimeBuilder::<LegacyDriver>::new().build()?.block_on(accept(listener, terms))
    })
}

pub(super) fn serve_by_uring(listener: StdListener, terms: Terms) -> io::Result<()> {
    serve(listener, &terms, |listener, terms| {
        RuntimeBuilder::<IoUringDriver>::new().build()?.block_on(accept(listener, terms))
    })
}

/// The kernel lets this process make a ring.
pub(super) fn has_uring() -> Result<(), String> {
    if monoio::utils::detect_uring() { Ok(()) } else { Err(String::from("the kernel allows no io_uring")) }
}

fn serve(
    listener: StdListener,
    terms: &Terms,
    run: fn(StdListener, Terms) -> io::Result<()>,
) -> io::Result<()> {
    let mut workers = Vec::new();
    for _ in 0..terms.workers {
        let (listener, terms) = (listener.try_clone()?, terms.clone());
        workers.push(std::thread::Builder::new().spawn(move || run(listener, terms))?);
    }
    let mut ends = workers.into_iter().map(|worker| worker.join());
    ends.try_for_each(|end| end.unwrap_or_else(|_| Err(io::Error::other("a worker panicked"))))
}

async fn accept(listener: StdListener, terms: Terms) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let session = Session::begin(&terms);
        monoio::spawn(handle(stream, session, terms.buffer()));
    }
}

async fn handle(mut stream: TcpStream, mut session: Session, buffer: Box<[u8]>) {
    if let Err(error) = echo(&mut stream, &mut session, buffer.into_vec()).await {
        session.failed(&error);
    }
}

/// The buffer goes to the kernel and comes back with each call.
async fn echo(stream: &mut TcpStream, session: &mut Session, mut buffer: Vec<u8>) -> io::Result<()> {
    loop {
        let (result, filled) = stream.read(buffer).await;
        let length = result?;
        if length == 0 {
            return Ok(());
        }
        session.received(length);
        buffer = filled;
        // A read fills the capacity from the front and sets the length to what it read.
        let (result, written) = stream.write_all(buffer).await;
        session.returned(result?);
        buffer = written;
    }
}
