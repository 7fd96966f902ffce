//! One OS thread per connection, blocking calls: the server without a runtime.
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::compare::echo::{Session, Terms};

/// Accepts on the calling thread.
pub(super) fn serve(listener: TcpListener, terms: Terms) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let session = Session::open(&terms, &stream)?;
        let buffer = terms.buffer();
        std::thread::Builder::new().spawn(move || handle(stream, session, buffer))?;
    }
}

fn handle(mut stream: TcpStream, mut session: Session, mut buffer: Box<[u8]>) {
    if let Err(error) = echo(&mut stream, &mut session, &mut buffer) {
        session.failed(&error);
    }
}

fn echo(stream: &mut TcpStream, session: &mut Session, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let length = stream.read(buffer)?;
        if length == 0 {
            return Ok(());
        }
        session.received(length);
        stream.write_all(&buffer[..length])?;
        session.returned(length);
    }
}
