//! Reading into a growing buffer.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// One read as a reader that is never pending, so that `read_buf` of tokio's traits does the bookkeeping of
/// memory that is not initialised yet.
struct OneRead<F>(F);

impl<F> Unpin for OneRead<F> {}

impl<F: FnMut(&mut ReadBuf<'_>) -> io::Result<usize>> AsyncRead for OneRead<F> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        (self.get_mut().0)(buf)?;
        Poll::Ready(Ok(()))
    }
}

/// Calls `read` on the part of `buf` that is free, and advances `buf` by what it fills of that. Of a buffer without
/// room, that part is empty.
pub(crate) fn fill<B: BufMut>(
    buf: &mut B,
    mut read: impl FnMut(&mut ReadBuf<'_>) -> io::Result<usize>,
) -> io::Result<usize> {
    if !buf.has_remaining_mut() {
        // `read_buf` would not call the reader.
        return read(&mut ReadBuf::new(&mut []));
    }
    let mut reader = OneRead(read);
    let read = pin!(reader.read_buf(buf));
    match read.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("a reader that is never pending"),
    }
}

/// As [`fill`], for a `read` that wants initialised memory and also says from whom the datagram is.
pub(crate) fn fill_from<B: BufMut, A>(
    buf: &mut B,
    mut read: impl FnMut(&mut [u8]) -> io::Result<(usize, A)>,
) -> io::Result<(usize, A)> {
    let mut sender = None;
    let len = fill(buf, |free| {
        let (len, from) = read(free.initialize_unfilled())?;
        free.advance(len);
        sender = Some(from);
        Ok(len)
    })?;
    Ok((len, sender.expect("`fill` reads once before it succeeds")))
}

#[cfg(test)]
mod tests {
    use super::{fill, fill_from};
    use std::io;

    #[test]
    fn a_vector_grows_by_what_was_read() {
        let mut buf = b"ab".to_vec();
        let len = fill(&mut buf, |free| {
            free.put_slice(b"cde");
            Ok(3)
        });
        assert_eq!(len.expect("a read"), 3);
        assert_eq!(buf, b"abcde");
    }

    #[test]
    fn a_failed_read_leaves_the_buffer_as_it_was() {
        let mut buf = b"ab".to_vec();
        let outcome = fill(&mut buf, |_| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(outcome.expect_err("the read fails").kind(), io::ErrorKind::WouldBlock);
        assert_eq!(buf, b"ab");
    }

    #[test]
    fn a_buffer_without_room_is_read_into_all_the_same() {
        let mut full: &mut [u8] = &mut [];
        let mut lens = Vec::new();
        let len = fill(&mut full, |free| {
            lens.push(free.remaining());
            Ok(0)
        });
        assert_eq!((len.expect("a read"), lens), (0, vec![0]));
        let received = fill_from(&mut full, |_| Ok((0, "sender"))).expect("a read");
        assert_eq!(received, (0, "sender"));
    }
}
