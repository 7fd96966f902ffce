//! smol: one task per connection, as many executor threads as workers.
use std::io;

use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::compare::echo::{BUFFER, Session, Terms};
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
        Smol::spawn_detached(handle(stream, session));
    }
}

async fn handle(mut stream: Async<std::net::TcpStream>, mut session: Session) {
    if let Err(error) = echo(&mut stream, &mut session).await {
        session.failed(&error);
    }
}

async fn echo(stream: &mut Async<std::net::TcpStream>, session: &mut Session) -> io::Result<()> {
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
