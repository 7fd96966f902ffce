//! Unix domain sockets.
#![cfg(unix)]

use std::io::ErrorKind;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::unix::SocketAddr;
use shopfloor::net::{UnixDatagram, UnixListener, UnixStream};

use crate::on_all_runtimes;

/// A path that no other test and no other process uses; the file is removed on drop.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shopfloor-{}-{name}", std::process::id()));
        // What an earlier process of this number left; usually nothing.
        let _: std::io::Result<()> = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // A test that failed before it made the socket has nothing to remove.
        let _: std::io::Result<()> = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_stream_echoes_through_a_path() {
    on_all_runtimes(|| async {
        let path = SocketPath::new("echo");
        let listener = UnixListener::bind(&path.0).expect("a listener");
        assert_eq!(UnixListener::bind(&path.0).expect_err("taken").kind(), ErrorKind::AddrInUse);
        let server = shopfloor::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let (mut read, mut write) = stream.split();
            shopfloor::io::copy(&mut read, &mut write).await.expect("an echo")
        });
        let stream = UnixStream::connect(&path.0).await.expect("a connection");
        assert_eq!(stream.peer_addr().expect("an address").as_pathname(), Some(path.0.as_path()));
        let (mut read, mut write) = stream.into_split();
        let sent = vec![5; 1 << 20];
        let sending = shopfloor::spawn(async move { write.write_all(&vec![5; 1 << 20]).await });
        let mut received = Vec::new();
        read.read_to_end(&mut received).await.expect("a read");
        assert!(received == sent, "{} bytes came back", received.len());
        sending.await.expect("no panic").expect("a write");
        assert_eq!(server.await.expect("no panic"), 1 << 20);
    });
}

#[test]
fn a_missing_path_is_an_error() {
    on_all_runtimes(|| async {
        let path = SocketPath::new("missing");
        assert_eq!(UnixStream::connect(&path.0).await.expect_err("no file").kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_pair_is_connected_and_its_halves_reunite() {
    on_all_runtimes(|| async {
        let (a, mut b) = UnixStream::pair().expect("a pair");
        let (mut read, mut write) = a.into_split();
        write.write_all(b"ping").await.expect("a write");
        let mut word = [0; 4];
        b.read_exact(&mut word).await.expect("a read");
        b.write_all(&word).await.expect("a write");
        read.read_exact(&mut word).await.expect("a read");
        drop(read.reunite(write).expect("of one stream"));
        assert_eq!(b.read(&mut word).await.expect("the end"), 0);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_peer_of_a_pair_is_this_process() {
    on_all_runtimes(|| async {
        let (a, _b) = UnixStream::pair().expect("a pair");
        let peer = a.peer_cred().expect("credentials");
        assert_eq!(peer.pid().map(i32::cast_unsigned), Some(std::process::id()));
        assert_eq!(peer.uid(), rustix::process::getuid().as_raw());
        assert_eq!(peer.gid(), rustix::process::getgid().as_raw());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_that_is_no_process_of_ours_has_no_id() {
    on_all_runtimes(|| async {
        // The kernel says the same of a socket without a peer as of a process outside of the namespace: zero.
        let lonely =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("a socket");
        lonely.set_nonblocking(true).expect("a socket");
        let lonely =
            UnixStream::from_std(OwnedFd::from(lonely).into()).expect("it is registered when it is used");
        let peer = lonely.peer_cred().expect("credentials");
        assert_eq!((peer.pid(), peer.uid(), peer.gid()), (None, u32::MAX, u32::MAX));
    });
}

#[test]
fn datagrams_arrive_whole_and_none_is_lost() {
    on_all_runtimes(|| async {
        let (a, b) = UnixDatagram::pair().expect("a pair");
        let sending = shopfloor::spawn(async move {
            // Far more than the queue of the receiver holds: the sender waits for room.
            for number in 0..2000_u32 {
                a.send(&number.to_be_bytes()).await.expect("a datagram");
            }
        });
        let mut datagram = [0; 1500];
        for number in 0..2000_u32 {
            let len = b.recv(&mut datagram).await.expect("a datagram");
            assert_eq!(datagram[..len], number.to_be_bytes());
        }
        sending.await.expect("no panic");
    });
}

#[test]
fn datagrams_go_to_paths_and_name_their_sender() {
    on_all_runtimes(|| async {
        let (here, there) = (SocketPath::new("here"), SocketPath::new("there"));
        let a = UnixDatagram::bind(&here.0).expect("a socket");
        let b = UnixDatagram::bind(&there.0).expect("a socket");
        a.send_to(b"hello", &there.0).await.expect("a datagram");
        let mut datagram = [0; 16];
        let (len, from) = b.recv_from(&mut datagram).await.expect("a datagram");
        assert_eq!((&datagram[..len], from.as_pathname()), (&b"hello"[..], Some(here.0.as_path())));
        let unbound = UnixDatagram::unbound().expect("a socket");
        unbound.connect(&there.0).expect("a peer");
        assert_eq!(unbound.try_send(b"hi").expect("room"), 2);
        assert_eq!(b.recv(&mut datagram).await.expect("a datagram"), 2);
    });
}

#[test]
fn a_listener_and_its_clients_meet_at_an_address() {
    on_all_runtimes(|| async {
        let path = SocketPath::new("address");
        let addr = SocketAddr::from_pathname(&path.0).expect("an address");
        let listener = UnixListener::bind_addr(&addr).expect("a listener");
        assert_eq!(UnixListener::bind_addr(&addr).expect_err("taken").kind(), ErrorKind::AddrInUse);
        let mut client = UnixStream::connect_addr(&addr).await.expect("a connection");
        assert_eq!(client.peer_addr().expect("an address").as_pathname(), Some(path.0.as_path()));
        let (mut server, _) = listener.accept().await.expect("a connection");
        client.write_all(b"hi").await.expect("a write");
        let mut word = [0; 2];
        server.read_exact(&mut word).await.expect("a read");
        assert_eq!(&word, b"hi");
        // A client that was not bound has an address without a name.
        let nameless = client.local_addr().expect("an address");
        let error = UnixStream::connect_addr(&nameless).await.expect_err("it has no name");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn abstract_addresses_are_given_as_addresses_or_as_paths_that_begin_with_a_zero_byte() {
    use std::ffi::OsString;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStringExt;
    on_all_runtimes(|| async {
        // A zero byte inside is part of the name.
        let name = format!("shopfloor-{}\0abstract", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).expect("an address");
        let path = PathBuf::from(OsString::from_vec(format!("\0{name}").into_bytes()));
        for by_path in [false, true] {
            let listener = if by_path { UnixListener::bind(&path) } else { UnixListener::bind_addr(&addr) };
            let listener = listener.expect("a listener");
            let at = listener.local_addr().expect("an address");
            assert_eq!(at.as_abstract_name(), Some(name.as_bytes()));
            let first = UnixStream::connect_addr(&addr).await.expect("a connection");
            let second = UnixStream::connect(&path).await.expect("a connection");
            for client in [first, second] {
                let peer = client.peer_addr().expect("an address");
                assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
                listener.accept().await.expect("a connection");
            }
        }
    });
}
