//! TCP: the listener, the stream with its halves, and the socket that is not yet either.

mod listener;
mod socket;
mod stream;

use shopfloor_protocol::sync::Arc;

use super::split;

pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use stream::TcpStream;

/// The borrowed read half of a [`TcpStream`], made by [`TcpStream::split`].
pub type ReadHalf<'a> = split::StreamReadHalf<&'a TcpStream>;
/// The borrowed write half of a [`TcpStream`], made by [`TcpStream::split`].
pub type WriteHalf<'a> = split::StreamWriteHalf<&'a TcpStream>;
/// The owned read half of a [`TcpStream`], made by [`TcpStream::into_split`].
pub type OwnedReadHalf = split::StreamReadHalf<Arc<TcpStream>>;
/// The owned write half of a [`TcpStream`], made by [`TcpStream::into_split`].
pub type OwnedWriteHalf = split::StreamWriteHalf<Arc<TcpStream>>;
/// Two owned halves of different [`TcpStream`]s.
pub type ReuniteError = split::StreamReuniteError<TcpStream>;
