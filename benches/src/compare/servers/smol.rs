//! smol: one task per connection, as many executor threads as workers.
use std::io;

use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::compare::echo::{Session, Terms};
use crate::runtimes::Runtime;
use crate::runtimes::smol::Smol;

/// Accepts in a task on one of the workers.
pub(super) fn serve(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    Smol::run(terms.workers, accept(listener, terms))
}

async fn accept(listener: std::net::TcpListener, terms: Terms) -> io::Result<()> {
    let listener = Async::new(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let session = Session::open(&terms, stream.get_ref())?;
        Smol::spawn_detached(handle(stream, session, terms.buffer()));
    }
}

async fn handle(mut stream: Async<std::net::TcpStream>, mut session: Session, mut buffer: Box<[u8]>) {
    if let Err(error) = echo(&mut stream, &mut session, &mut buffer).await {
        session.failed(&error);
    }
}

async fn echo(
    stream: &mut Async<std::net::TcpStream>,
    session: &mut Session,
    buffer: &mut [u8],
) -> io::Result<()> {
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
