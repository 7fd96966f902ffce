//! Listeners, streams and their halves.

macro_rules! names {
    ($runtime:ident) => {
        #[allow(dead_code, deprecated, unused_mut, reason = "compiled, not run; `peek` of a half asks for less here")]
        mod $runtime {
            use std::error::Error;
            use std::fmt::{Debug, Display};
            use std::io::{self, IoSlice, IoSliceMut};
            use std::net::{SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
            use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd};
            use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
            use std::panic::{RefUnwindSafe, UnwindSafe};
            use std::path::Path;
            use std::task::{Context, Poll};
            use std::time::Duration;

            use $runtime::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
            use $runtime::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream, tcp, unix};

            implements! {
                TcpListener: [Debug + AsFd + AsRawFd + TryFrom<StdTcpListener, Error = io::Error>];
                TcpListener: [Send + Sync + Unpin + UnwindSafe + RefUnwindSafe];
                TcpStream: [Debug + AsFd + AsRawFd + TryFrom<StdTcpStream, Error = io::Error>];
                TcpStream: [AsyncRead + AsyncWrite + AsRef<TcpStream>];
                TcpStream: [Send + Sync + Unpin + UnwindSafe + RefUnwindSafe];
                TcpSocket: [Debug + AsFd + AsRawFd + FromRawFd + IntoRawFd + Send + Sync + Unpin];
                UnixListener: [Debug + AsFd + AsRawFd + TryFrom<StdUnixListener, Error = io::Error>];
                UnixListener: [Send + Sync + Unpin + UnwindSafe + RefUnwindSafe];
                UnixStream: [Debug + AsFd + AsRawFd + TryFrom<StdUnixStream, Error = io::Error>];
                UnixStream: [AsyncRead + AsyncWrite + AsRef<UnixStream>];
                UnixStream: [Send + Sync + Unpin + UnwindSafe + RefUnwindSafe];
                tcp::ReadHalf<'static>: [AsyncRead + AsRef<TcpStream> + Debug + Send + Sync + Unpin];
                tcp::WriteHalf<'static>: [AsyncWrite + AsRef<TcpStream> + Debug + Send + Sync + Unpin];
                tcp::OwnedReadHalf: [AsyncRead + AsRef<TcpStream> + Debug + Send + Sync + Unpin];
                tcp::OwnedWriteHalf: [AsyncWrite + AsRef<TcpStream> + Debug + Send + Sync + Unpin];
                tcp::ReuniteError: [Error + Debug + Display + Send + Sync];
                unix::ReadHalf<'static>: [AsyncRead + AsRef<UnixStream> + Debug + Send + Sync + Unpin];
                unix::WriteHalf<'static>: [AsyncWrite + AsRef<UnixStream> + Debug + Send + Sync + Unpin];
                unix::OwnedReadHalf: [AsyncRead + AsRef<UnixStream> + Debug + Send + Sync + Unpin];
                unix::OwnedWriteHalf: [AsyncWrite + AsRef<UnixStream> + Debug + Send + Sync + Unpin];
                unix::ReuniteError: [Error + Debug + Display + Send + Sync];
                unix::SocketAddr: [Clone + Debug + Send + Sync + From<std::os::unix::net::SocketAddr>];
                unix::UCred: [Copy + Debug + Eq + Send + Sync];
            }

            async fn tcp_listener(listener: TcpListener, cx: &mut Context<'_>) -> io::Result<StdTcpListener> {
                let _: TcpListener = TcpListener::bind("127.0.0.1:0").await?;
                let _: (TcpStream, SocketAddr) = listener.accept().await?;
                let _: Poll<io::Result<(TcpStream, SocketAddr)>> = listener.poll_accept(cx);
                let _: SocketAddr = listener.local_addr()?;
                let _: u32 = listener.ttl()?;
                listener.set_ttl(1)?;
                let std: StdTcpListener = listener.into_std()?;
                TcpListener::from_std(std)?.into_std()
            }

            async fn tcp_stream(stream: &TcpStream, cx: &mut Context<'_>, to: SocketAddr) -> io::Result<()> {
                let _: TcpStream = TcpStream::connect(to).await?;
                let _: SocketAddr = stream.local_addr()?;
                let _: SocketAddr = stream.peer_addr()?;
                let _: Option<io::Error> = stream.take_error()?;
                let _: usize = stream.peek(&mut [0]).await?;
                let _: Poll<io::Result<usize>> = stream.poll_peek(cx, &mut ReadBuf::new(&mut [0]));
                let _: bool = stream.nodelay()?;
                stream.set_nodelay(true)?;
                let _: bool = stream.quickack()?;
                stream.set_quickack(true)?;
                let _: Option<Duration> = stream.linger()?;
                stream.set_linger(Some(Duration::ZERO))?;
                stream.set_zero_linger()?;
                let _: u32 = stream.ttl()?;
                stream.set_ttl(1)
            }

            async fn tcp_socket(socket: &TcpSocket, std: StdTcpStream, at: SocketAddr) -> io::Result<()> {
                let _: TcpListener = TcpSocket::new_v4()?.listen(1)?;
                let _: TcpStream = TcpSocket::new_v6()?.connect(at).await?;
                let _: TcpSocket = TcpSocket::from_std_stream(std);
                socket.bind(at)?;
                let _: SocketAddr = socket.local_addr()?;
                let _: Option<io::Error> = socket.take_error()?;
                socket.set_keepalive(true)?;
                socket.set_reuseaddr(true)?;
                socket.set_reuseport(true)?;
                socket.set_nodelay(true)?;
                let _: bool = socket.keepalive()? || socket.reuseaddr()?;
                let _: bool = socket.reuseport()? || socket.nodelay()?;
                socket.set_send_buffer_size(1)?;
                socket.set_recv_buffer_size(1)?;
                let _: [u32; 2] = [socket.send_buffer_size()?, socket.recv_buffer_size()?];
                socket.set_linger(Some(Duration::ZERO))?;
                socket.set_zero_linger()?;
                let _: Option<Duration> = socket.linger()?;
                socket.set_tclass_v6(1)?;
                socket.set_tos_v4(1)?;
                let _: [u32; 2] = [socket.tclass_v6()?, socket.tos_v4()?];
                let _: Option<Vec<u8>> = socket.device()?;
                socket.bind_device(Some(b"lo"))
            }

            async fn unix_listener(listener: UnixListener, cx: &mut Context<'_>) -> io::Result<StdUnixListener> {
                let _: UnixListener = UnixListener::bind(Path::new("a"))?;
                let at: unix::SocketAddr = listener.local_addr()?;
                let _: UnixListener = UnixListener::bind_addr(&at)?;
                let _: (UnixStream, unix::SocketAddr) = listener.accept().await?;
                let _: Poll<io::Result<(UnixStream, unix::SocketAddr)>> = listener.poll_accept(cx);
                let _: Option<io::Error> = listener.take_error()?;
                let std: StdUnixListener = listener.into_std()?;
                UnixListener::from_std(std)?.into_std()
            }

            async fn unix_stream(stream: &UnixStream) -> io::Result<()> {
                let _: UnixStream = UnixStream::connect("a").await?;
                let at: unix::SocketAddr = stream.local_addr()?;
                let _: UnixStream = UnixStream::connect_addr(&at).await?;
                let _: unix::SocketAddr = stream.peer_addr()?;
                let _: (bool, Option<&Path>) = (at.is_unnamed(), at.as_pathname());
                let _: (UnixStream, UnixStream) = UnixStream::pair()?;
                let peer: unix::UCred = stream.peer_cred()?;
                let _: (u32, u32, Option<i32>) = (peer.uid(), peer.gid(), peer.pid());
                let _: Option<io::Error> = stream.take_error()?;
                let at: std::os::unix::net::SocketAddr = at.into();
                let _: unix::SocketAddr = at.into();
                Ok(())
            }

            /// What streams of both kinds have.
            macro_rules! stream {
                ($function:ident, $stream:ty, $std:ty, $halves:ident) => {
                    async fn $function(
                        mut stream: $stream,
                        other: $stream,
                        cx: &mut Context<'_>,
                        interest: Interest,
                    ) -> io::Result<$std> {
                        let _: Ready = stream.ready(interest).await?;
                        stream.readable().await?;
                        stream.writable().await?;
                        let _: Poll<io::Result<()>> = stream.poll_read_ready(cx);
                        let _: Poll<io::Result<()>> = stream.poll_write_ready(cx);
                        let _: usize = stream.try_read(&mut [0])?;
                        let _: usize = stream.try_read_vectored(&mut [IoSliceMut::new(&mut [0])])?;
                        let _: usize = stream.try_read_buf(&mut Vec::new())?;
                        let _: usize = stream.try_write(&[0])?;
                        let _: usize = stream.try_write_vectored(&[IoSlice::new(&[0])])?;
                        let _: u8 = stream.try_io(interest, || Ok(1))?;
                        let _: u8 = stream.async_io(interest, || Ok(1)).await?;
                        {
                            let halves: ($halves::ReadHalf<'_>, $halves::WriteHalf<'_>) = stream.split();
                            let (read, write) = halves;
                            stream!(halves read write interest);
                        }
                        let (read, write): ($halves::OwnedReadHalf, $halves::OwnedWriteHalf) =
                            stream.into_split();
                        stream!(halves read write interest);
                        let stream: Result<$stream, $halves::ReuniteError> = read.reunite(write);
                        let (read, write) = stream.expect("compiled only").into_split();
                        let stream: Result<$stream, $halves::ReuniteError> = write.reunite(read);
                        let (_, write) = stream.expect("compiled only").into_split();
                        write.forget();
                        let std: $std = other.into_std()?;
                        <$stream>::from_std(std)?.into_std()
                    }
                };
                (halves $read:ident $write:ident $interest:ident) => {
                    let _: (Ready, Ready) = ($read.ready($interest).await?, $write.ready($interest).await?);
                    $read.readable().await?;
                    $write.writable().await?;
                    let _: usize = $read.try_read(&mut [0])?;
                    let _: usize = $read.try_read_vectored(&mut [IoSliceMut::new(&mut [0])])?;
                    let _: usize = $read.try_read_buf(&mut Vec::new())?;
                    let _: usize = $write.try_write(&[0])?;
                    let _: usize = $write.try_write_vectored(&[IoSlice::new(&[0])])?;
                    let _ = ($read.peer_addr()?, $read.local_addr()?);
                    let _ = ($write.peer_addr()?, $write.local_addr()?);
                };
            }

            stream!(tcp_like, TcpStream, StdTcpStream, tcp);
            stream!(unix_like, UnixStream, StdUnixStream, unix);

            async fn tcp_halves(mut stream: TcpStream, cx: &mut Context<'_>) -> io::Result<()> {
                let mut buf = [0];
                let buf = &mut ReadBuf::new(&mut buf);
                let (mut read, _) = stream.split();
                let _: usize = read.peek(&mut [0]).await?;
                let _: Poll<io::Result<usize>> = read.poll_peek(cx, buf);
                let (mut read, _) = stream.into_split();
                let _: usize = read.peek(&mut [0]).await?;
                let _: Poll<io::Result<usize>> = read.poll_peek(cx, buf);
                Ok(())
            }
        }
    };
}

names!(shopfloor);
names!(tokio);

/// The traits of `futures_io`, which tokio's streams do not have.
mod futures_io_as_well {
    use futures_io::{AsyncRead, AsyncWrite};
    use shopfloor::net::{TcpStream, UnixStream, tcp, unix};

    implements! {
        TcpStream: [AsyncRead + AsyncWrite];
        UnixStream: [AsyncRead + AsyncWrite];
        tcp::ReadHalf<'static>: [AsyncRead];
        tcp::WriteHalf<'static>: [AsyncWrite];
        tcp::OwnedReadHalf: [AsyncRead];
        tcp::OwnedWriteHalf: [AsyncWrite];
        unix::ReadHalf<'static>: [AsyncRead];
        unix::WriteHalf<'static>: [AsyncWrite];
        unix::OwnedReadHalf: [AsyncRead];
        unix::OwnedWriteHalf: [AsyncWrite];
    }
}
