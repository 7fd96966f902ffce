//! A Unix domain socket for datagrams.

use std::io;
use std::net::Shutdown;
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll};

use shopfloor_driver::{Driver, SourceKind};
use shopfloor_protocol::sync::Arc;

use super::SocketAddr;
use crate::context::{self, IoWait};
use crate::io::Interest;
use crate::io::leaf::LeafSource;
use crate::net::datagram::impl_datagram;
use crate::net::readiness::{impl_readiness, impl_std_conversion};

/// A Unix domain socket for datagrams.
///
/// Used like a [`UdpSocket`](crate::net::UdpSocket). No datagram gets lost on the way: [`send`](Self::send)
/// waits until the peer has room.
pub struct UnixDatagram {
    leaf: LeafSource<net::UnixDatagram>,
}

impl_std_conversion!(UnixDatagram, net::UnixDatagram);
impl_readiness!(UnixDatagram, poll_recv_ready, poll_send_ready);
impl_datagram!(UnixDatagram, SocketAddr);

impl UnixDatagram {
    fn on(io: net::UnixDatagram, driver: &Arc<Driver>) -> Self {
        Self { leaf: LeafSource::new(io, driver, SourceKind::Other) }
    }

    /// A socket at `path`, which must not exist yet.
    ///
    /// # Errors
    /// What the system says, above all that the path exists.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::bind(path)?)
    }

    /// A socket without an address.
    ///
    /// # Errors
    /// If the system gives none.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    /// If the system gives none.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let driver = context::current_driver();
        let (a, b) = net::UnixDatagram::pair()?;
        a.set_nonblocking(true)?;
        b.set_nonblocking(true)?;
        Ok((Self::on(a, &driver), Self::on(b, &driver)))
    }

    /// Makes the socket at `path` the peer of [`send`](Self::send) and [`recv`](Self::recv).
    ///
    /// # Errors
    /// What the system says.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.leaf.get_ref().connect(path)
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.leaf.get_ref().local_addr()
    }

    /// The peer that [`connect`](Self::connect) has set.
    ///
    /// # Errors
    /// If there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.leaf.get_ref().peer_addr()
    }

    /// Closes one direction or both.
    ///
    /// # Errors
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.leaf.get_ref().shutdown(how)
    }

    /// Sends one datagram to the socket at `path`.
    ///
    /// Linux does not say when a peer has room again to which the socket is not connected. Towards peers that
    /// may be full, [`connect`](Self::connect) first, or repeat [`try_send_to`](Self::try_send_to) after pauses.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// The datagram was not sent.
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.leaf.io(IoWait::Write, |io| io.send_to(buf, path.as_ref())).await
    }

    /// As [`send_to`](Self::send_to), for one task per direction.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        path: P,
    ) -> Poll<io::Result<usize>> {
        self.leaf.poll_io(cx, IoWait::Write, |io| io.send_to(buf, path.as_ref()))
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else what the system says.
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.leaf.try_io(Interest::WRITABLE, |io| io.send_to(buf, path.as_ref()))
    }
}
