//! tokio's multi-threaded runtime, one task per connection.
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::http::{self, Site};
use crate::compare::echo::{Session, Terms};

pub(super) fn serve(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    serve_each(listener, terms, |stream, session, terms| {
        tokio::spawn(handle(stream, session, terms.buffer()));
    })
}

pub(super) fn serve_http(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    serve_each(listener, terms, |stream, session, terms| {
        tokio::spawn(http::serve(stream, Site::new(session, terms)));
    })
}

/// Spawns what serves a connection.
type Greet = fn(TcpStream, Session, &Terms);

/// Accepts in a task, not on the thread in `block_on`, so that accepting is on a worker as well.
fn serve_each(listener: std::net::TcpListener, terms: Terms, greet: Greet) -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(terms.workers).enable_all().build()?;
    runtime.block_on(async { tokio::spawn(accept(listener, terms, greet)).await.map_err(io::Error::other)? })
}

async fn accept(listener: std::net::TcpListener, terms: Terms, greet: Greet) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        greet(stream, Session::begin(&terms), &terms);
    }
}

async fn handle(mut stream: TcpStream, mut session: Session, mut buffer: Box<[u8]>) {
    if let Err(error) = echo(&mut stream, &mut session, &mut buffer).await {
        session.failed(&error);
    }
}

async fn echo(stream: &mut TcpStream, session: &mut Session, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let length = stream.read(buffer).await?;
        if length == 0 {
            return Ok(());
        }
        session.received(length);
        stream.write_all(&buffer[..length]).await?;
        session.returned(length);
    }
}
