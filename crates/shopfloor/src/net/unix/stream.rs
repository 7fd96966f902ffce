//! A connection over a Unix domain socket.

use std::io;
use std::os::unix::net;
use std::path::Path;

use shopfloor_driver::{Driver, SourceKind};
use shopfloor_protocol::sync::Arc;
use socket2::{Domain, SockAddr, Socket, Type};

use super::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, SocketAddr, WriteHalf};
use crate::context;
use crate::io::leaf::LeafSource;
use crate::net::byte_stream::{SplitStream, impl_async_read, impl_async_write};
use crate::net::readiness::{impl_readiness, impl_std_conversion, impl_stream};

/// A connection over a Unix domain socket.
///
/// Used like a [`TcpStream`](crate::net::TcpStream).
///
/// ```
/// use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
/// use shopfloor::net::UnixStream;
///
/// # shopfloor::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let (mut here, mut there) = UnixStream::pair()?;
/// here.write_all(b"hello").await?;
/// let mut word = [0; 5];
/// there.read_exact(&mut word).await?;
/// assert_eq!(&word, b"hello");
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream {
    leaf: LeafSource<net::UnixStream>,
}

impl_std_conversion!(UnixStream, net::UnixStream);
impl_readiness!(UnixStream, poll_read_ready, poll_write_ready);
impl_stream!(UnixStream, net::UnixStream);

impl UnixStream {
    pub(super) fn on(io: net::UnixStream, driver: &Arc<Driver>) -> Self {
        Self { leaf: LeafSource::new(io, driver, SourceKind::Other) }
    }

    /// Connects to the socket at `path`. On Linux a path that begins with a zero byte is an abstract address.
    ///
    /// # Errors
    /// What the system says. Linux refuses at once (`WouldBlock`) when the listener's backlog is full.
    ///
    /// # Panics
    /// Outside a runtime.
    ///
    /// # Cancel safety
    /// A connection under way is closed.
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_to(&SockAddr::unix(path)?)
    }

    /// Connects to the socket at an address, which may be an abstract one.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); `InvalidInput` if the address has no name.
    ///
    /// # Panics
    /// Outside a runtime.
    ///
    /// # Cancel safety
    /// A connection under way is closed.
    pub async fn connect_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        Self::connect_to(&sock_addr(socket_addr)?)
    }

    fn connect_to(addr: &SockAddr) -> io::Result<Self> {
        let driver = context::current_driver();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(addr)?;
        Ok(Self::on(socket.into(), &driver))
    }

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    /// If the system gives none.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let driver = context::current_driver();
        let (a, b) = net::UnixStream::pair()?;
        a.set_nonblocking(true)?;
        b.set_nonblocking(true)?;
        Ok((Self::on(a, &driver), Self::on(b, &driver)))
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

    /// Who called `connect`, or `pair`, at the other end.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(target_os = "linux")]
    pub fn peer_cred(&self) -> io::Result<super::UCred> {
        super::UCred::of_peer(self.leaf.get_ref())
    }
}

/// The form in which the system's `connect` takes an address.
fn sock_addr(addr: &SocketAddr) -> io::Result<SockAddr> {
    if let Some(path) = addr.as_pathname() {
        return SockAddr::unix(path);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = abstract_name(addr) {
        return SockAddr::unix(name);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "a socket without a name cannot be connected to"))
}

/// The name of an abstract address, after the zero byte that tells it from a path.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(addr: &SocketAddr) -> Option<std::ffi::OsString> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStringExt;
    let name = addr.as_abstract_name()?;
    Some(std::ffi::OsString::from_vec([b"\0", name].concat()))
}
