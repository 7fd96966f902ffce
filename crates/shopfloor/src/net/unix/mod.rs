//! Unix domain sockets: streams, listeners, datagrams.

mod datagram;
mod listener;
mod stream;
mod ucred;

use shopfloor_protocol::sync::Arc;

use super::split;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
#[doc(no_inline)]
pub use std::os::unix::net::SocketAddr;
pub use stream::UnixStream;
#[cfg(target_os = "linux")]
pub use ucred::UCred;

/// The borrowed read half of a [`UnixStream`], made by [`UnixStream::split`].
pub type ReadHalf<'a> = split::StreamReadHalf<&'a UnixStream>;
/// The borrowed write half of a [`UnixStream`], made by [`UnixStream::split`].
pub type WriteHalf<'a> = split::StreamWriteHalf<&'a UnixStream>;
/// The owned read half of a [`UnixStream`], made by [`UnixStream::into_split`].
pub type OwnedReadHalf = split::StreamReadHalf<Arc<UnixStream>>;
/// The owned write half of a [`UnixStream`], made by [`UnixStream::into_split`].
pub type OwnedWriteHalf = split::StreamWriteHalf<Arc<UnixStream>>;
/// Two owned halves of different [`UnixStream`]s.
pub type ReuniteError = split::StreamReuniteError<UnixStream>;
