//! A socket that accepts connections over a Unix domain socket.

use std::io;
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll, ready};

use shopfloor_driver::{Driver, SourceKind};
use shopfloor_protocol::sync::Arc;

use super::{SocketAddr, UnixStream};
use crate::context::{self, IoWait};
use crate::io::leaf::LeafSource;
use crate::net::readiness::impl_std_conversion;

/// A socket that accepts connections over a Unix domain socket.
///
/// Any number of tasks can wait in [`accept`](Self::accept) at once. The file of the socket is not removed
/// when the listener is dropped. For errors of `accept` see [`TcpListener`](crate::net::TcpListener).
pub struct UnixListener {
    leaf: LeafSource<net::UnixListener>,
}

impl_std_conversion!(UnixListener, net::UnixListener);

impl UnixListener {
    fn on(io: net::UnixListener, driver: &Arc<Driver>) -> Self {
        Self { leaf: LeafSource::new(io, driver, SourceKind::Other) }
    }

    /// Listens at `path`, which must not exist yet. On Linux a path that begins with a zero byte is an
    /// abstract address.
    ///
    /// # Errors
    /// What the system says, above all that the path exists.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&address(path.as_ref())?)
    }

    /// Listens at an address, which may be an abstract one.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        let driver = context::current_driver();
        let io = net::UnixListener::bind_addr(socket_addr)?;
        io.set_nonblocking(true)?;
        Ok(Self::on(io, &driver))
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the system says; or if the listener cannot be registered, or its runtime has shut down.
    ///
    /// # Cancel safety
    /// No connection is lost: one that is accepted is returned by the same poll.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (io, peer) = self.leaf.io(IoWait::Accept, accept_nonblocking).await?;
        Ok((UnixStream::on(io, &context::driver_beside(self.leaf.driver())), peer))
    }

    /// As [`accept`](Self::accept). Of several callers of this method only the last one is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let (io, peer) = ready!(self.leaf.poll_io(cx, IoWait::Accept, accept_nonblocking))?;
        Poll::Ready(Ok((UnixStream::on(io, &context::driver_beside(self.leaf.driver())), peer)))
    }

    /// The address at which it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.leaf.get_ref().local_addr()
    }

    /// The error that the system keeps for the socket (`SO_ERROR`), which this clears.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.leaf.get_ref().take_error()
    }
}

/// The address that a path stands for.
fn address(path: &Path) -> io::Result<SocketAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        if let Some(name) = path.as_os_str().as_bytes().strip_prefix(b"\0") {
            return SocketAddr::from_abstract_name(name);
        }
    }
    SocketAddr::from_pathname(path)
}

fn accept_nonblocking(listener: &net::UnixListener) -> io::Result<(net::UnixStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}
