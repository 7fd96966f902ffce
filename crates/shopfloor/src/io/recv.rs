//! Receiving into memory that is not initialised yet.
//!
//! A reader that keeps its own buffer, as hyper's HTTP/1.1 does, hands over all of its free room as new memory each time. To
//! fill some kilobytes with zeros before every read of a hundred bytes would cost more than the rest of a read outside
//! the kernel.

use std::io;

use polling::AsSource;
use socket2::SockRef;
use tokio::io::ReadBuf;

/// Receives what is there into the rest of `buf`, as it is, and advances `buf` by the length.
pub(crate) fn recv_buf(socket: &impl AsSource, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
    // SAFETY: no byte that is initialised is made uninitialised: `recv` promises to write none that is not, and
    // whatever else is done here is done by `buf` itself.
    let rest = unsafe { buf.unfilled_mut() };
    let len = SockRef::from(socket).recv(rest)?;
    // SAFETY: the first `len` bytes of the rest are initialised: the system has written as many as it says that it
    // has received, from the start of what it was given. It was given `rest` and no more, so `len` bytes are there.
    unsafe { buf.assume_init(len) };
    buf.advance(len);
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::recv_buf;
    use std::io::{ErrorKind, Write};
    use std::mem::MaybeUninit;
    use std::net::{TcpListener, TcpStream};
    use tokio::io::ReadBuf;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let there = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        (listener.accept().expect("a connection").0, there)
    }

    #[test]
    fn what_was_received_lies_behind_what_was_there_and_the_rest_stays_uninitialised() {
        let (here, mut there) = connected();
        let mut memory = [MaybeUninit::uninit(); 16];
        let mut buf = ReadBuf::uninit(&mut memory);
        buf.put_slice(b"ab");
        there.write_all(b"cde").expect("a write");
        assert_eq!(recv_buf(&here, &mut buf).expect("a read"), 3);
        assert_eq!((buf.filled(), buf.initialized().len()), (&b"abcde"[..], 5));
    }

    #[test]
    fn no_more_is_received_than_there_is_room_for() {
        let (here, mut there) = connected();
        let mut memory = [MaybeUninit::uninit(); 2];
        there.write_all(b"abcde").expect("a write");
        for part in ["ab", "cd"] {
            let mut buf = ReadBuf::uninit(&mut memory);
            assert_eq!(recv_buf(&here, &mut buf).expect("a read"), 2);
            assert_eq!(buf.filled(), part.as_bytes());
        }
    }

    #[test]
    fn a_read_that_fails_leaves_the_buffer_as_it_was() {
        let (here, _there) = connected();
        here.set_nonblocking(true).expect("a mode");
        let mut memory = [MaybeUninit::uninit(); 16];
        let mut buf = ReadBuf::uninit(&mut memory);
        buf.put_slice(b"ab");
        let outcome = recv_buf(&here, &mut buf);
        assert_eq!(outcome.expect_err("nothing is there").kind(), ErrorKind::WouldBlock);
        assert_eq!((buf.filled(), buf.initialized().len()), (&b"ab"[..], 2));
    }
}
