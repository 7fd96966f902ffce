//! A TCP socket that is neither connected nor listening yet.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::{TcpListener, TcpStream};
use crate::context;
use crate::net::options::socket_options;

/// A TCP socket that is neither connected nor listening yet, to be set up first.
///
/// [`TcpStream::connect`] and [`TcpListener::bind`] are enough unless an option has to be set before, such
/// as `SO_REUSEPORT`, or the local address of a connection.
///
/// ```
/// use shopfloor::net::TcpSocket;
///
/// # shopfloor::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
/// let listener = socket.listen(1024)?;
/// # drop(listener);
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    socket: Socket,
}

impl TcpSocket {
    fn options(&self) -> &Socket {
        &self.socket
    }

    /// A socket for IPv4.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    /// A socket of the family of `addr`.
    pub(super) fn new_for(addr: SocketAddr) -> io::Result<Self> {
        Self::new(Domain::for_address(addr))
    }

    fn new(domain: Domain) -> io::Result<Self> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Takes a stream of the standard library that is not connected yet. It is switched to non-blocking
    /// mode when it is used.
    pub fn from_std_stream(stream: std::net::TcpStream) -> Self {
        Self { socket: stream.into() }
    }

    /// Connects to `addr`.
    ///
    /// # Errors
    /// What the system says, such as that nobody listens there; or if the socket cannot be registered, or
    /// the runtime shuts down meanwhile.
    ///
    /// # Panics
    /// Outside a runtime.
    ///
    /// # Cancel safety
    /// A connection under way is closed.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let driver = context::current_driver();
        self.socket.set_nonblocking(true)?;
        let under_way = match self.socket.connect(&addr.into()) {
            Ok(()) => false,
            Err(error) if is_under_way(&error) => true,
            Err(error) => return Err(error),
        };
        let stream = TcpStream::on(self.socket.into(), &driver);
        if under_way { stream.connected().await } else { Ok(stream) }
    }

    /// Listens, with room for `backlog` connections that wait to be accepted. The system cuts it to its own
    /// limit (on Linux `net.core.somaxconn`).
    ///
    /// # Errors
    /// If the system refuses, above all because the address is in use.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        TcpListener::from_std(self.socket.into())
    }

    /// Takes the local address `addr`.
    ///
    /// # Errors
    /// If it is in use, or not an address of this machine.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.socket.bind(&addr.into())
    }

    /// The local address.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let addr = self.socket.local_addr()?;
        addr.as_socket().ok_or_else(|| io::Error::other("the socket is not of an internet family"))
    }

    /// The error that the system keeps for the socket (`SO_ERROR`), which this clears.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }
}

/// Whether `connect` has only begun. A signal interrupts the call, not the connection.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    let in_progress = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let in_progress = error.kind() == io::ErrorKind::WouldBlock;
    in_progress || error.kind() == io::ErrorKind::Interrupted
}

socket_options! { TcpSocket:
    "whether the system probes an idle connection (`SO_KEEPALIVE`)"
        keepalive = keepalive, set_keepalive = set_keepalive: bool;
    "whether an address with old connections can be taken (`SO_REUSEADDR`)"
        reuseaddr = reuse_address, set_reuseaddr = set_reuse_address: bool;
    #[cfg(all(unix, not(target_os = "solaris"), not(target_os = "illumos"), not(target_os = "cygwin")))]
    "whether several sockets can listen at one address (`SO_REUSEPORT`)"
        reuseport = reuse_port, set_reuseport = set_reuse_port: bool;
    "whether small writes are sent at once (`TCP_NODELAY`)"
        nodelay = tcp_nodelay, set_nodelay = set_tcp_nodelay: bool;
    "how long closing waits for unsent data (`SO_LINGER`)"
        linger = linger, set_linger = set_linger: Option<Duration>;
    "the type of service of IPv4 packets (`IP_TOS`)"
        tos_v4 = tos_v4, set_tos_v4 = set_tos_v4: u32;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "macos"))]
    "the traffic class of IPv6 packets (`IPV6_TCLASS`)"
        tclass_v6 = tclass_v6, set_tclass_v6 = set_tclass_v6: u32;
}

impl TcpSocket {
    /// The size of the kernel's send buffer in bytes (`SO_SNDBUF`); Linux doubles what was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.socket.send_buffer_size().map(saturating_u32)
    }

    /// Asks for a size of the kernel's send buffer in bytes (`SO_SNDBUF`).
    ///
    /// # Errors
    /// What the system says.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.socket.set_send_buffer_size(size as usize)
    }

    /// The size of the kernel's receive buffer in bytes (`SO_RCVBUF`); Linux doubles what was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.socket.recv_buffer_size().map(saturating_u32)
    }

    /// Asks for a size of the kernel's receive buffer in bytes (`SO_RCVBUF`).
    ///
    /// # Errors
    /// What the system says.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.socket.set_recv_buffer_size(size as usize)
    }

    /// Makes closing reset the connection and forget unsent data.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// The network interface to which the socket is bound, if any (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    /// What the system says.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.socket.device()
    }

    /// Binds the socket to a network interface, or to none (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    /// What the system says, above all that the process may not.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.socket.bind_device(interface)
    }
}

fn saturating_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The descriptor has to be a TCP socket. It is switched to non-blocking mode when it is used.
#[cfg(unix)]
impl std::os::fd::FromRawFd for TcpSocket {
    unsafe fn from_raw_fd(fd: std::os::fd::RawFd) -> Self {
        // SAFETY: by the contract, the descriptor is open and nobody else's.
        Self { socket: unsafe { Socket::from_raw_fd(fd) } }
    }
}

#[cfg(unix)]
impl std::os::fd::IntoRawFd for TcpSocket {
    fn into_raw_fd(self) -> std::os::fd::RawFd {
        self.socket.into_raw_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}
