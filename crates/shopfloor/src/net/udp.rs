//! A UDP socket.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use shopfloor_driver::{Driver, SourceKind};
use shopfloor_protocol::sync::Arc;
use socket2::SockRef;
use tokio::io::ReadBuf;

use crate::context::IoWait;
use crate::io::Interest;
use crate::io::leaf::LeafSource;
use crate::net::addr::{self, ToSocketAddrs};
use crate::net::datagram::impl_datagram;
use crate::net::options::socket_options;
use crate::net::readiness::{impl_readiness, impl_std_conversion};

/// A UDP socket.
///
/// All methods take `&self`: put it in an `Arc` to use it from several tasks. The `async` methods can be
/// used by any number of tasks at once; of several callers of the `poll_*` methods of one direction, the
/// last one is woken.
///
/// A datagram longer than the buffer is cut, and the rest of it is lost.
///
/// ```
/// use shopfloor::net::UdpSocket;
///
/// # shopfloor::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let here = UdpSocket::bind("127.0.0.1:0").await?;
/// let there = UdpSocket::bind("127.0.0.1:0").await?;
/// here.send_to(b"hello", there.local_addr()?).await?;
/// let mut datagram = [0; 1500];
/// let (len, from) = there.recv_from(&mut datagram).await?;
/// assert_eq!((&datagram[..len], from), (&b"hello"[..], here.local_addr()?));
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket {
    leaf: LeafSource<net::UdpSocket>,
}

impl_std_conversion!(UdpSocket, net::UdpSocket);
impl_readiness!(UdpSocket, poll_recv_ready, poll_send_ready);
impl_datagram!(UdpSocket, SocketAddr);

impl UdpSocket {
    fn on(io: net::UdpSocket, driver: &Arc<Driver>) -> Self {
        Self { leaf: LeafSource::new(io, driver, SourceKind::Other) }
    }

    fn options(&self) -> SockRef<'_> {
        SockRef::from(self.leaf.get_ref())
    }

    /// A socket at `addr`; of several addresses, at the first one that can be had.
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
        addr::first_success(addrs, |addr| async move { Self::from_std(net::UdpSocket::bind(addr)?) }).await
    }

    /// Makes `addr` the peer of [`send`](Self::send) and [`recv`](Self::recv); of several addresses, the
    /// first one that can be had. Datagrams from others are dropped from now on.
    ///
    /// # Errors
    /// That of the last address tried, or of the lookup.
    ///
    /// # Cancel safety
    /// The peer is set or not.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let addrs = addr::resolve(addr).await?;
        addr::first_success(addrs, |addr| std::future::ready(self.leaf.get_ref().connect(addr))).await
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

    /// Sends one datagram to `addr`; of several addresses, to the first one.
    ///
    /// # Errors
    /// If there is no address; else as [`send`](Self::send).
    ///
    /// # Cancel safety
    /// The datagram was not sent.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let Some(addr) = addr::resolve(addr).await?.next() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no address to send to"));
        };
        self.leaf.io(IoWait::Write, |io| io.send_to(buf, addr)).await
    }

    /// As [`send_to`](Self::send_to), for one task per direction.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        addr: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.leaf.poll_io(cx, IoWait::Write, |io| io.send_to(buf, addr))
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else what the system says.
    pub fn try_send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        self.leaf.try_io(Interest::WRITABLE, |io| io.send_to(buf, addr))
    }

    /// As [`recv`](Self::recv), and leaves the datagram in the queue.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.leaf.io(IoWait::Read, |io| io.peek(buf)).await
    }

    /// As [`peek`](Self::peek), for one task per direction.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.leaf.poll_fill(cx, buf, |io, buf| io.peek(buf).map(|len| (len, ())))
    }

    /// As [`peek`](Self::peek), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else what the system says.
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.leaf.try_io(Interest::READABLE, |io| io.peek(buf))
    }

    /// As [`recv_from`](Self::recv_from), and leaves the datagram in the queue.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.leaf.io(IoWait::Read, |io| io.peek_from(buf)).await
    }

    /// As [`peek_from`](Self::peek_from), for one task per direction.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.leaf.poll_fill(cx, buf, |io, buf| io.peek_from(buf))
    }

    /// As [`peek_from`](Self::peek_from), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else what the system says.
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.leaf.try_io(Interest::READABLE, |io| io.peek_from(buf))
    }

    /// From whom the next datagram is, which stays in the queue.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        self.leaf.io(IoWait::Read, peek_sender).await
    }

    /// As [`peek_sender`](Self::peek_sender), for one task per direction.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.leaf.poll_io(cx, IoWait::Read, peek_sender)
    }

    /// As [`peek_sender`](Self::peek_sender), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else what the system says.
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.leaf.try_io(Interest::READABLE, peek_sender)
    }

    /// Joins a multicast group on the interface with an address.
    ///
    /// # Errors
    /// What the system says.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.leaf.get_ref().join_multicast_v4(&group, &interface)
    }

    /// Joins a multicast group on the interface with an index.
    ///
    /// # Errors
    /// What the system says.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.leaf.get_ref().join_multicast_v6(group, interface)
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    /// What the system says.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.leaf.get_ref().leave_multicast_v4(&group, &interface)
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    /// What the system says.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.leaf.get_ref().leave_multicast_v6(group, interface)
    }
}

fn peek_sender(socket: &net::UdpSocket) -> io::Result<SocketAddr> {
    let sender = SockRef::from(socket).peek_sender()?;
    sender.as_socket().ok_or_else(|| io::Error::other("the sender has no address of the internet"))
}

socket_options! { UdpSocket:
    "whether datagrams may go to a broadcast address (`SO_BROADCAST`)"
        broadcast = broadcast, set_broadcast = set_broadcast: bool;
    "whether this machine gets its own IPv4 multicasts (`IP_MULTICAST_LOOP`)"
        multicast_loop_v4 = multicast_loop_v4, set_multicast_loop_v4 = set_multicast_loop_v4: bool;
    "whether this machine gets its own IPv6 multicasts (`IPV6_MULTICAST_LOOP`)"
        multicast_loop_v6 = multicast_loop_v6, set_multicast_loop_v6 = set_multicast_loop_v6: bool;
    "the hops that an IPv4 multicast may travel (`IP_MULTICAST_TTL`)"
        multicast_ttl_v4 = multicast_ttl_v4, set_multicast_ttl_v4 = set_multicast_ttl_v4: u32;
    "the hops that an IPv4 datagram may travel (`IP_TTL`)"
        ttl = ttl_v4, set_ttl = set_ttl_v4: u32;
    "the type of service of IPv4 datagrams (`IP_TOS`)"
        tos_v4 = tos_v4, set_tos_v4 = set_tos_v4: u32;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "macos"))]
    "the traffic class of IPv6 datagrams (`IPV6_TCLASS`)"
        tclass_v6 = tclass_v6, set_tclass_v6 = set_tclass_v6: u32;
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl UdpSocket {
    /// The network interface to which the socket is bound, if any (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    /// What the system says.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.options().device()
    }

    /// Binds the socket to a network interface, or to none (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    /// What the system says, above all that the process may not.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.options().bind_device(interface)
    }
}
