//! Datagram sockets and names of hosts.

macro_rules! names {
    ($runtime:ident) => {
        #[allow(dead_code, reason = "it is compiled, not run")]
        mod $runtime {
            use std::fmt::Debug;
            use std::io;
            use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, UdpSocket as StdUdpSocket};
            use std::os::fd::{AsFd, AsRawFd};
            use std::os::unix::net::UnixDatagram as StdUnixDatagram;
            use std::panic::{RefUnwindSafe, UnwindSafe};
            use std::task::{Context, Poll};

            use $runtime::io::{Interest, ReadBuf, Ready};
            use $runtime::net::{ToSocketAddrs, UdpSocket, UnixDatagram, unix};

            implements! {
                UdpSocket: [Debug + AsFd + AsRawFd + TryFrom<StdUdpSocket, Error = io::Error>];
                UdpSocket: [Send + Sync + Unpin + UnwindSafe + RefUnwindSafe];
                UnixDatagram: [Debug + AsFd + AsRawFd + TryFrom<StdUnixDatagram, Error = io::Error>];
                UnixDatagram: [Send + Sync + Unpin + UnwindSafe + RefUnwindSafe];
                &'static str: [ToSocketAddrs];
                String: [ToSocketAddrs];
                &'static String: [ToSocketAddrs];
                SocketAddr: [ToSocketAddrs];
                std::net::SocketAddrV4: [ToSocketAddrs];
                std::net::SocketAddrV6: [ToSocketAddrs];
                (std::net::IpAddr, u16): [ToSocketAddrs];
                (Ipv4Addr, u16): [ToSocketAddrs];
                (Ipv6Addr, u16): [ToSocketAddrs];
                (&'static str, u16): [ToSocketAddrs];
                (String, u16): [ToSocketAddrs];
                &'static [SocketAddr]: [ToSocketAddrs];
            }

            async fn hosts() -> io::Result<Option<SocketAddr>> {
                Ok($runtime::net::lookup_host(("localhost", 80)).await?.next())
            }

            /// What datagram sockets of both kinds have.
            macro_rules! datagrams {
                ($function:ident, $socket:ty, $std:ty, $addr:ty) => {
                    async fn $function(
                        socket: $socket,
                        cx: &mut Context<'_>,
                        interest: Interest,
                    ) -> io::Result<$std> {
                        let _: Ready = socket.ready(interest).await?;
                        socket.readable().await?;
                        socket.writable().await?;
                        let _: Poll<io::Result<()>> = socket.poll_recv_ready(cx);
                        let _: Poll<io::Result<()>> = socket.poll_send_ready(cx);
                        let _: u8 = socket.try_io(interest, || Ok(1))?;
                        let _: u8 = socket.async_io(interest, || Ok(1)).await?;
                        let _: ($addr, $addr) = (socket.local_addr()?, socket.peer_addr()?);
                        let _: Option<io::Error> = socket.take_error()?;
                        let _: usize = socket.send(&[0]).await?;
                        let _: Poll<io::Result<usize>> = socket.poll_send(cx, &[0]);
                        let _: usize = socket.try_send(&[0])?;
                        let _: usize = socket.recv(&mut [0]).await?;
                        let _: usize = socket.try_recv(&mut [0])?;
                        let _: (usize, $addr) = socket.recv_from(&mut [0]).await?;
                        let _: (usize, $addr) = socket.try_recv_from(&mut [0])?;
                        let (mut buf, mut vec) = ([0], Vec::new());
                        let mut buf = ReadBuf::new(&mut buf);
                        let _: Poll<io::Result<()>> = socket.poll_recv(cx, &mut buf);
                        let _: Poll<io::Result<$addr>> = socket.poll_recv_from(cx, &mut buf);
                        let _: usize = socket.recv_buf(&mut vec).await?;
                        let _: usize = socket.try_recv_buf(&mut vec)?;
                        let _: (usize, $addr) = socket.recv_buf_from(&mut vec).await?;
                        let _: (usize, $addr) = socket.try_recv_buf_from(&mut vec)?;
                        let std: $std = socket.into_std()?;
                        <$socket>::from_std(std)?.into_std()
                    }
                };
            }

            datagrams!(udp_like, UdpSocket, StdUdpSocket, SocketAddr);
            datagrams!(unix_like, UnixDatagram, StdUnixDatagram, unix::SocketAddr);

            async fn udp(socket: &UdpSocket, cx: &mut Context<'_>, to: SocketAddr) -> io::Result<()> {
                let _: UdpSocket = UdpSocket::bind("127.0.0.1:0").await?;
                socket.connect(to).await?;
                let _: usize = socket.send_to(&[0], to).await?;
                let _: usize = socket.try_send_to(&[0], to)?;
                let _: Poll<io::Result<usize>> = socket.poll_send_to(cx, &[0], to);
                let _: usize = socket.peek(&mut [0]).await?;
                let _: usize = socket.try_peek(&mut [0])?;
                let _: (usize, SocketAddr) = socket.peek_from(&mut [0]).await?;
                let _: (usize, SocketAddr) = socket.try_peek_from(&mut [0])?;
                let _: SocketAddr = socket.peek_sender().await?;
                let _: SocketAddr = socket.try_peek_sender()?;
                let mut buf = [0];
                let mut buf = ReadBuf::new(&mut buf);
                let _: Poll<io::Result<()>> = socket.poll_peek(cx, &mut buf);
                let _: Poll<io::Result<SocketAddr>> = socket.poll_peek_from(cx, &mut buf);
                let _: Poll<io::Result<SocketAddr>> = socket.poll_peek_sender(cx);
                Ok(())
            }

            fn udp_options(socket: &UdpSocket) -> io::Result<()> {
                socket.set_broadcast(true)?;
                socket.set_multicast_loop_v4(true)?;
                socket.set_multicast_loop_v6(true)?;
                let _: bool = socket.broadcast()?;
                let _: bool = socket.multicast_loop_v4()? || socket.multicast_loop_v6()?;
                socket.set_multicast_ttl_v4(1)?;
                socket.set_ttl(1)?;
                let _: [u32; 2] = [socket.multicast_ttl_v4()?, socket.ttl()?];
                socket.set_tos_v4(1)?;
                socket.set_tclass_v6(1)?;
                let _: [u32; 2] = [socket.tos_v4()?, socket.tclass_v6()?];
                socket.join_multicast_v4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED)?;
                socket.join_multicast_v6(&Ipv6Addr::UNSPECIFIED, 1)?;
                socket.leave_multicast_v4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED)?;
                socket.leave_multicast_v6(&Ipv6Addr::UNSPECIFIED, 1)?;
                let _: Option<Vec<u8>> = socket.device()?;
                socket.bind_device(Some(b"lo"))
            }

            async fn unix(socket: &UnixDatagram, cx: &mut Context<'_>) -> io::Result<()> {
                let _: UnixDatagram = UnixDatagram::bind("a")?;
                let _: UnixDatagram = UnixDatagram::unbound()?;
                let _: (UnixDatagram, UnixDatagram) = UnixDatagram::pair()?;
                socket.connect("a")?;
                let _: usize = socket.send_to(&[0], "a").await?;
                let _: usize = socket.try_send_to(&[0], "a")?;
                let _: Poll<io::Result<usize>> = socket.poll_send_to(cx, &[0], "a");
                socket.shutdown(Shutdown::Both)
            }
        }
    };
}

names!(shopfloor);
names!(tokio);
