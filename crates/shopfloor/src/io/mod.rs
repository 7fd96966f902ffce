//! Asynchronous I/O: the traits, the utilities, and [`AsyncFd`] for file descriptors of any kind.
//!
//! The traits and utilities are those of `tokio::io` that need no runtime, one by one, so that types from
//! the ecosystem are the same types here. They know no budget: a loop over something that is always ready,
//! such as a [`DuplexStream`] with a fast writer, yields only with
//! [`task::consume_budget`](crate::task::consume_budget).
//!
//! What tokio has only with more features does not appear here when another crate switches them on:
//!
//! ```compile_fail,E0432
//! use shopfloor::io::unix::AsyncFdRegisterError;
//! ```

#[cfg(unix)]
mod async_fd;
pub(crate) mod buf_mut;
pub(crate) mod leaf;
pub(crate) mod recv;

pub use shopfloor_driver::{Interest, Ready};

// An explicit list: what another crate adds by switching on tokio's features must not appear here.
#[doc(no_inline)]
pub use std::io::{Error, ErrorKind, Result, SeekFrom};
pub use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, DuplexStream, Empty, Join, Lines, ReadBuf,
    ReadHalf, Repeat, SimplexStream, Sink, Split, Take, WriteHalf, copy, copy_bidirectional,
    copy_bidirectional_with_sizes, copy_buf, duplex, empty, join, repeat, simplex, sink, split,
};
#[cfg(unix)]
#[doc(inline)]
pub use unix::AsyncFd;

/// I/O that only Unix has.
#[cfg(unix)]
pub mod unix {
    pub use super::async_fd::{AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard, ReadyGuard, TryIoError};
}
