//! shopfloor, one task per connection.
use std::io;
use std::time::Duration;

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::{TcpListener, TcpStream};
use shopfloor::runtime::Builder;

use crate::compare::echo::{BUFFER, Session, Terms};

/// Accepts in a task, not on the thread in `block_on`, so that accepting is on a worker as well.
pub(super) fn serve(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    serve_on(Builder::new_multi_thread().enable_all(), listener, terms)
}

pub(super) fn serve_without_spin(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    serve_on(Builder::new_multi_thread().enable_all().io_spin(Duration::ZERO), listener, terms)
}

fn serve_on(builder: &mut Builder, listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    let runtime = builder.worker_threads(terms.workers).build()?;
    runtime.block_on(async {
        shopfloor::spawn(accept(listener, terms))
            .await
            .map_err(|error| io::Error::other(error.to_string()))?
    })
}

async fn accept(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let session = Session::begin(&terms);
        shopfloor::spawn(handle(stream, session));
    }
}

async fn handle(mut stream: TcpStream, mut session: Session) {
    if let Err(error) = echo(&mut stream, &mut session).await {
        session.failed(&error);
    }
}

async fn echo(stream: &mut TcpStream, session: &mut Session) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        session.received(length);
        stream.write_all(&buffer[..length]).await?;
        session.returned(length);
    }
}
