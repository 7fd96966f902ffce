//! The halves of a stream, for reading and writing from two places at once.
//!
//! They have their everyday names beside their stream, such as [`tcp::ReadHalf`](crate::net::tcp::ReadHalf)
//! and [`tcp::OwnedWriteHalf`](crate::net::tcp::OwnedWriteHalf); the code is the same for TCP and Unix
//! streams, borrowed (`P = &S`, which costs nothing) or owned (`P = Arc<S>`, so that two tasks can have one
//! each).

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::ops::Deref;

use bytes::BufMut;
use shopfloor_protocol::sync::Arc;

use super::byte_stream::{Addr, SplitStream, impl_async_read, impl_async_write};
use crate::context::IoWait;
use crate::io::leaf::LeafSource;
use crate::io::{Interest, Ready};

/// The read half of a stream.
#[derive(Debug)]
pub struct StreamReadHalf<P> {
    stream: P,
}

/// The write half of a stream.
///
/// Dropping an owned one closes the write direction: the peer reads what was sent and then the end. See
/// [`forget`](Self::forget). Dropping a borrowed one closes nothing.
#[derive(Debug)]
pub struct StreamWriteHalf<P: Deref<Target: SplitStream>> {
    stream: P,
    shutdown_on_drop: bool,
}

/// Two halves of different streams, given back to the caller who wanted to reunite them.
#[derive(Debug)]
pub struct StreamReuniteError<S: SplitStream>(pub StreamReadHalf<Arc<S>>, pub StreamWriteHalf<Arc<S>>);

impl<S: SplitStream> fmt::Display for StreamReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves belong to different streams")
    }
}

impl<S: SplitStream> Error for StreamReuniteError<S> {}

pub(super) fn split<S: SplitStream>(stream: &S) -> (StreamReadHalf<&S>, StreamWriteHalf<&S>) {
    (StreamReadHalf { stream }, StreamWriteHalf { stream, shutdown_on_drop: false })
}

pub(super) fn into_split<S: SplitStream>(stream: S) -> (StreamReadHalf<Arc<S>>, StreamWriteHalf<Arc<S>>) {
    let stream = Arc::new(stream);
    (StreamReadHalf { stream: Arc::clone(&stream) }, StreamWriteHalf { stream, shutdown_on_drop: true })
}

fn reunite<S: SplitStream>(
    read: StreamReadHalf<Arc<S>>,
    write: StreamWriteHalf<Arc<S>>,
) -> Result<S, StreamReuniteError<S>> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(StreamReuniteError(read, write));
    }
    write.forget();
    Ok(Arc::into_inner(read.stream).expect("a stream is shared by exactly two halves"))
}

impl<P: Deref<Target: SplitStream>> StreamReadHalf<P> {
    pub(super) fn leaf(&self) -> &LeafSource<<P::Target as SplitStream>::Io> {
        self.stream.leaf()
    }

    /// Waits until the stream is ready for any of `interest`.
    ///
    /// # Errors
    /// If the stream cannot be registered, or its runtime has shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until an operation meets `WouldBlock`.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.leaf().ready(interest).await
    }

    /// Waits until the stream is readable. May be too early, so a read can still meet `WouldBlock`.
    ///
    /// # Errors
    /// If the stream cannot be registered, or its runtime has shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until a read meets `WouldBlock`.
    pub async fn readable(&self) -> io::Result<()> {
        self.leaf().wait(IoWait::Read).await
    }

    /// Reads what is there; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else what the read says.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.leaf().try_read(buf)
    }

    /// Reads what is there into several buffers, the first one first; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else what the read says.
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.leaf().try_read_vectored(bufs)
    }

    /// Reads what is there into `buf`, which is advanced by the length; 0 is the end of the stream, or
    /// a buffer without room.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else what the read says.
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.leaf().try_read_buf(buf)
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<Addr<P::Target>> {
        self.leaf().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<Addr<P::Target>> {
        self.leaf().local_addr()
    }
}

impl<S: SplitStream> StreamReadHalf<Arc<S>> {
    /// Makes one stream of its two halves again.
    ///
    /// # Errors
    /// If `write` belongs to another stream; both halves are in the error.
    pub fn reunite(self, write: StreamWriteHalf<Arc<S>>) -> Result<S, StreamReuniteError<S>> {
        reunite(self, write)
    }
}

impl<P: Deref<Target: SplitStream>> StreamWriteHalf<P> {
    pub(super) fn leaf(&self) -> &LeafSource<<P::Target as SplitStream>::Io> {
        self.stream.leaf()
    }

    /// Closes the write direction for good, so that dropping the half has nothing left to do.
    fn close_write(&mut self) -> io::Result<()> {
        let outcome = self.leaf().shutdown(Shutdown::Write);
        self.shutdown_on_drop &= outcome.is_err();
        outcome
    }

    /// Waits until the stream is ready for any of `interest`.
    ///
    /// # Errors
    /// If the stream cannot be registered, or its runtime has shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until an operation meets `WouldBlock`.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.leaf().ready(interest).await
    }

    /// Waits until the stream is writable. May be too early, so a write can still meet `WouldBlock`.
    ///
    /// # Errors
    /// If the stream cannot be registered, or its runtime has shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until a write meets `WouldBlock`.
    pub async fn writable(&self) -> io::Result<()> {
        self.leaf().wait(IoWait::Write).await
    }

    /// Writes what fits into the kernel's buffer.
    ///
    /// # Errors
    /// `WouldBlock` if nothing fits; else what the write says.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.leaf().try_write(buf)
    }

    /// Writes what fits of several buffers, the first one first.
    ///
    /// # Errors
    /// `WouldBlock` if nothing fits; else what the write says.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.leaf().try_write_vectored(bufs)
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<Addr<P::Target>> {
        self.leaf().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<Addr<P::Target>> {
        self.leaf().local_addr()
    }
}

impl<S: SplitStream> StreamWriteHalf<Arc<S>> {
    /// Makes one stream of its two halves again.
    ///
    /// # Errors
    /// If `read` belongs to another stream; both halves are in the error.
    pub fn reunite(self, read: StreamReadHalf<Arc<S>>) -> Result<S, StreamReuniteError<S>> {
        reunite(read, self)
    }

    /// Drops the half without closing the write direction; the stream closes when its read half is
    /// dropped too.
    pub fn forget(mut self) {
        self.shutdown_on_drop = false;
    }
}

impl<P: Deref<Target: SplitStream>> Drop for StreamWriteHalf<P> {
    fn drop(&mut self) {
        if self.shutdown_on_drop {
            // The only failure left is a socket that cannot be closed any further.
            let _: io::Result<()> = self.leaf().shutdown(Shutdown::Write);
        }
    }
}

impl<P: Deref<Target: SplitStream>> AsRef<P::Target> for StreamReadHalf<P> {
    fn as_ref(&self) -> &P::Target {
        &self.stream
    }
}

impl<P: Deref<Target: SplitStream>> AsRef<P::Target> for StreamWriteHalf<P> {
    fn as_ref(&self) -> &P::Target {
        &self.stream
    }
}

impl_async_read!([P: Deref<Target: SplitStream> + Unpin] StreamReadHalf<P>);
impl_async_write!([P: Deref<Target: SplitStream> + Unpin] StreamWriteHalf<P>);
