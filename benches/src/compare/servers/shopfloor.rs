//! shopfloor, one task per connection.
use std::io;
use std::time::Duration;

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::{TcpListener, TcpStream};
use shopfloor::runtime::Builder;

use super::http::{self, Site};
use crate::compare::echo::{Session, Terms};

pub(super) fn serve(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    serve_on(Builder::new_multi_thread().enable_all(), listener, terms, greet_echo)
}

pub(super) fn serve_without_spin(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    serve_on(Builder::new_multi_thread().enable_all().io_spin(Duration::ZERO), listener, terms, greet_echo)
}

pub(super) fn serve_in_groups(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    let mut builder = Builder::new_multi_thread();
    serve_on(builder.enable_all().io_drivers(terms.workers), listener, terms, greet_echo)
}

pub(super) fn serve_http(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    serve_on(Builder::new_multi_thread().enable_all(), listener, terms, |stream, session, terms| {
        shopfloor::spawn(http::serve(stream, Site::new(session, terms)));
    })
}

/// Spawns what serves a connection.
type Greet = fn(TcpStream, Session, &Terms);

fn greet_echo(stream: TcpStream, session: Session, terms: &Terms) {
    shopfloor::spawn(handle(stream, session, terms.buffer()));
}

/// Accepts in a task, not on the thread in `block_on`, so that accepting is on a worker as well.
fn serve_on(
    builder: &mut Builder,
    listener: std::net::TcpListener,
    terms: Terms,
    greet: Greet,
) -> io::Result<()> {
    let runtime = builder.worker_threads(terms.workers).build()?;
    runtime.block_on(async {
        shopfloor::spawn(accept(listener, terms, greet))
            .await
            .map_err(|error| io::Error::other(error.to_string()))?
    })
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
