//! Names, addresses and options of TCP sockets.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use shopfloor::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

use crate::on_all_runtimes;
use crate::stream::connected;

#[test]
fn names_and_literals_are_resolved() {
    on_all_runtimes(|| async {
        let literal = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        for host in ["127.0.0.1:80", "localhost:80"] {
            let found: Vec<SocketAddr> = lookup_host(host).await.expect("an address").collect();
            assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80), "{found:?}");
            assert!(!found.is_empty());
        }
        let found = lookup_host(("127.0.0.1", 80)).await.expect("an address");
        assert_eq!(found.collect::<Vec<_>>(), [literal]);
        let found = lookup_host((Ipv4Addr::LOCALHOST, 80)).await.expect("an address");
        assert_eq!(found.collect::<Vec<_>>(), [literal]);
        let found = lookup_host("[::1]:80".to_owned()).await.expect("an address");
        assert_eq!(found.count(), 1);
        let twice = [literal, literal];
        let found = lookup_host(&twice[..]).await.expect("addresses");
        assert_eq!(found.count(), 2);
    });
}

#[test]
fn malformed_names_are_errors() {
    on_all_runtimes(|| async {
        for host in ["localhost", "localhost:http", "localhost:99999", ""] {
            let error = lookup_host(host).await.map(drop).expect_err("it is malformed");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host}");
        }
        // A name that no resolver knows, by the standard that reserves it.
        assert!(lookup_host("nowhere.invalid:80").await.is_err());
        assert!(TcpListener::bind("nowhere.invalid:0").await.is_err());
    });
}

#[test]
fn options_of_a_stream_are_those_of_the_system() {
    on_all_runtimes(|| async {
        let (client, _server) = connected().await;
        client.set_nodelay(true).expect("an option");
        assert!(client.nodelay().expect("an option"));
        client.set_ttl(17).expect("an option");
        assert_eq!(client.ttl().expect("an option"), 17);
        client.set_linger(Some(Duration::from_secs(3))).expect("an option");
        assert_eq!(client.linger().expect("an option"), Some(Duration::from_secs(3)));
        assert!(client.take_error().expect("an answer").is_none());
    });
}

#[test]
fn options_of_a_socket_are_those_of_the_system() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_keepalive(true).expect("an option");
    socket.set_recv_buffer_size(1 << 16).expect("an option");
    socket.set_send_buffer_size(1 << 16).expect("an option");
    assert!(socket.keepalive().expect("an option"));
    assert!(socket.recv_buffer_size().expect("an option") >= 1 << 16);
    assert!(socket.send_buffer_size().expect("an option") >= 1 << 16);
    #[cfg(unix)]
    {
        socket.set_reuseport(true).expect("an option");
        assert!(socket.reuseport().expect("an option"));
    }
}

/// With zero linger the peer is told that the connection was cut, not that it ended.
#[test]
fn zero_linger_resets_the_connection() {
    on_all_runtimes(|| async {
        let (client, server) = connected().await;
        client.set_zero_linger().expect("an option");
        drop(client);
        server.readable().await.expect("readiness");
        let error = server.try_read(&mut [0]).expect_err("it was cut");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

/// The descriptor blocks until a stream or listener is made of it.
#[test]
#[cfg(unix)]
fn a_socket_is_made_of_a_descriptor_and_gives_it_back() {
    use socket2::{Domain, Socket, Type};
    use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
    on_all_runtimes(|| async {
        let raw = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket").into_raw_fd();
        // SAFETY: the descriptor was just given up by its owner.
        let socket = unsafe { TcpSocket::from_raw_fd(raw) };
        assert_eq!(socket.into_raw_fd(), raw);
        // SAFETY: as above.
        let socket = unsafe { TcpSocket::from_raw_fd(raw) };
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("an address");
        let listener = socket.listen(8).expect("a listener");
        assert_eq!(listener.as_raw_fd(), raw);
        let waits = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending()));
        assert!(waits.await, "it does not block");
        let (client, accepted) =
            shopfloor::join!(TcpStream::connect(listener.local_addr().expect("it")), listener.accept());
        client.expect("a connection");
        accepted.expect("a connection");
    });
}
