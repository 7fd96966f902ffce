//! What TCP and Unix streams have in common: reading, writing and closing through a shared reference.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::ops::Deref;
use std::task::{Context, Poll};

use bytes::BufMut;
use polling::AsSource;
use shopfloor_driver::Interest;
use tokio::io::ReadBuf;

use crate::context::IoWait;
use crate::io::buf_mut::fill;
use crate::io::leaf::LeafSource;
use crate::io::recv::recv_buf;

/// A connected, non-blocking stream socket of the standard library.
#[allow(unnameable_types, reason = "sealed: the streams of this crate and no others")]
pub trait ByteStream: AsSource + fmt::Debug {
    type Addr: fmt::Debug;

    fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    fn write(&self, buf: &[u8]) -> io::Result<usize>;
    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn local_addr(&self) -> io::Result<Self::Addr>;
    fn peer_addr(&self) -> io::Result<Self::Addr>;
}

/// A stream of this crate: something around a [`LeafSource`] of a [`ByteStream`].
#[allow(unnameable_types, reason = "sealed: the streams of this crate and no others")]
pub trait SplitStream: fmt::Debug {
    type Io: ByteStream;

    fn leaf(&self) -> &LeafSource<Self::Io>;
}

/// The type of a stream's addresses.
pub(crate) type Addr<S> = <<S as SplitStream>::Io as ByteStream>::Addr;

macro_rules! byte_stream {
    ($stream:ty, $addr:ty) => {
        impl ByteStream for $stream {
            type Addr = $addr;

            fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                Read::read(&mut &*self, buf)
            }

            fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                Read::read_vectored(&mut &*self, bufs)
            }

            fn write(&self, buf: &[u8]) -> io::Result<usize> {
                Write::write(&mut &*self, buf)
            }

            fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                Write::write_vectored(&mut &*self, bufs)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                <$stream>::shutdown(self, how)
            }

            fn local_addr(&self) -> io::Result<$addr> {
                <$stream>::local_addr(self)
            }

            fn peer_addr(&self) -> io::Result<$addr> {
                <$stream>::peer_addr(self)
            }
        }
    };
}

byte_stream!(std::net::TcpStream, std::net::SocketAddr);
#[cfg(unix)]
byte_stream!(std::os::unix::net::UnixStream, std::os::unix::net::SocketAddr);

/// Buffers that one system call takes (`UIO_MAXIOV` of Linux); the standard library hands it no more. Where it is another
/// number, nothing is concluded from a short count.
const BUFFERS_PER_CALL: usize = 1024;

/// Bytes that one call asks for.
fn want_len(bufs: &[impl Deref<Target = [u8]>]) -> usize {
    bufs.iter().take(BUFFERS_PER_CALL).map(|buf| buf.len()).sum()
}

/// The `poll_*` methods use the one waker slot of their direction.
impl<T: ByteStream> LeafSource<T> {
    fn poll_read_with(
        &self,
        cx: &mut Context<'_>,
        want_len: usize,
        read: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_leaf(cx, IoWait::Read, |cx| self.source().poll_read_io(cx, want_len, read))
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        want_len: usize,
        write: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_leaf(cx, IoWait::Write, |cx| self.source().poll_write_io(cx, want_len, write))
    }

    pub(crate) fn poll_read_buf(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_with(cx, buf.remaining(), |io| recv_buf(io, buf)).map_ok(drop)
    }

    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, buf.len(), |io| io.read(buf))
    }

    pub(crate) fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let want_len = want_len(bufs);
        self.poll_read_with(cx, want_len, |io| io.read_vectored(bufs))
    }

    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, buf.len(), |io| io.write(buf))
    }

    pub(crate) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, want_len(bufs), |io| io.write_vectored(bufs))
    }

    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_io(Interest::READABLE, |io| io.read(buf))
    }

    pub(crate) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.try_io(Interest::READABLE, |io| io.read_vectored(bufs))
    }

    pub(crate) fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.try_io(Interest::READABLE, |io| fill(buf, |free| recv_buf(io, free)))
    }

    pub(crate) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, |io| io.write(buf))
    }

    pub(crate) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, |io| io.write_vectored(bufs))
    }

    pub(crate) fn local_addr(&self) -> io::Result<T::Addr> {
        self.get_ref().local_addr()
    }

    pub(crate) fn peer_addr(&self) -> io::Result<T::Addr> {
        self.get_ref().peer_addr()
    }

    /// Closes one direction. A connection that the peer has already reset is closed: that is no error.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self.get_ref().shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            outcome => outcome,
        }
    }
}

/// Implements both families of `AsyncRead` for a type with a `leaf()`.
macro_rules! impl_async_read {
    ([$($generics:tt)*] $reader:ty) => {
        impl<$($generics)*> tokio::io::AsyncRead for $reader {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.leaf().poll_read_buf(cx, buf)
            }
        }

        impl<$($generics)*> futures_io::AsyncRead for $reader {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.leaf().poll_read(cx, buf)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.leaf().poll_read_vectored(cx, bufs)
            }
        }
    };
}

/// Implements both families of `AsyncWrite` for a type with a `leaf()` and a `close_write()`.
macro_rules! impl_async_write {
    ([$($generics:tt)*] $writer:ty) => {
        impl<$($generics)*> tokio::io::AsyncWrite for $writer {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.leaf().poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.leaf().poll_write_vectored(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// Nothing to flush: a write is in the kernel when it returns.
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            /// Closes the write direction; the peer reads what was sent and then the end.
            fn poll_shutdown(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(self.get_mut().close_write())
            }
        }

        impl<$($generics)*> futures_io::AsyncWrite for $writer {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.leaf().poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.leaf().poll_write_vectored(cx, bufs)
            }

            /// Nothing to flush: a write is in the kernel when it returns.
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            /// Closes the write direction; the peer reads what was sent and then the end.
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(self.get_mut().close_write())
            }
        }
    };
}

pub(crate) use {impl_async_read, impl_async_write};
