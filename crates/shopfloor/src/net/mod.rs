//! TCP, UDP and Unix domain sockets.
//!
//! The names, signatures and meanings are tokio's. Streams implement `AsyncRead` and `AsyncWrite` of
//! `tokio::io` *and* of `futures_io`, so that libraries written for either take them as they are.
//!
//! A socket belongs to the runtime in which it was made; making one outside a runtime panics. It may be used
//! from any task, thread or executor. It outlives its runtime: what needs no waiting still works then, and
//! what would have to wait returns an error.

pub(crate) mod addr;
pub(crate) mod byte_stream;
mod datagram;
mod options;
pub(crate) mod readiness;
pub mod split;
pub mod tcp;
mod udp;
#[cfg(unix)]
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};
