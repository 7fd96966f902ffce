//! One OS thread per connection, blocking calls: the server without a runtime.
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::compare::echo::{BUFFER, Session, Terms};

/// Accepts on the calling thread.
pub(super) fn serve(listener: TcpListener, terms: Terms) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let session = Session::open(&terms, &stream)?;
        std::thread::Builder::new().spawn(move || handle(stream, session))?;
    }
}

fn handle(mut stream: TcpStream, mut session: Session) {
    if let Err(error) = echo(&mut stream, &mut session) {
        session.failed(&error);
    }
}

fn echo(stream: &mut TcpStream, session: &mut Session) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        session.received(length);
        stream.write_all(&buffer[..length])?;
        session.returned(length);
    }
}
