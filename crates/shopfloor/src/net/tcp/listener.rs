//! A socket that accepts TCP connections.

use std::io;
use std::net::{self, SocketAddr};
use std::task::{Context, Poll, ready};

use shopfloor_driver::{Driver, SourceKind};
use shopfloor_protocol::sync::Arc;

use super::{TcpSocket, TcpStream};
use crate::context::{self, IoWait};
use crate::io::leaf::LeafSource;
use crate::net::addr::{self, ToSocketAddrs};
use crate::net::readiness::impl_std_conversion;

/// Connections that the system may hold for a listener until they are accepted.
///
/// A full backlog drops connection attempts, which their clients repeat a second later at the earliest;
/// with the customary 128, a burst of some thousand connections takes tens of seconds. The system cuts it
/// to its own limit, on Linux `net.core.somaxconn`, which is 4096 by default since Linux 5.4.
pub(super) const BACKLOG: u32 = 4096;

/// A socket that accepts TCP connections.
///
/// Any number of tasks can wait in [`accept`](Self::accept) at once. Accepted streams belong to the
/// runtime of the listener.
///
/// # Errors of accept
/// An error of `accept` concerns one attempt; the listener stays usable and no waiting connection is lost.
/// When the process has no file descriptor left (`EMFILE`, `ENFILE`) the next call fails at once as well:
/// wait a little before it.
pub struct TcpListener {
    leaf: LeafSource<net::TcpListener>,
}

impl_std_conversion!(TcpListener, net::TcpListener);

impl TcpListener {
    fn on(io: net::TcpListener, driver: &Arc<Driver>) -> Self {
        Self { leaf: LeafSource::new(io, driver, SourceKind::Other) }
    }

    /// Listens at `addr`; of several addresses, at the first one that can be had.
    ///
    /// Port 0 asks the system for a free one. On Unix `SO_REUSEADDR` is set, so that a restarted server
    /// does not have to wait for its old connections to be forgotten. The backlog is 4096, cut by the system
    /// (`somaxconn`). Other settings go through [`TcpSocket`].
    ///
    /// # Errors
    /// That of the last address tried, or of the lookup.
    ///
    /// # Panics
    /// Outside a runtime.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let addrs = addr::resolve(addr).await?;
        addr::first_success(addrs, |addr| async move {
            let socket = TcpSocket::new_for(addr)?;
            // On Windows the option would let another process take the address over.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(addr)?;
            socket.listen(BACKLOG)
        })
        .await
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the system says, above all that no file descriptor is left: see the type. Or if the listener
    /// cannot be registered, or its runtime has shut down.
    ///
    /// # Cancel safety
    /// No connection is lost: one that is accepted is returned by the same poll.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (io, peer) = self.leaf.io(IoWait::Accept, accept_nonblocking).await?;
        Ok((TcpStream::on(io, &context::driver_beside(self.leaf.driver())), peer))
    }

    /// As [`accept`](Self::accept). Of several callers of this method only the last one is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (io, peer) = ready!(self.leaf.poll_io(cx, IoWait::Accept, accept_nonblocking))?;
        Poll::Ready(Ok((TcpStream::on(io, &context::driver_beside(self.leaf.driver())), peer)))
    }

    /// The address at which it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.leaf.get_ref().local_addr()
    }

    /// The hops that a packet of an accepted connection may travel (`IP_TTL`).
    ///
    /// # Errors
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.leaf.get_ref().ttl()
    }

    /// Sets the hops that a packet of an accepted connection may travel (`IP_TTL`).
    ///
    /// # Errors
    /// What the system says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.leaf.get_ref().set_ttl(ttl)
    }

    /// The error that the system keeps for the socket (`SO_ERROR`), which this clears.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.leaf.get_ref().take_error()
    }
}

/// One system call for a connection that is non-blocking from its first moment.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn accept_nonblocking(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (fd, peer) = rustix::io::retry_on_intr(|| acceptfrom_with(listener, flags))?;
    let stream = net::TcpStream::from(fd);
    let peer = match peer.map(SocketAddr::try_from) {
        Some(Ok(peer)) => peer,
        // A system that does not name the peer here, or not as an address of the internet.
        Some(Err(_)) | None => stream.peer_addr()?,
    };
    Ok((stream, peer))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn accept_nonblocking(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}
