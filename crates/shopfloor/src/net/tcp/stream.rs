//! A TCP connection.

use std::io;
use std::net::{self, SocketAddr};
use std::ops::Deref;
use std::task::{Context, Poll};
use std::time::Duration;

use shopfloor_driver::{Driver, SourceKind};
use shopfloor_protocol::sync::Arc;
use socket2::SockRef;
use tokio::io::ReadBuf;

use super::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpSocket, WriteHalf};
use crate::context::IoWait;
use crate::io::leaf::LeafSource;
use crate::net::addr::{self, ToSocketAddrs};
use crate::net::byte_stream::{SplitStream, impl_async_read, impl_async_write};
use crate::net::readiness::{impl_readiness, impl_std_conversion, impl_stream};
use crate::net::split;

/// A TCP connection.
///
/// Reads and writes through `AsyncRead` and `AsyncWrite`, of `tokio::io` and of `futures_io` alike, or
/// through `readable`, `writable` and the `try_*` methods. Dropping it closes the connection.
///
/// The methods on `&self` can be used by any number of tasks at once, the `poll_*` methods and the traits
/// by one task per direction: of several, the last one is woken.
///
/// After the runtime has shut down, an operation that would have to wait returns an error.
///
/// ```
/// use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
/// use shopfloor::net::{TcpListener, TcpStream};
///
/// # shopfloor::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (mut server, _from) = listener.accept().await?;
///
/// client.write_all(b"hello").await?;
/// let mut word = [0; 5];
/// server.read_exact(&mut word).await?;
/// assert_eq!(&word, b"hello");
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    leaf: LeafSource<net::TcpStream>,
}

impl_std_conversion!(TcpStream, net::TcpStream);
impl_readiness!(TcpStream, poll_read_ready, poll_write_ready);
impl_stream!(TcpStream, net::TcpStream);

impl TcpStream {
    pub(super) fn on(io: net::TcpStream, driver: &Arc<Driver>) -> Self {
        Self { leaf: LeafSource::new(io, driver, SourceKind::TcpStream) }
    }

    /// Connects to `addr`; of several addresses, to the first one that answers.
    ///
    /// # Errors
    /// That of the last address tried, or of the lookup.
    ///
    /// # Panics
    /// Outside a runtime.
    ///
    /// # Cancel safety
    /// A connection under way is closed.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let addrs = addr::resolve(addr).await?;
        addr::first_success(addrs, |addr| async move { TcpSocket::new_for(addr)?.connect(addr).await }).await
    }

    /// Waits until a connection that is under way is there, or has failed.
    pub(super) async fn connected(self) -> io::Result<Self> {
        self.leaf
            .io(IoWait::Connect, |stream| match stream.take_error()? {
                Some(error) => Err(error),
                None => match stream.peer_addr() {
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    answer => answer,
                },
            })
            .await?;
        Ok(self)
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.leaf.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.leaf.local_addr()
    }

    /// Reads without taking the bytes out of the stream.
    ///
    /// # Errors
    /// What the read says; or if the stream cannot be registered, or its runtime has shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.leaf.io(IoWait::Read, |io| io.peek(buf)).await
    }

    /// As [`peek`](Self::peek). Of several callers of the `poll_*` methods for reading, only the last one
    /// is woken.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.leaf.poll_fill(cx, buf, |io, buf| io.peek(buf).map(|len| (len, len)))
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// What the system says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.leaf.get_ref().nodelay()
    }

    /// Sends small writes at once instead of gathering them (`TCP_NODELAY`).
    ///
    /// # Errors
    /// What the system says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.leaf.get_ref().set_nodelay(nodelay)
    }

    /// Whether received data is acknowledged at once (`TCP_QUICKACK`).
    ///
    /// # Errors
    /// What the system says.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn quickack(&self) -> io::Result<bool> {
        SockRef::from(self.leaf.get_ref()).tcp_quickack()
    }

    /// Acknowledges received data at once (`TCP_QUICKACK`). The system may switch it off again.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        SockRef::from(self.leaf.get_ref()).set_tcp_quickack(quickack)
    }

    /// How long closing waits for unsent data (`SO_LINGER`).
    ///
    /// # Errors
    /// What the system says.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.leaf.get_ref()).linger()
    }

    /// Makes closing wait for unsent data (`SO_LINGER`). The wait blocks the thread that drops the stream;
    /// prefer `shutdown`, or [`set_zero_linger`](Self::set_zero_linger) to close at once.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self.leaf.get_ref()).set_linger(linger)
    }

    /// Makes closing reset the connection and forget unsent data.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// The hops that a packet of this connection may travel (`IP_TTL`).
    ///
    /// # Errors
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.leaf.get_ref().ttl()
    }

    /// Sets the hops that a packet of this connection may travel (`IP_TTL`).
    ///
    /// # Errors
    /// What the system says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.leaf.get_ref().set_ttl(ttl)
    }
}

/// What only the read halves of a TCP stream can do.
impl<P: Deref<Target = TcpStream>> split::StreamReadHalf<P> {
    /// As [`TcpStream::peek`].
    ///
    /// # Errors
    /// As [`TcpStream::peek`].
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.as_ref().peek(buf).await
    }

    /// As [`TcpStream::poll_peek`].
    ///
    /// # Errors
    /// As [`TcpStream::peek`].
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.as_ref().poll_peek(cx, buf)
    }
}
